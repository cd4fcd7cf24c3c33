import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from './client.ts';
import type { DrainView } from './drains.ts';
import { print } from './table.ts';

/** `tailrace drains:add URL` */
export function drainsAddCommand(program: Command): void {
  clientOptions(
    program
      .command('drains:add <url>')
      .description('send every line from now on to https://…, http://… or syslog://host:port'),
  ).action(async (url: string, options: { app?: string; json?: boolean }) => {
    const client = new Client();
    const app = await chooseApp(client, options.app);
    const drain = await client.ask<DrainView>('POST', `/apps/${encodeURIComponent(app)}/log-drains`, { url });
    print(options.json, drain, () => `Successfully added drain ${drain.url} (${drain.token})`);
  });
}
