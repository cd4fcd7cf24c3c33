/** What `tailrace ship` is told, and the shipper that follows from it. */

import { Spool, SpoolInUseError } from '../../apps/forwarder/files/spool.ts';
import { SpooledQueue } from '../../apps/forwarder/files/spooled-queue.ts';
import type { LineQueue } from '../../apps/forwarder/line-queue.ts';
import { Shipper } from '../../apps/forwarder/shipper.ts';
import { reasonOf, TailraceError } from '../../common/errors.ts';

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
}

/** Where lines go, and with what right. */
export interface Destination {
  readonly url: string;
  readonly key: string;
  /** Of the source that speaks. */
  readonly token: string;
}

/** How long to go on trying to deliver what is left at the end: in memory, and when it is kept on disk. */
const CLOSE_MS = 30_000;
const CLOSE_KEPT_MS = 2_000;
const MEMORY_MB = 8;
const DISK_MB = 1_024;
const MB = 1_048_576;
/** Of one request: 500 lines of the longest kind would be 5 MB. */
const BATCH_BYTES = 256 * 1_024;

/** A whole number from 1 on. @throws TailraceError that names the option */
function numberOf(option: string, text: string, max: number, what: string, min = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new TailraceError(
    'invalid_params',
    `${option} ${text} must be a number of ${what} from ${min} to ${max}.`,
  );
}

/** How much may wait, in bytes. */
export function bufferBytes({ buffer, spool, follow }: ShipOptions): number {
  const onDisk = spool !== undefined || follow === true;
  const text = buffer ?? String(onDisk && !follow ? DISK_MB : MEMORY_MB);
  return numberOf('--buffer', text, onDisk ? 1_048_576 : 1_024, 'MB') * MB;
}

/** Lines that wait in a folder. @throws TailraceError when it can't be used */
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
export function spooledQueue(spool: Spool, options: ShipOptions, note?: () => unknown): SpooledQueue {
  return new SpooledQueue(spool, {
    lineCountMax: linesOf(options),
    byteCountMax: BATCH_BYTES,
    diskBytesMax: bufferBytes(options),
    note,
    onTrouble: notice,
  });
}

function linesOf({ batch }: ShipOptions): number {
  return numberOf('--batch', batch, 10_000, 'lines');
}

/** @param onPressure see `ShipperOptions` */
export function makeShipper(
  { key, token, url }: Destination,
  options: ShipOptions,
  queue: LineQueue | undefined,
  onPressure: (full: boolean) => void,
): Shipper {
  return new Shipper({
    url,
    key,
    // Reports of losses (L12, L13) are lines of this source too: it is all that the token may write.
    tokens: { app: token, [options.source]: token },
    batchLineCountMax: linesOf(options),
    batchBytesMax: BATCH_BYTES,
    gatherMs: numberOf('--wait', options.wait, 60_000, 'milliseconds', 0),
    bufferBytesMax: queue ? undefined : bufferBytes(options),
    queue,
    // What is kept isn't thrown away because a token was revoked or an address is wrong: somebody may mend it.
    patient: queue?.isKept,
    onPressure,
    onTrouble: notice,
  });
}

/** Sends what waits, for a while, and says what is left of it. */
export async function finish(shippers: readonly Shipper[], where?: string): Promise<void> {
  let [dropped, lost, kept] = [0, 0, 0];
  const stats = shippers.map((shipper) => shipper.close(where === undefined ? CLOSE_MS : CLOSE_KEPT_MS));
  for (const stat of await Promise.all(stats)) {
    dropped += stat.dropped;
    lost += stat.lost;
    kept += stat.bufferedBytes;
  }
  if (dropped + lost > 0) notice(`${dropped} lines were dropped (L12), ${lost} lost (L13).`);
  if (where !== undefined && kept > 0)
    notice(
      `Lines that could not be delivered wait in ${where}: the next \`tailrace ship\` with it sends them.`,
    );
}

/** A name that can stand between the brackets. */
export function dynoName(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, 128) || 'ship';
}

let said = '';

/** Tells people something, beside the lines; the same again (of another file, say) only once. */
export function notice(message: string): void {
  if (message === said) return;
  said = message;
  process.stderr.write(` ›   ${message}\n`);
}
