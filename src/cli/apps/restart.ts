import type { Command } from 'commander';
import { ApiClient, addClientOptions, resolveApp } from '../api-client.ts';
import { printResult } from '../format.ts';

/** `tailrace restart [web.1|web]` */
export function restartCommand(program: Command): void {
  addClientOptions(
    program
      .command('ps:restart [dyno]')
      .alias('restart')
      .description('restart a dyno (web.1), all of a type (web), or all'),
  ).action(async (dyno: string | undefined, options: { app?: string; json?: boolean }) => {
    const client = new ApiClient();
    const app = await resolveApp(client, options.app);
    const path = `/apps/${encodeURIComponent(app)}/dynos${dyno ? `/${encodeURIComponent(dyno)}` : ''}`;
    const answer = await client.request<unknown>('DELETE', path);
    printResult(
      options.json,
      answer,
      () => `Restarting ${dyno ? `${dyno} on ` : 'all dynos on '}${app}... done`,
    );
  });
}
