import type { Command } from 'commander';
import { Client } from './client.ts';
import { print } from './table.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
}

/** `tailrace apps`, `tailrace create [name]` */
export function appsCommands(program: Command): void {
  program
    .command('apps')
    .description('list the apps')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const apps = await new Client().ask<AppView[]>('GET', '/apps');
      print(options.json, apps, () =>
        apps.length === 0
          ? 'There are no apps. Make one with: tailrace create NAME'
          : apps.map(({ name }) => name).join('\n'),
      );
    });
  program
    .command('create [name]')
    .alias('apps:create')
    .description('make an app')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: { json?: boolean }) => {
      const app = await new Client().ask<AppView>('POST', '/apps', { name });
      print(options.json, app, () => `Creating ${app.name}... done\n${app.web_url}`);
    });
}
