import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { isFileCheckpoint } from '../../apps/forwarder/files/file-checkpoint.ts';
import { FileFollower } from '../../apps/forwarder/files/file-follower.ts';
import { APP_PRIORITY } from '../../apps/processes/output/line-sink.ts';
import { TailraceError } from '../../common/errors.ts';
import { isPattern } from './file-pattern.ts';
import { type FollowedFile, PatternFollower } from './pattern-follower.ts';
import {
  createShipper,
  createSpooledQueue,
  flushShippers,
  openSpool,
  parseNumberOption,
  printNotice,
  type ShipDestination,
  type ShipOptions,
  toDynoName,
} from './ship-options.ts';

/**
 * Ships what is written to files, until a signal comes. Each file has a spool of its own: a batch is stored together with
 * the offset in the file at its end, before it is sent; so whenever this process ends, the next one sends unacknowledged batches
 * under the same id, and resumes reading after them.
 */
export async function shipFiles(
  files: readonly string[],
  options: ShipOptions,
  to: ShipDestination,
): Promise<number> {
  const filesMax = parseNumberOption('--max-files', options.maxFiles, 10_000, 'files');
  const patterns = files.filter(isPattern).map((pattern) => resolve(pattern));
  const named = files.filter((file) => !isPattern(file));
  for (const file of named) rejectUnfollowable(file);
  const base = resolve(options.spool ?? defaultSpoolFolder());
  const stop = new AbortController();
  const follow = (path: string, fromStart: boolean): FollowedFile =>
    followFile(path, join(base, spoolFolderName(path, to)), { ...options, fromStart }, to);
  const followed = [...new Set(named.map((file) => resolve(file)))].map((path) =>
    follow(path, options.fromStart ?? false),
  );
  const watchers = [...new Set(patterns)].map(
    (pattern) =>
      new PatternFollower({
        pattern,
        marker: join(base, `pattern-${digestOf(pattern, to)}.json`),
        fromStart: options.fromStart ?? false,
        filesMax,
        follow,
        stop: stop.signal,
      }),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stop.abort();
      for (const { file } of followed) file.stop();
    });
  const matched = await Promise.all(watchers.map((watcher) => watcher.follow()));
  await Promise.all(followed.map(({ ended }) => ended));
  await flushShippers(
    [...followed, ...matched.flat()].map(({ shipper }) => shipper),
    base,
  );
  return 0;
}

/** @throws TailraceError `invalid_params` */
function rejectUnfollowable(file: string): void {
  if (file === '-')
    throw new TailraceError(
      'invalid_params',
      '--follow takes files: leave it out to ship what is piped in (… | tailrace ship -).',
    );
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isDirectory())
    throw new TailraceError(
      'invalid_params',
      `${file} is a folder: name files in it, such as ${join(file, '*.log')}.`,
    );
  if (stats && !stats.isFile() && !stats.isFIFO())
    throw new TailraceError('invalid_params', `${file} is a device or a socket: name a file or a FIFO.`);
}

function followFile(
  path: string,
  spoolFolder: string,
  options: ShipOptions,
  to: ShipDestination,
): FollowedFile {
  const { source, tee, fromStart = false } = options;
  const dyno = toDynoName(options.dyno ?? basename(path));
  const spool = openSpool(spoolFolder);
  const { value: checkpoint, isDamaged } = spool.checkpoint();
  if (isDamaged)
    printNotice(
      `How far ${path} was read can't be told any more, since ${spoolFolder} is damaged: it is read from its beginning, and lines may come twice.`,
    );
  const queue = createSpooledQueue(spool, options, () => file.checkpoint);
  const file = new FileFollower(path, {
    checkpoint: isFileCheckpoint(checkpoint) ? checkpoint : undefined,
    fromStart: fromStart || isDamaged,
    onLine: (line) => {
      shipper.writeLine(source, dyno, APP_PRIORITY, line);
      if (!tee) return;
      process.stdout.write(line);
      process.stdout.write('\n');
    },
    onNotice: printNotice,
  });
  // Backpressure instead of dropping: what isn't read stays in the file.
  const shipper = createShipper(to, options, queue, (full) => (full ? file.pause() : file.resume()));
  const ended = file.follow(() => queue.saveCheckpoint());
  return { path, file, shipper, queue, spoolFolder, ended };
}

function defaultSpoolFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'tailrace', 'ship');
}

/** By token and path: another source has its own spool; a new URL of the server doesn't change it. */
function spoolFolderName(path: string, to: ShipDestination): string {
  return `${toDynoName(basename(path)).replace(/[^\w.-]/g, '_')}-${digestOf(path, to)}`;
}

function digestOf(path: string, { token }: ShipDestination): string {
  return createHash('sha256').update(`${token}\n${path}`).digest('hex').slice(0, 16);
}
