import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print } from '../table.ts';

/** `tailrace restart [web.1|web]` */
export function restartCommand(program: Command): void {
  clientOptions(
    program
      .command('ps:restart [dyno]')
      .alias('restart')
      .description('restart a dyno (web.1), all of a type (web), or all'),
  ).action(async (dyno: string | undefined, options: { app?: string; json?: boolean }) => {
    const client = new Client();
    const app = await chooseApp(client, options.app);
    const path = `/apps/${encodeURIComponent(app)}/dynos${dyno ? `/${encodeURIComponent(dyno)}` : ''}`;
    const answer = await client.ask<unknown>('DELETE', path);
    print(options.json, answer, () => `Restarting ${dyno ? `${dyno} on ` : 'all dynos on '}${app}... done`);
  });
}
