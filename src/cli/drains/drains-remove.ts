import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

/** `tailrace drains:remove URL|TOKEN|ID` */
export function drainsRemoveCommand(program: Command): void {
  addClientOptions(
    program
      .command('drains:remove <drain>')
      .description('stop sending lines to a drain, named by its URL, token or id'),
  ).action(async (which: string, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveEndpoint(options, `/log-drains/${encodeURIComponent(which)}`);
    const drain = await client.request<DrainView>('DELETE', path);
    printResult(options.json, drain, () => `Successfully removed drain ${drain.url}`);
  });
}
