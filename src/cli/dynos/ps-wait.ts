import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { APP_OPTION, type ApiClient, remoteOption, resolveLastingEndpoint } from '../api-client.ts';

interface DynoView {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly release: { readonly version: number };
}
interface WaitOptions {
  readonly app?: string;
  readonly type?: string;
  readonly withRun?: boolean;
  readonly waitInterval: number;
}

/** How long a server may be away while it is waited for: a restart takes seconds. */
const UNAVAILABLE_MS = 60_000;

/** `tailrace ps:wait`: ends when every dyno runs the current release. */
export function psWaitCommand(program: Command): void {
  program
    .command('ps:wait')
    .description('wait until every dyno is up with the current release')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-t, --type <type>', 'only those of a process type')
    .option('-R, --with-run', 'one-off dynos too')
    .option('-w, --wait-interval <seconds>', 'how often to look', parseSeconds, 1)
    .action(async (options: WaitOptions) => {
      const { app, client, path } = await resolveLastingEndpoint(options);
      if (options.type !== undefined) await requireProcessType(client, app, path, options.type);
      let said = '';
      for (;;) {
        const { version, dynos } = await whileUnavailable(() => look(client, path, options));
        const upToDate = dynos.filter(
          ({ state, release }) => state === 'up' && release.version >= version,
        ).length;
        const progress = `${upToDate} / ${dynos.length}`;
        if (upToDate === dynos.length) {
          if (said !== '') process.stderr.write(`${progress}, done\n`);
          return;
        }
        const crashed = dynos.filter(({ state }) => state === 'crashed').map(({ name }) => name);
        const text = `${progress}${crashed.length > 0 ? ` (crashed: ${crashed.join(', ')})` : ''}`;
        if (said === '') process.stderr.write(`Waiting for every dyno of ${app} to be running v${version}\n`);
        if (text !== said) process.stderr.write(`${text}\n`);
        said = text;
        await delay(options.waitInterval * 1_000);
      }
    });
}

async function look(client: ApiClient, path: string, { type, withRun }: WaitOptions) {
  const releases = await client.request<{ version: number; current: boolean }[]>('GET', `${path}/releases`);
  const dynos = (await client.request<DynoView[]>('GET', `${path}/dynos`)).filter((dyno) =>
    type === undefined ? withRun || !['run', 'release'].includes(dyno.type) : dyno.type === type,
  );
  return { version: releases.find(({ current }) => current)?.version ?? 1, dynos };
}

/** Looks again while the server is being restarted. @throws TailraceError when it stays away */
async function whileUnavailable<T>(request: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + UNAVAILABLE_MS;
  for (;;)
    try {
      return await request();
    } catch (error) {
      const canWait = error instanceof TailraceError && error.code === 'unavailable';
      if (!canWait || performance.now() > endMs) throw error;
      await delay(500);
    }
}

/** @throws TailraceError `not_found` for a type that the app hasn't: it would be waited for in vain */
async function requireProcessType(client: ApiClient, app: string, path: string, type: string): Promise<void> {
  const formation = await client.request<{ type: string }[]>('GET', `${path}/formation`);
  if (formation.some((one) => one.type === type)) return;
  const names = formation.map((one) => one.type).join(', ');
  throw new TailraceError('not_found', `${app} has no process type ${type}; there are: ${names || 'none'}.`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 3_600) return seconds;
  throw new InvalidArgumentError('Choose a number of seconds from 1 to 3600.');
}
