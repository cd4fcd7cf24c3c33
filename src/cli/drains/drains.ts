import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatBytes, formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { type ApiClient, addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatElapsed, printResult } from '../format.ts';

/** `tailrace drains`: where an app's lines go, and how that goes. */
export function drainsCommand(program: Command): void {
  addClientOptions(
    program.command('drains').description("list an app's drains and what they are doing"),
  ).action(async (options: { app?: string; json?: boolean }) => {
    const { app, client, path } = await resolveEndpoint(options, '/log-drains');
    const drains = await client.request<DrainView[]>('GET', path);
    printResult(options.json, drains, () =>
      drains.length === 0
        ? `${app} has no drains. Add one with: tailrace drains:add URL`
        : drains.map(formatDrain).join('\n'),
    );
  });
}

function formatDrain({ url, token, addon, delivery }: DrainView): string {
  const lines = [`${url} (${token})${addon ? ` of the add-on ${addon.name}` : ''}`];
  const lost = delivery.lost > 0 ? `, ${formatNumber(delivery.lost)} lost` : '';
  lines.push(
    `  ${delivery.state}: ${formatCount(delivery.delivered, 'line')} delivered, ${formatLag(delivery)}${lost}`,
  );
  if (delivery.lastError) lines.push(`  last error: ${delivery.lastError} (${delivery.lastErrorAt})`);
  if (delivery.nextAttemptAt) lines.push(`  next attempt: ${delivery.nextAttemptAt}`);
  return lines.join('\n');
}

/** `1,234 lines (about 120 KB, 12 s) behind` */
export function formatLag({ lagLines, lagBytes, lagMs }: DrainView['delivery']): string {
  if (lagLines === 0) return 'up to date';
  return `${formatCount(lagLines, 'line')} (about ${formatBytes(lagBytes)}, ${formatElapsed(lagMs)}) behind`;
}

/** The client, and the API's path of the drain that a command is about. */
export interface DrainEndpoint {
  readonly client: ApiClient;
  readonly path: string;
}

/**
 * Finds the drain named by its URL, token or id; without a name, the only one there is.
 * @throws TailraceError `not_found`
 */
export async function resolveDrain(
  which: string | undefined,
  options: { app?: string },
): Promise<DrainEndpoint> {
  const { app, client, path } = await resolveEndpoint(options, '/log-drains');
  if (which) return { client, path: `${path}/${encodeURIComponent(which)}` };
  const all = await client.request<DrainView[]>('GET', path);
  if (all.length === 1) return { client, path: `${path}/${all[0].id}` };
  throw new TailraceError(
    'not_found',
    all.length === 0
      ? `${app} has no drains. Add one with: tailrace drains:add URL`
      : `Which drain? Name it by its URL, token or id: ${all.map(({ token }) => token).join(', ')}.`,
  );
}

/** A command about one drain. */
export function addDrainCommand(program: Command, name: string, description: string): Command {
  return addClientOptions(program.command(`${name} [drain]`).description(description));
}
