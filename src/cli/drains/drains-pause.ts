import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { printResult } from '../format.ts';
import { addDrainCommand, formatLag, resolveDrain } from './drains.ts';

/** `tailrace drains:pause`, `drains:resume` */
export function drainsPauseCommands(program: Command): void {
  addDrainCommand(
    program,
    'drains:pause',
    'send nothing to a drain for now: its lines wait in the stream',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveDrain(which, options);
    const drain = await client.request<DrainView>('POST', `${path}/actions/pause`, {});
    printResult(
      options.json,
      drain,
      () => `Paused drain ${drain.url}; go on with: tailrace drains:resume ${drain.token}`,
    );
  });
  addDrainCommand(
    program,
    'drains:resume',
    'go on with a paused drain, from the first line that it missed',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveDrain(which, options);
    const drain = await client.request<DrainView>('POST', `${path}/actions/resume`, {});
    printResult(options.json, drain, () => `Resumed drain ${drain.url}, ${formatLag(drain.delivery)}`);
  });
}
