import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface ProcessView {
  readonly type: string;
  readonly quantity: number;
  readonly size: string;
  readonly command: string;
}

/** `tailrace ps:type`, `ps:type standard-2x`, `ps:type web=standard-2x worker=basic` */
export function psTypeCommand(program: Command): void {
  addClientOptions(
    program
      .command('ps:type [sizes...]')
      .alias('ps:resize')
      .alias('dyno:type')
      .alias('dyno:resize')
      .alias('resize')
      .description(
        'show the size of each process type, or change it: standard-2x for all, or web=standard-2x worker=basic',
      ),
  ).action(async (sizes: string[], options: { app?: string; json?: boolean }) => {
    const { app, client, path } = await resolveEndpoint(options, '/formation');
    const before = await client.request<ProcessView[]>('GET', path);
    if (before.length === 0 && sizes.length > 0)
      throw new TailraceError('not_found', `${app} has no process types yet: deploy it first.`);
    const updates = parseSizes(
      sizes,
      before.map(({ type }) => type),
    );
    if (updates.length > 0) await client.request('PATCH', path, { updates });
    const after = updates.length > 0 ? await client.request<ProcessView[]>('GET', path) : before;
    printResult(options.json, after, () =>
      after.length === 0
        ? `${app} has no process types yet: deploy it first.`
        : formatTable([
            ['TYPE', 'SIZE', 'QTY', 'COMMAND'],
            ...after.map(({ type, size, quantity, command }) => [type, size, String(quantity), command]),
          ]),
    );
  });
}

/** @throws TailraceError `invalid_params` for sizes of all and of one type together, or something else */
function parseSizes(given: readonly string[], types: readonly string[]): { type: string; size: string }[] {
  const [first = ''] = given;
  if (given.length === 1 && !first.includes('=')) return types.map((type) => ({ type, size: first }));
  return given.map((text) => {
    const [, type, size] = /^([\w-]+)=([\w-]+)$/.exec(text) ?? [];
    if (type === undefined)
      throw new TailraceError(
        'invalid_params',
        `"${text}" gives nothing a size: write one for all, such as standard-2x, or web=standard-2x worker=basic.`,
      );
    return { type, size };
  });
}
