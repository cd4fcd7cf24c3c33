import type { Command } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';
import { addDynoOptions, type DynoChoice } from './dyno-choice.ts';

interface RestartOptions extends DynoChoice {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace restart [web.1|web]` */
export function restartCommand(program: Command): void {
  const command = addClientOptions(
    program
      .command('ps:restart [dyno]')
      .aliases(['restart', 'dyno:restart'])
      .description('restart a dyno (web.1), all of a type (web), or all'),
  );
  addDynoOptions(command).action(async (typed: string | undefined, options: RestartOptions) => {
    const dyno = typed ?? options.dynoName ?? options.processType;
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
