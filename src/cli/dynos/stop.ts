import type { Command } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
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
    const { app, client, path } = await resolveEndpoint(options, `/dynos/${encodeURIComponent(dyno)}`);
    const answer = await client.request<unknown>('POST', `${path}/actions/stop`, {});
    printResult(options.json, answer, () => `Stopping ${dyno} on ${app}... done`);
  });
}
