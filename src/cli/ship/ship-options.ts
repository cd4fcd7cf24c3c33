/** The options of `tailrace ship`, and the shipper that is made from them. */

import { DiskQueue } from '../../apps/forwarder/files/disk-queue.ts';
import { Spool, SpoolInUseError } from '../../apps/forwarder/files/spool.ts';
import type { LineQueue } from '../../apps/forwarder/line-queue.ts';
import { Shipper } from '../../apps/forwarder/shipper.ts';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { explainDuration, parseDuration } from '../../common/time-expression.ts';
import { printText } from '../format.ts';

export interface ShipOptions {
  readonly app?: string;
  readonly source: string;
  readonly dyno?: string;
  readonly token?: string;
  readonly follow?: boolean;
  readonly fromStart?: boolean;
  readonly tee?: boolean;
  readonly block?: boolean;
  readonly batch: string;
  readonly wait: string;
  readonly buffer?: string;
  readonly spool?: string;
  readonly maxFiles: string;
}

/** Where lines go, and the credentials. */
export interface ShipDestination {
  readonly url: string;
  readonly key: string;
  /** The source's token. */
  readonly token: string;
}

/** How long to try to deliver what is left at the end: from memory, and from a spool. */
const FLUSH_TIMEOUT_MS = 30_000;
const FLUSH_TIMEOUT_SPOOLED_MS = 2_000;
const MEMORY_BUFFER_MB = 8;
const DISK_BUFFER_MB = 1_024;
const LINGER_MS_MAX = 60_000;
const MB = 1_048_576;
/** Of one request: 500 lines of the longest kind would be 5 MB. */
const SHIP_BATCH_BYTES_MAX = 256 * 1_024;

/** A whole number from 1 on. @throws TailraceError that names the option */
export function parseNumberOption(option: string, text: string, max: number, what: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new TailraceError(
    'invalid_params',
    `${option} ${text} must be a number of ${what} from 1 to ${max}.`,
  );
}

/** The limit of buffered lines, in bytes. */
function bufferByteCount({ buffer, spool, follow }: ShipOptions): number {
  const onDisk = spool !== undefined || follow === true;
  const text = buffer ?? String(onDisk && !follow ? DISK_BUFFER_MB : MEMORY_BUFFER_MB);
  return parseNumberOption('--buffer', text, onDisk ? 1_048_576 : 1_024, 'MB') * MB;
}

/** The spool in a folder. @throws TailraceError when it can't be used */
export function openSpool(folder: string): Spool {
  try {
    return new Spool(folder);
  } catch (error) {
    if (error instanceof SpoolInUseError)
      throw new TailraceError(
        'data_folder',
        `Another \`tailrace ship\` (process ${error.pid}) uses ${folder}: stop it, or give each its own --spool.`,
      );
    throw new TailraceError(
      'data_folder',
      `Lines can't be kept in ${folder} (${reasonOf(error)}): give --spool a folder that can be written.`,
      { cause: error },
    );
  }
}

/** A queue in that folder. */
export function createSpooledQueue(
  spool: Spool,
  options: ShipOptions,
  checkpoint?: () => unknown,
): DiskQueue {
  return new DiskQueue(spool, {
    lineCountMax: batchLineCount(options),
    byteCountMax: SHIP_BATCH_BYTES_MAX,
    diskBytesMax: bufferByteCount(options),
    checkpoint,
    onWarning: printNotice,
  });
}

function batchLineCount({ batch }: ShipOptions): number {
  return parseNumberOption('--batch', batch, 10_000, 'lines');
}

/** How long a line waits for others, in milliseconds. */
function readLingerMs({ wait }: ShipOptions): number {
  const ms = parseDuration(wait);
  if (ms === undefined) throw new TailraceError('invalid_params', `--wait: ${explainDuration(wait)}`);
  if (ms > LINGER_MS_MAX)
    throw new TailraceError('invalid_params', `--wait ${wait} must be 60s at the most.`);
  return ms;
}

/** @param onBackpressure see `ShipperOptions` */
export function createShipper(
  { key, token, url }: ShipDestination,
  options: ShipOptions,
  queue: LineQueue | undefined,
  onBackpressure: (full: boolean) => void,
): Shipper {
  return new Shipper({
    url,
    key,
    // Reports of losses (L12, L13) are lines of this source too: it is all that the token may write.
    tokens: { app: token, [options.source]: token },
    batchLineCountMax: batchLineCount(options),
    batchBytesMax: SHIP_BATCH_BYTES_MAX,
    lingerMs: readLingerMs(options),
    bufferBytesMax: queue ? undefined : bufferByteCount(options),
    queue,
    // Spooled lines aren't dropped because of a revoked token or a wrong URL: that can be fixed.
    retriesFixable: queue?.isPersistent,
    onBackpressure,
    onWarning: printNotice,
  });
}

/** Sends what is buffered, for a limited time, and reports what is left. */
export async function flushShippers(shippers: readonly Shipper[], where?: string): Promise<void> {
  let [dropped, lost, kept] = [0, 0, 0];
  const stats = shippers.map((shipper) =>
    shipper.close(where === undefined ? FLUSH_TIMEOUT_MS : FLUSH_TIMEOUT_SPOOLED_MS),
  );
  for (const stat of await Promise.all(stats)) {
    dropped += stat.dropped;
    lost += stat.lost;
    kept += stat.bufferedBytes;
  }
  if (dropped + lost > 0) printNotice(`${dropped} lines were dropped (L12), ${lost} lost (L13).`);
  if (where !== undefined && kept > 0)
    printNotice(
      `Lines that could not be delivered wait in ${where}: the next \`tailrace ship\` with it sends them.`,
    );
}

/** A name that is valid between the brackets. */
export function toDynoName(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, 128) || 'ship';
}

let lastNotice = '';

/** Prints a notice on stderr; the same one (of another file) only once. */
export function printNotice(message: string): void {
  if (message === lastNotice) return;
  lastNotice = message;
  printText(` ›   ${message}`, process.stderr);
}
