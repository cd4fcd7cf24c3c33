import type { Command } from 'commander';
import { DEFAULT_DYNO_SIZE } from '../../apps/records/dyno-sizes.ts';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

interface ProcessView {
  readonly type: string;
  readonly quantity: number;
  readonly size: string;
}

/** `tailrace scale web=2 worker+1` */
export function scaleCommand(program: Command): void {
  addClientOptions(
    program
      .command('ps:scale [changes...]')
      .aliases(['scale', 'dyno:scale'])
      .description(
        'say how many dynos of each process type to run: web=2, worker+1, web=1:standard-2x; without changes, show that',
      ),
  ).action(async (changes: string[], options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveEndpoint(options, '/formation');
    const updates = changes.map((change) => {
      const [, type, quantity, size] =
        /^([\w-]+?)(?:=(?=\d)|(?=[+-]\d))([+-]?\d+)(?::([\w-]+))?$/.exec(change) ?? [];
      if (type === undefined && /[=+:]|-\d/.test(change))
        throw new TailraceError(
          'invalid_params',
          `"${change}" scales nothing: write it like web=2, web+1, web-1 or web=2:standard-2x.`,
        );
      return { type: type ?? change, quantity: quantity ?? '', ...(size ? { size } : {}) };
    });
    const formation = await (updates.length > 0
      ? client.request<ProcessView[]>('PATCH', path, { updates })
      : client.request<ProcessView[]>('GET', path));
    const shown = formation
      .map(({ type, quantity, size }) => `${type}=${quantity}${size === DEFAULT_DYNO_SIZE ? '' : `:${size}`}`)
      .join(' ');
    printResult(options.json, formation, () =>
      updates.length > 0 ? `Scaling dynos... done, now running ${shown}` : shown,
    );
  });
}
