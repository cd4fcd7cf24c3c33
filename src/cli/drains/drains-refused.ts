import { type Command, Option } from 'commander';
import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { printResult } from '../format.ts';
import { addDrainCommand, resolveDrain } from './drains.ts';

interface RefusedView {
  readonly count: number;
  readonly refused_at: string;
  readonly reason: string;
  readonly lines: readonly string[];
}

/** Lines of a batch that are shown unless `--lines` asks for all. */
const LINES_SHOWN = 3;

interface Options {
  app?: string;
  json?: boolean;
  resend?: boolean;
  drop?: boolean;
  lines?: boolean;
}

/** `tailrace drains:refused [--resend | --drop]` */
export function drainsRefusedCommand(program: Command): void {
  addDrainCommand(program, 'drains:refused', 'show what a drain refused for good; it is kept aside')
    .option('--lines', 'show every line')
    .option('--resend', 'send it once more, oldest first')
    .addOption(new Option('--drop', 'forget it').conflicts('resend'))
    .action(async (which: string | undefined, options: Options) => {
      const { client, path } = await resolveDrain(which, options);
      if (options.resend) {
        const answer = await client.request<{ lines: number; left: number; error?: string }>(
          'POST',
          `${path}/refused/actions/resend`,
          {},
        );
        printResult(options.json, answer, () =>
          answer.error
            ? `${formatNumber(answer.lines)} lines were accepted, then: ${answer.error}. ${answer.left} batches are still kept aside.`
            : `${formatNumber(answer.lines)} lines were accepted; nothing is left.`,
        );
        if (answer.error) process.exitCode = 1;
      } else if (options.drop) {
        const answer = await client.request<{ batches: number }>('DELETE', `${path}/refused`);
        printResult(options.json, answer, () => `Forgot ${answer.batches} batches.`);
      } else {
        const batches = await client.request<RefusedView[]>('GET', `${path}/refused`);
        printResult(options.json, batches, () => formatRefusedBatches(batches, options.lines));
      }
    });
}

function formatRefusedBatches(batches: readonly RefusedView[], all: boolean | undefined): string {
  if (batches.length === 0) return 'Nothing was refused.';
  return batches
    .flatMap(({ count, refused_at, reason, lines }) => {
      const shown = all ? lines : lines.slice(0, LINES_SHOWN);
      const more =
        lines.length > shown.length ? [`  … ${lines.length - shown.length} more (--lines shows all)`] : [];
      // Control characters of a line must not reach the terminal.
      const safe = shown.map((line) => `  ${line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '?')}`);
      return [`${formatCount(count, 'line')} at ${refused_at}: ${reason}`, ...safe, ...more];
    })
    .join('\n');
}
