import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, noWrapOption, resolveEndpoint } from '../api-client.ts';
import { formatElapsed, printResult } from '../format.ts';

interface DynoView {
  readonly name: string;
  readonly type: string;
  readonly command: string;
  readonly state: string;
  readonly updated_at: string;
}

/** `tailrace ps`: the dynos of an app. */
export function psCommand(program: Command): void {
  addClientOptions(
    program.command('ps [types...]').description("show an app's dynos, or those of some process types"),
  )
    .addOption(noWrapOption())
    .action(async (types: string[], options: { app?: string; json?: boolean }) => {
      const { app, client, path } = await resolveEndpoint(options, '/dynos');
      const all = await client.request<DynoView[]>('GET', path);
      const missing = types.filter((wanted) => !all.some(({ type }) => type === wanted));
      if (missing.length > 0)
        throw new TailraceError('not_found', `${app} has no ${missing.join(' and no ')} dynos.`);
      const dynos = types.length === 0 ? all : all.filter(({ type }) => types.includes(type));
      printResult(options.json, dynos, () =>
        dynos.length === 0 ? `No dynos on ${app}` : formatDynos(dynos),
      );
    });
}

function formatDynos(dynos: readonly DynoView[]): string {
  const types = [...new Set(dynos.map(({ type }) => type))];
  const blocks = types.map((type) => {
    const own = dynos.filter((dyno) => dyno.type === type);
    // One-off dynos have commands of their own.
    const areAlike = own.every(({ command }) => command === own[0].command);
    const lines = own.map(({ name, state, updated_at: updatedAt, command }) => {
      const line = `${name}: ${state} ${formatUpdatedAt(updatedAt)}`;
      return areAlike ? line : `${line}: ${command}`;
    });
    const title = areAlike ? own[0].command : 'several commands';
    return [`=== ${type}: ${title} (${own.length})`, '', ...lines].join('\n');
  });
  return blocks.join('\n\n');
}

/** `2026/11/21 10:00:00 +0000 (~ 3 min ago)` */
function formatUpdatedAt(iso: string): string {
  const day = iso.slice(0, 10).replaceAll('-', '/');
  return `${day} ${iso.slice(11, 19)} +0000 (~ ${formatElapsed(Date.now() - Date.parse(iso))} ago)`;
}
