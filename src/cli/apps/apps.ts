import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, appNameFromGitRemote, GIT_REMOTE } from '../api-client.ts';
import { printResult } from '../format.ts';
import { collectValues } from '../repeated-option.ts';
import { createFromManifest, type ManifestOptions } from './create-from.ts';
import { addGitRemote } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
}

interface CreateOptions extends Partial<ManifestOptions> {
  readonly addons?: string;
  readonly buildpack?: readonly string[];
  readonly json?: boolean;
  readonly remote: boolean;
}

/** `tailrace apps`, `tailrace create [name]` */
export function appsCommands(program: Command): void {
  program
    .command('apps')
    .description('list the apps')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const apps = await new ApiClient().request<AppView[]>('GET', '/apps');
      printResult(options.json, apps, () =>
        apps.length === 0
          ? 'There are no apps. Make one with: tailrace create NAME'
          : apps.map(({ name }) => name).join('\n'),
      );
    });
  program
    .command('create [name]')
    .alias('apps:create')
    .description('make an app')
    .option('--no-remote', 'leave the git repository of this folder alone')
    .option('--addons <list>', 'add-ons to create with it, with commas between them: redis,postgresql')
    .option(
      '-b, --buildpack <name>',
      'what builds it: a name, a URL or a folder; may be repeated',
      collectValues,
    )
    .option('--from <file>', 'make it as an app.json says: config vars, add-ons, formation, postdeploy')
    .option('-e, --env <vars>', 'with --from: config vars that app.json asks for: "A=1;B=2"', collectValues)
    .option('--environment <name>', 'with --from: what app.json says for this environment, such as review')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: CreateOptions) => {
      const client = new ApiClient();
      const plans = (options.addons ?? '').split(',').flatMap((plan) => plan.trim() || []);
      // An app without what it needs would have to be made up for: what can't be added is said before.
      for (const plan of plans) await client.request('GET', `/plans/${encodeURIComponent(plan)}`);
      const { from } = options;
      if (from === undefined && (options.env || options.environment))
        throw new TailraceError('invalid_params', '--env and --environment are for --from: an app.json.');
      const { app, said } =
        from === undefined
          ? { app: await client.request<AppView>('POST', '/apps', { name }), said: [] }
          : await makeFromManifest(client, name, { ...options, from });
      const created = await furnishApp(client, app.name, options.buildpack ?? [], plans);
      const before = appNameFromGitRemote();
      const added = options.remote && addGitRemote(app.git_url);
      printResult(options.json, app, () =>
        [
          `Creating ${app.name}... done`,
          ...said,
          ...created,
          `${app.web_url} | ${app.git_url}`,
          ...(added ? [describeGitRemote(before, app.name)] : []),
        ].join('\n'),
      );
    });
}

/** @param before the app that the remote led to */
function describeGitRemote(before: string | undefined, app: string): string {
  const done = before === undefined || before === app ? 'added' : `leads here now, and not to ${before}`;
  return `Git remote ${GIT_REMOTE} ${done}; deploy with: git push ${GIT_REMOTE} main`;
}

async function makeFromManifest(client: ApiClient, wanted: string | undefined, options: ManifestOptions) {
  const { name, said } = await createFromManifest(client, wanted, options);
  return { app: await client.request<AppView>('GET', `/apps/${encodeURIComponent(name)}`), said };
}

/** All of it, or no app. @returns what to say */
async function furnishApp(
  client: ApiClient,
  app: string,
  buildpacks: readonly string[],
  plans: readonly string[],
): Promise<string[]> {
  const said: string[] = [];
  const path = `/apps/${encodeURIComponent(app)}`;
  try {
    if (buildpacks.length > 0) {
      const updates = buildpacks.map((buildpack) => ({ buildpack }));
      await client.request('PUT', `${path}/buildpack-installations`, { updates });
      said.push(`Setting ${buildpacks.join(', ')}... done`);
    }
    for (const plan of plans) {
      const { name, config_vars: vars } = await client.request<{ name: string; config_vars: string[] }>(
        'POST',
        `${path}/addons`,
        { plan },
      );
      said.push(`Adding ${plan}... done, ${name} as ${vars.join(', ')}`);
    }
  } catch (error) {
    await client.request('DELETE', path);
    if (!(error instanceof TailraceError)) throw error;
    throw new TailraceError(error.code, `${error.message} The app ${app} was not made.`, { cause: error });
  }
  return said;
}
