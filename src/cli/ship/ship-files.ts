import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { isFileCheckpoint } from '../../apps/forwarder/files/file-checkpoint.ts';
import { FileFollower } from '../../apps/forwarder/files/file-follower.ts';
import type { Shipper } from '../../apps/forwarder/shipper.ts';
import { APP_PRIORITY } from '../../apps/processes/output/line-sink.ts';
import { TailraceError } from '../../common/errors.ts';
import {
  createShipper,
  createSpooledQueue,
  flushShippers,
  openSpool,
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
  for (const file of files) rejectUnfollowable(file);
  const base = resolve(options.spool ?? defaultSpoolFolder());
  const followed = [...new Set(files.map((file) => resolve(file)))].map((path) =>
    followFile(path, join(base, spoolFolderName(path, to)), options, to),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      for (const { file } of followed) file.stop();
    });
  await Promise.all(followed.map(({ file, saveCheckpoint }) => file.follow(saveCheckpoint)));
  await flushShippers(
    followed.map(({ shipper }) => shipper),
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
  if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TailraceError(
    'invalid_params',
    `${file} is a folder: name files in it, such as ${join(file, '*.log')}.`,
  );
}

function followFile(
  path: string,
  folder: string,
  options: ShipOptions,
  to: ShipDestination,
): { file: FileFollower; shipper: Shipper; saveCheckpoint: () => void } {
  const { source, tee, fromStart = false } = options;
  const dyno = toDynoName(options.dyno ?? basename(path));
  const spool = openSpool(folder);
  const checkpoint = spool.checkpoint();
  const queue = createSpooledQueue(spool, options, () => file.checkpoint);
  const file = new FileFollower(path, {
    checkpoint: isFileCheckpoint(checkpoint) ? checkpoint : undefined,
    fromStart,
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
  return { file, shipper, saveCheckpoint: () => queue.saveCheckpoint() };
}

function defaultSpoolFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'tailrace', 'ship');
}

/** By token and path: another source has its own spool; a new URL of the server doesn't change it. */
function spoolFolderName(path: string, { token }: ShipDestination): string {
  const digest = createHash('sha256').update(`${token}\n${path}`).digest('hex').slice(0, 16);
  return `${toDynoName(basename(path)).replace(/[^\w.-]/g, '_')}-${digest}`;
}
