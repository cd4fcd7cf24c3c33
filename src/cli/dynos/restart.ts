import type { Command } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

/** `tailrace restart [web.1|web]` */
export function restartCommand(program: Command): void {
  addClientOptions(
    program
      .command('ps:restart [dyno]')
      .alias('restart')
      .description('restart a dyno (web.1), all of a type (web), or all'),
  ).action(async (dyno: string | undefined, options: { app?: string; json?: boolean }) => {
    const which = dyno !== undefined ? `/${encodeURIComponent(dyno)}` : '';
    const { app, client, path } = await resolveEndpoint(options, `/dynos${which}`);
    const answer = await client.request<unknown>('DELETE', path);
    printResult(
      options.json,
      answer,
      () => `Restarting ${dyno ? `${dyno} on ` : 'all dynos on '}${app}... done`,
    );
  });
}
