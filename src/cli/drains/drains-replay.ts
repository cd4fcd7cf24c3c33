import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatNumber, printResult } from '../format.ts';
import { addDrainCommand, resolveDrain } from './drains.ts';

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `tailrace drains:replay --since 1h` */
export function drainsReplayCommand(program: Command): void {
  addDrainCommand(
    program,
    'drains:replay',
    'send a drain once more what came since a time, as far as the stream reaches',
  )
    .requiredOption('--since <time>', 'how long ago (30m, 12h, 2d), or a time such as 2026-01-31T12:00:00Z')
    .action(async (which: string | undefined, options: { app?: string; json?: boolean; since: string }) => {
      const since = new Date(parseSince(options.since, Date.now())).toISOString();
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
        () => `Replaying ${formatNumber(answer.lines)} lines since ${since} to ${answer.drain.url}`,
      );
    });
}

/**
 * A time as people write it, milliseconds since 1970.
 * @throws TailraceError `invalid_params`
 */
export function parseSince(text: string, nowMs: number): number {
  const ago = /^(\d{1,9})(s|m|h|d)$/.exec(text);
  if (ago) return nowMs - Number(ago[1]) * UNIT_MS[ago[2]];
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new TailraceError(
    'invalid_params',
    `"${text}" is no time: write how long ago (30m, 12h, 2d), or a time such as 2026-01-31T12:00:00Z.`,
  );
}
