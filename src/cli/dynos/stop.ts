import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';
import { addDynoOptions, type DynoChoice } from './dyno-choice.ts';

interface StopOptions extends DynoChoice {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace ps:stop web.1` */
export function stopCommand(program: Command): void {
  const command = addClientOptions(
    program
      .command('ps:stop [dyno]')
      .aliases(['stop', 'ps:kill', 'kill', 'dyno:stop', 'dyno:kill'])
      .description('stop a dyno (web.1, run.1234), or all of a type (web), until it is restarted'),
  );
  addDynoOptions(command).action(async (typed: string | undefined, options: StopOptions) => {
    const dyno = typed ?? options.dynoName ?? options.processType;
    if (dyno === undefined)
      throw new TailraceError(
        'invalid_params',
        'Which dyno? Name it, such as web.1, or a process type, such as web.',
      );
    const { app, client, path } = await resolveEndpoint(options, `/dynos/${encodeURIComponent(dyno)}`);
    const answer = await client.request<unknown>('POST', `${path}/actions/stop`, {});
    printResult(options.json, answer, () => `Stopping ${dyno} on ${app}... done`);
  });
}
