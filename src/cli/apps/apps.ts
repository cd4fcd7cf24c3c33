import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printResult } from '../format.ts';
import { addGitRemote } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
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
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: { json?: boolean; remote: boolean }) => {
      const app = await new ApiClient().request<AppView>('POST', '/apps', { name });
      const added = options.remote && addGitRemote(app.git_url);
      printResult(options.json, app, () =>
        [
          `Creating ${app.name}... done`,
          `${app.web_url} | ${app.git_url}`,
          ...(added ? ['Git remote tailrace added; deploy with: git push tailrace main'] : []),
        ].join('\n'),
      );
    });
}
