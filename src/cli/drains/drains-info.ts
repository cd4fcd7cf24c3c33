import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { number, print, table } from '../table.ts';
import { chooseDrain, drainCommand, lag } from './drains.ts';

/** `tailrace drains:info`: everything that is known of a drain. */
export function drainsInfoCommand(program: Command): void {
  drainCommand(
    program,
    'drains:info',
    'show what a drain is doing, how far it is behind and what it was told',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await chooseDrain(which, options);
    const drain = await client.ask<DrainView>('GET', path);
    print(options.json, drain, () => describe(drain));
  });
}

function describe({ url, token, id, addon, created_at, options, delivery }: DrainView): string {
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
    ['Delivered:', `${number(delivered)} lines, ${number(delivery.linesPerSecond)} a second lately`],
    ['Behind:', lag(delivery)],
    ['Lost:', lost > 0 ? `${number(lost)} lines` : 'nothing'],
    ['Withheld:', withheld > 0 ? `${number(withheld)} lines, by its filters` : undefined],
    ['Last answer:', answered || undefined],
    ['Last error:', delivery.lastError && `${delivery.lastError} (${delivery.lastErrorAt})`],
    ['Next attempt:', delivery.nextAttemptAt],
  ];
  return table(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
