import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { print } from '../table.ts';
import { chooseDrain, drainCommand, lag } from './drains.ts';

/** `tailrace drains:pause`, `drains:resume` */
export function drainsPauseCommands(program: Command): void {
  drainCommand(
    program,
    'drains:pause',
    'send nothing to a drain for now: its lines wait in the stream',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await chooseDrain(which, options);
    const drain = await client.ask<DrainView>('POST', `${path}/actions/pause`, {});
    print(
      options.json,
      drain,
      () => `Paused drain ${drain.url}; go on with: tailrace drains:resume ${drain.token}`,
    );
  });
  drainCommand(
    program,
    'drains:resume',
    'go on with a paused drain, from the first line that it missed',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await chooseDrain(which, options);
    const drain = await client.ask<DrainView>('POST', `${path}/actions/resume`, {});
    print(options.json, drain, () => `Resumed drain ${drain.url}, ${lag(drain.delivery)}`);
  });
}
