import type { Command } from 'commander';
import { ApiClient, addClientOptions, resolveApp } from '../api-client.ts';
import { printResult } from '../format.ts';

/** `tailrace ps:stop web.1` */
export function stopCommand(program: Command): void {
  addClientOptions(
    program
      .command('ps:stop <dyno>')
      .alias('stop')
      .alias('ps:kill')
      .description('stop a dyno (web.1, run.1234), or all of a type (web), until it is restarted'),
  ).action(async (dyno: string, options: { app?: string; json?: boolean }) => {
    const client = new ApiClient();
    const app = await resolveApp(client, options.app);
    const path = `/apps/${encodeURIComponent(app)}/dynos/${encodeURIComponent(dyno)}/actions/stop`;
    const answer = await client.request<unknown>('POST', path, {});
    printResult(options.json, answer, () => `Stopping ${dyno} on ${app}... done`);
  });
}
