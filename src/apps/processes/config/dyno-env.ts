export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment of one dyno is made of. */
export interface DynoEnvParts {
  /** Everything else: the server's own environment, `.env`, config vars, already merged. */
  base: Environment;
  /** `web.1` */
  name: string;
  id: string;
  port: number | undefined;
  /** Keep colors although stdout is no terminal. */
  color: boolean;
}

/** The environment of a dyno. What the platform sets (`PORT`, `DYNO`, `PS`) can't be overridden. */
export function dynoEnv({ base, name, id, port, color }: DynoEnvParts): Record<string, string | undefined> {
  return {
    // Heroku's Python buildpack sets it too: without it Python buffers lines for minutes when stdout is a pipe.
    PYTHONUNBUFFERED: '1',
    ...(color ? { FORCE_COLOR: '1', CLICOLOR_FORCE: '1' } : {}),
    ...base,
    ...(port === undefined ? {} : { PORT: String(port) }),
    DYNO: name,
    PS: name,
    // Also identifies a dyno's processes after the server has crashed (orphans.ts).
    HEROKU_DYNO_ID: id,
  };
}
