/** `viewer delete`: lines of a running viewer that must not be kept, such as those of a person who asks for that. */
import type { Command } from 'commander';
import { TailraceError } from '../../../src/common/errors.ts';
import { zonedTime } from '../../../src/common/time-expression.ts';
import { type ApiGroup, type ClientOptions, collect, findByName, ViewerClient } from './viewer-client.ts';

interface DeleteOptions extends ClientOptions {
  readonly group: string;
  readonly stream: readonly string[];
  readonly query?: string;
  readonly from?: string;
  readonly to?: string;
  readonly confirm?: string;
  readonly dryRun?: boolean;
}

export function addDeleteCommand(program: Command): void {
  program
    .command('delete')
    .description('delete lines for good, by time and search')
    .option('--url <url>', 'the viewer (VIEWER_URL; http://127.0.0.1:8620)')
    .option('--key <key>', "an API key; better in VIEWER_KEY, which others on this machine can't see")
    .requiredOption('-g, --group <name>', 'of this group, by name or id')
    .option('-s, --stream <name>', 'only this stream; may be repeated', collect, [])
    .option('-q, --query <query>', 'only lines that match')
    .option('--from <time>', 'only lines from this time on')
    .option('--to <time>', 'only lines before this time')
    .option('-c, --confirm <group>', 'the name of the group')
    .option('--dry-run', 'only count them')
    .action(deleteLines);
}

async function deleteLines({
  dryRun,
  confirm,
  query: q,
  from,
  to,
  ...options
}: DeleteOptions): Promise<void> {
  const client = new ViewerClient(options);
  const group = findByName(await client.get<readonly ApiGroup[]>('api/groups'), options.group, 'group');
  const streams = options.stream.map((name) => findByName(group.streams, name, 'stream').id);
  if (!dryRun && confirm !== group.name)
    throw new TailraceError(
      'confirmation_required',
      `These lines would be deleted for good: repeat it with --confirm ${group.name}, or count them with --dry-run.`,
    );
  const nowMs = Date.now();
  const { lines } = await client.send<{ lines: number }>('POST', 'api/deletions', {
    group: group.id,
    ...(streams.length > 0 && { streams }),
    q,
    from: from && (zonedTime(from, nowMs) ?? from),
    to: to && (zonedTime(to, nowMs) ?? to),
    confirm,
    dry_run: dryRun === true,
  });
  process.stdout.write(
    `${dryRun ? 'Would delete' : 'Deleted'} ${lines} ${lines === 1 ? 'line' : 'lines'}.\n`,
  );
}
