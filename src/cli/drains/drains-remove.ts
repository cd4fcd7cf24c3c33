import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print } from '../table.ts';

/** `tailrace drains:remove URL|TOKEN|ID` */
export function drainsRemoveCommand(program: Command): void {
  clientOptions(
    program
      .command('drains:remove <drain>')
      .description('stop sending lines to a drain, named by its URL, token or id'),
  ).action(async (which: string, options: { app?: string; json?: boolean }) => {
    const client = new Client();
    const app = await chooseApp(client, options.app);
    const path = `/apps/${encodeURIComponent(app)}/log-drains/${encodeURIComponent(which)}`;
    const drain = await client.ask<DrainView>('DELETE', path);
    print(options.json, drain, () => `Successfully removed drain ${drain.url}`);
  });
}
