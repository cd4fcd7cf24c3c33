import { type Command, Option } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, appNameFromGitRemote, GIT_REMOTE } from '../api-client.ts';
import { printResult } from '../format.ts';
import { collectValues } from '../repeated-option.ts';
import { createFromManifest, type ManifestOptions } from './create-from.ts';
import { addGitRemote, requireRemoteName } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
}

interface CreateOptions extends Partial<ManifestOptions> {
  readonly addons?: string;
  readonly app?: string;
  readonly buildpack?: readonly string[];
  readonly json?: boolean;
  /** Its name; false for none, undefined for the default. */
  readonly remote?: string | boolean;
}

/** `tailrace apps`, `tailrace create [name]` */
export function appsCommands(program: Command): void {
  program
    .command('apps')
    .aliases(['apps:list', 'list'])
    .description('list the apps')
    .option('-j, --json', 'print JSON')
    .addOption(new Option('-A, --all', 'all apps, as always').hideHelp())
    .addOption(new Option('-p, --personal', 'all apps, as always').hideHelp())
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
    .option('-r, --remote <name>', `the git remote that will lead to it (default: ${GIT_REMOTE})`)
    .option('-n, --no-remote', 'leave the git repository of this folder alone')
    .option('--addons <list>', 'add-ons to create with it, with commas between them: redis,postgresql')
    .option(
      '-b, --buildpack <name>',
      'what builds it: a name, a URL or a folder; may be repeated',
      collectValues,
    )
    .option('--from <file>', 'make it as an app.json says: config vars, add-ons, formation, postdeploy')
    .option('-e, --env <vars>', 'with --from: config vars that app.json asks for: "A=1;B=2"', collectValues)
    .option('--environment <name>', 'with --from: what app.json says for this environment, such as review')
    .option('-j, --json', 'print JSON')
    .addOption(new Option('-a, --app <name>', 'its name').hideHelp())
    .action(async (typed: string | undefined, options: CreateOptions) => {
      const name = typed ?? options.app;
      const remote = typeof options.remote === 'string' ? options.remote : GIT_REMOTE;
      if (options.remote !== false) requireRemoteName(remote);
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
      const tied = options.remote === false ? {} : tieRepository(app, remote);
      printResult(options.json, app, () =>
        [
          `Creating ${app.name}... done`,
          ...said,
          ...created,
          `${app.web_url} | ${app.git_url}`,
          ...(tied.said === undefined ? [] : [tied.said]),
        ].join('\n'),
      );
      if (tied.error) throw tied.error;
    });
}

/** The app is there by now, whatever git says. */
function tieRepository(app: AppView, remote: string): { said?: string; error?: TailraceError } {
  const before = appNameFromGitRemote(remote);
  try {
    return addGitRemote(app.git_url, remote) ? { said: describeGitRemote(remote, before, app.name) } : {};
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    const repair = `tailrace git:remote -a ${app.name}${remote === GIT_REMOTE ? '' : ` -r ${remote}`}`;
    const message = `${app.name} was made, and its git remote wasn't: ${error.message} Then: ${repair}`;
    return { error: new TailraceError(error.code, message, { cause: error }) };
  }
}

/** @param before the app that the remote led to */
function describeGitRemote(remote: string, before: string | undefined, app: string): string {
  const done = before === undefined || before === app ? 'added' : `leads here now, and not to ${before}`;
  return `Git remote ${remote} ${done}; deploy with: git push ${remote} main`;
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
