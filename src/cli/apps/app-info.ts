import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { formatNumber } from '../../common/text/format-numbers.ts';
import { shellValue } from '../../common/text/shell-quote.ts';
import { ApiClient, addClientOptions, remoteOption, resolveApp, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';
import { type LimitsView, limitRows, summarizeLimits } from '../logs/limits.ts';
import { removeGitRemote } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
  readonly maintenance: boolean;
  readonly slug_size: number | null;
  readonly buildpack_provided_description: string | null;
  readonly created_at: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** What of an app is one value, under the API's names. */
function shellLines(app: Readonly<Record<string, unknown>>): string {
  return Object.entries(app)
    .flatMap(([name, value]) => (typeof value === 'object' ? [] : `${name}=${shellValue(String(value))}`))
    .join('\n');
}

/** `tailrace info`, `destroy --confirm NAME`, `maintenance[:on|:off]` */
export function appInfoCommands(program: Command): void {
  addClientOptions(program.command('info [name]').alias('apps:info').description('show an app'))
    .option('-s, --shell', 'as name=value lines for a shell')
    .action(async (name: string | undefined, options: Options & { shell?: boolean }) => {
      const { client, path } = await resolveEndpoint({ app: options.app ?? name });
      const app = await client.request<AppView>('GET', path);
      const dynos = await client.request<{ type: string }[]>('GET', `${path}/dynos`);
      const addons = await client.request<{ plan: { name: string } }[]>('GET', `${path}/addons`);
      const limits = await client.request<LimitsView>('GET', `${path}/log-limits`);
      const types = [...new Set(dynos.map(({ type }) => type))];
      const rows = [
        ['Web URL:', app.web_url],
        ['Git URL:', app.git_url],
        [
          'Dynos:',
          types.map((type) => `${type}: ${dynos.filter((dyno) => dyno.type === type).length}`).join(', ') ||
            'none',
        ],
        ['Add-ons:', addons.map(({ plan }) => plan.name).join(', ') || 'none'],
        ['Buildpack:', app.buildpack_provided_description ?? 'none'],
        ['Slug size:', app.slug_size === null ? 'none' : `${formatNumber(app.slug_size)} bytes`],
        ['Maintenance:', app.maintenance ? 'on' : 'off'],
        ['Log held:', limitRows(limits)[0][1]],
        ['Log limits:', summarizeLimits(limits)],
        ['Created:', app.created_at],
      ];
      printResult(options.json, app, () =>
        options.shell
          ? shellLines({ ...app, dynos: dynos.length })
          : `=== ${app.name}\n\n${formatTable(rows)}`,
      );
    });

  program
    .command('destroy [name]')
    .aliases(['apps:destroy', 'apps:delete'])
    .description('destroy an app with everything it has')
    .option('-a, --app <name>', 'the app')
    .addOption(remoteOption())
    .option('-c, --confirm <name>', 'the name of the app, again')
    .action(async (name: string | undefined, options: { app?: string; confirm?: string }) => {
      const client = new ApiClient();
      const app = await resolveApp(client, options.app ?? name);
      if (options.confirm !== app)
        throw new TailraceError(
          'bad_request',
          `This destroys ${app}, with its lines, releases and add-ons. If you mean it: tailrace destroy ${app} --confirm ${app}`,
        );
      await client.request('DELETE', `/apps/${encodeURIComponent(app)}`);
      process.stdout.write(`Destroying ${app} (including all add-ons)... done\n`);
      if (removeGitRemote(app)) process.stdout.write('Git remote tailrace removed\n');
    });

  addClientOptions(program.command('maintenance').description('is the app under maintenance?')).action(
    async (options: Options) => {
      const { client, path } = await resolveEndpoint(options);
      const app = await client.request<AppView>('GET', path);
      printResult(options.json, { maintenance: app.maintenance }, () => (app.maintenance ? 'on' : 'off'));
    },
  );
  for (const word of ['on', 'off'] as const)
    addClientOptions(
      program
        .command(`maintenance:${word}`)
        .description(
          word === 'on' ? 'answer every request with a page that says so' : 'let requests through again',
        ),
    ).action(async (options: Options) => {
      const { app: name, client, path } = await resolveEndpoint(options);
      const app = await client.request<AppView>('PATCH', path, { maintenance: word === 'on' });
      const verb = word === 'on' ? 'Enabling' : 'Disabling';
      printResult(options.json, app, () => `${verb} maintenance mode for ${name}... done`);
    });
}
