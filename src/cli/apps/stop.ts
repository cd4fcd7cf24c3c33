import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print } from '../table.ts';

/** `tailrace ps:stop web.1` */
export function stopCommand(program: Command): void {
  clientOptions(
    program
      .command('ps:stop <dyno>')
      .alias('stop')
      .alias('ps:kill')
      .description('stop a dyno (web.1, run.1234), or all of a type (web), until it is restarted'),
  ).action(async (dyno: string, options: { app?: string; json?: boolean }) => {
    const client = new Client();
    const app = await chooseApp(client, options.app);
    const path = `/apps/${encodeURIComponent(app)}/dynos/${encodeURIComponent(dyno)}/actions/stop`;
    const answer = await client.ask<unknown>('POST', path, {});
    print(options.json, answer, () => `Stopping ${dyno} on ${app}... done`);
  });
}
