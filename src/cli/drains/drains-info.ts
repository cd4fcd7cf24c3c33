import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { formatTable, printResult } from '../format.ts';
import { addDrainCommand, formatLag, resolveDrain } from './drains.ts';

/** `tailrace drains:info`: everything that is known of a drain. */
export function drainsInfoCommand(program: Command): void {
  addDrainCommand(
    program,
    'drains:info',
    'show what a drain is doing, how far it is behind and what it was told',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveDrain(which, options);
    const drain = await client.request<DrainView>('GET', path);
    printResult(options.json, drain, () => formatDrainDetails(drain));
  });
}

function formatDrainDetails({ url, token, id, addon, created_at, options, delivery }: DrainView): string {
  const { delivered, lost, withheld, lastAnswer, lastAnswerAt, lastAnswerMs } = delivery;
  const answered = lastAnswerAt
    ? `${lastAnswer || 'none in this protocol'} in ${lastAnswerMs} ms (${lastAnswerAt})`
    : '';
  const rows: [string, string | undefined][] = [
    ['Drain:', url],
    ['Token:', token],
    ['Id:', id],
    ['Add-on:', addon?.name],
    ['Added:', created_at],
    ['Options:', Object.keys(options).length > 0 ? JSON.stringify(options) : undefined],
    ['State:', delivery.state],
    [
      'Delivered:',
      `${formatCount(delivered, 'line')}, ${formatNumber(delivery.linesPerSecond)} a second lately`,
    ],
    ['Behind:', formatLag(delivery)],
    ['Lost:', lost > 0 ? formatCount(lost, 'line') : 'nothing'],
    ['Withheld:', withheld > 0 ? `${formatCount(withheld, 'line')}, by its filters` : undefined],
    ['Last answer:', answered || undefined],
    ['Last error:', delivery.lastError && `${delivery.lastError} (${delivery.lastErrorAt})`],
    ['Next attempt:', delivery.nextAttemptAt],
  ];
  return formatTable(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
