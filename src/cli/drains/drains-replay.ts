import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { formatCount } from '../../common/text/format-numbers.ts';
import { TIME_FORMS } from '../../common/time-expression.ts';
import { printResult } from '../format.ts';
import { parseInstantOption } from '../time-options.ts';
import { addDrainCommand, resolveDrain } from './drains.ts';

/** `tailrace drains:replay --since 1h` */
export function drainsReplayCommand(program: Command): void {
  addDrainCommand(
    program,
    'drains:replay',
    'send a drain once more what came since a time, as far as the stream reaches',
  )
    .requiredOption('--since <time>', TIME_FORMS, parseInstantOption)
    .action(async (which: string | undefined, options: { app?: string; json?: boolean; since: string }) => {
      const { since } = options;
      const { client, path } = await resolveDrain(which, options);
      const answer = await client.request<{ lines: number; drain: DrainView }>(
        'POST',
        `${path}/actions/replay`,
        {
          since,
        },
      );
      printResult(
        options.json,
        answer,
        () => `Replaying ${formatCount(answer.lines, 'line')} since ${since} to ${answer.drain.url}`,
      );
    });
}
