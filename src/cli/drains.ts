import type { Command } from 'commander';
import { redactUrl } from '../delivery/drain.ts';
import type { DrainState } from '../delivery/worker.ts';
import { Client, chooseApp, clientOptions } from './client.ts';
import { number, print, time } from './table.ts';

/** A drain as the API shows it. */
export interface DrainView {
  readonly id: string;
  readonly token: string;
  readonly url: string;
  readonly delivery: DrainState;
}

/** `tailrace drains`: where an app's lines go, and how that goes. */
export function drainsCommand(program: Command): void {
  clientOptions(program.command('drains').description("list an app's drains and what they are doing")).action(
    async (options: { app?: string; json?: boolean }) => {
      const client = new Client();
      const app = await chooseApp(client, options.app);
      const drains = await client.ask<DrainView[]>('GET', `/apps/${encodeURIComponent(app)}/log-drains`);
      print(options.json, drains, () =>
        drains.length === 0
          ? `${app} has no drains. Add one with: tailrace drains:add URL`
          : drains.map(describe).join('\n'),
      );
    },
  );
}

function describe({ url, token, delivery }: DrainView): string {
  const lines = [`${redactUrl(url)} (${token})`];
  const lag =
    delivery.lagLines > 0
      ? `, ${number(delivery.lagLines)} lines (${time(delivery.lagMs)}) behind`
      : ', up to date';
  const lost = delivery.lost > 0 ? `, ${number(delivery.lost)} lost` : '';
  lines.push(`  ${delivery.state}: ${number(delivery.delivered)} lines delivered${lag}${lost}`);
  if (delivery.lastError) lines.push(`  last error: ${delivery.lastError} (${delivery.lastErrorAt})`);
  if (delivery.nextAttemptAt) lines.push(`  next attempt: ${delivery.nextAttemptAt}`);
  return lines.join('\n');
}
