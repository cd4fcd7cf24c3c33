import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, addClientOptions, appNameFromGitRemote, resolveApp } from '../api-client.ts';
import { printResult } from '../format.ts';
import { addGitRemote } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
}

/** `tailrace apps`, `tailrace create [name]`, `tailrace rename <name>` */
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
    .option('--json', 'print JSON')
    .action(
      async (name: string | undefined, options: { addons?: string; json?: boolean; remote: boolean }) => {
        const client = new ApiClient();
        const plans = (options.addons ?? '').split(',').flatMap((plan) => plan.trim() || []);
        // An app without what it needs would have to be made up for: what can't be added is said before.
        for (const plan of plans) await client.request('GET', `/plans/${encodeURIComponent(plan)}`);
        const app = await client.request<AppView>('POST', '/apps', { name });
        const created = await addAddons(client, app.name, plans);
        const added = options.remote && addGitRemote(app.git_url);
        printResult(options.json, app, () =>
          [
            `Creating ${app.name}... done`,
            ...created,
            `${app.web_url} | ${app.git_url}`,
            ...(added ? ['Git remote tailrace added; deploy with: git push tailrace main'] : []),
          ].join('\n'),
        );
      },
    );
  addClientOptions(
    program.command('rename <name>').alias('apps:rename').description('give an app another name'),
  ).action(async (name: string, options: { app?: string; json?: boolean }) => {
    const client = new ApiClient();
    const before = await resolveApp(client, options.app);
    const isRemote = appNameFromGitRemote() === before;
    const app = await client.request<AppView>('PATCH', `/apps/${encodeURIComponent(before)}`, { name });
    const changed = isRemote && addGitRemote(app.git_url);
    printResult(options.json, app, () =>
      [
        `Renaming ${before} to ${app.name}... done`,
        `${app.web_url} | ${app.git_url}`,
        ...(changed ? ['Git remote tailrace changed'] : []),
      ].join('\n'),
    );
  });
}

/** All of them, or no app. @returns what to say */
async function addAddons(client: ApiClient, app: string, plans: readonly string[]): Promise<string[]> {
  const said: string[] = [];
  const path = `/apps/${encodeURIComponent(app)}`;
  try {
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
