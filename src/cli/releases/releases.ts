import { type Command, InvalidArgumentError } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { shellValue } from '../../common/text/shell-quote.ts';
import { type ApiClient, addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatElapsed, formatTable, printResult, printValues } from '../format.ts';

interface ReleaseView {
  readonly id: string;
  readonly version: number;
  readonly description: string;
  readonly status: string;
  readonly current: boolean;
  readonly user: { readonly email: string };
  readonly created_at: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace releases`, `releases:info v2`, `rollback [v1]` */
export function releaseCommands(program: Command): void {
  addClientOptions(program.command('releases').description("list an app's releases"))
    .option('-n, --num <releases>', 'the last so many (default: all)', parseCount)
    .action(async (options: Options & { num?: number }) => {
      const { app, client, path } = await resolveEndpoint(options, '/releases');
      const all = (await client.request<ReleaseView[]>('GET', path)).reverse();
      const releases = all.slice(0, options.num);
      printResult(options.json, releases, () => {
        const rows = releases.map(({ version, description, status, created_at: createdAt }) => [
          `v${version}`,
          status === 'succeeded' ? description : `${description} (${status})`,
          `${formatElapsed(Date.now() - Date.parse(createdAt))} ago`,
        ]);
        const current = all.find((release) => release.current);
        return [`=== ${app} Releases - Current: v${current?.version}`, '', formatTable(rows)].join('\n');
      });
    });
  addClientOptions(
    program.command('releases:info [release]').description('show a release (default: the last)'),
  )
    .option('-s, --shell', 'its config vars alone, as A=1 lines for a shell')
    .action(async (which: string | undefined, options: Options & { shell?: boolean }) => {
      const { client, path } = await resolveEndpoint(options, '/releases');
      const version =
        which ??
        String(Math.max(...(await client.request<ReleaseView[]>('GET', path)).map((one) => one.version)));
      const release = await client.request<ReleaseView>('GET', `${path}/${encodeURIComponent(version)}`);
      const vars = await client.request<Record<string, string>>(
        'GET',
        `${path}/${release.version}/config-vars`,
      );
      if (options.shell && !options.json)
        return printValues(false, vars, () =>
          Object.entries(vars)
            .map(([name, value]) => `${name}=${shellValue(value)}`)
            .join('\n'),
        );
      printResult(options.json, { ...release, config_vars: vars }, () =>
        [
          `=== Release v${release.version}`,
          '',
          formatTable([
            ['By:', release.user.email],
            ['Change:', release.description],
            ['Status:', release.status],
            ['When:', release.created_at],
          ]),
          '',
          `=== v${release.version} Config Vars`,
          '',
          ...Object.entries(vars).map(([name, value]) => `${name}: ${value}`),
        ].join('\n'),
      );
    });
  addClientOptions(
    program
      .command('rollback [release]')
      .alias('releases:rollback')
      .description('go back to a release, code and config vars (default: the one before)'),
  ).action(async (which: string | undefined, options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/releases');
    const to =
      which === undefined
        ? await requirePreviousRelease(client, path, app)
        : await client.request<ReleaseView>('GET', `${path}/${encodeURIComponent(which)}`);
    const release = await client.request<ReleaseView>('POST', path, { release: to.id });
    printResult(
      options.json,
      release,
      () => `Rolling back ${app} to v${to.version}... done, v${release.version}`,
    );
  });
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a number of releases.');
  return Number(text);
}

/** The release before the current one. @throws TailraceError `not_found` when there is none */
async function requirePreviousRelease(client: ApiClient, path: string, app: string): Promise<ReleaseView> {
  const succeeded = (await client.request<ReleaseView[]>('GET', path)).filter(
    ({ status }) => status === 'succeeded',
  );
  const earlier = succeeded.at(-2);
  if (earlier) return earlier;
  throw new TailraceError(
    'not_found',
    `${app} has no earlier release to go back to: v${succeeded.at(-1)?.version ?? 1} is the first (see \`tailrace releases\`).`,
  );
}
