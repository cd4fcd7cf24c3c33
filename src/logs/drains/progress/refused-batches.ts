/** Batches that a destination refused for good, kept to be inspected and sent again (a dead letter queue). */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type {
  AppId,
  RecordChange,
  Sequence,
  Store,
  StoredBatch,
  StoredRecord,
} from '../../store/contract.ts';
import { HEADROOM, RecordCursor } from '../../syslog/batch.ts';
import { selectLines } from '../filter/transform.ts';
import type { DrainRecord } from '../options/drain-record.ts';
import { type Outlet, OutletError } from '../outlet.ts';
import { buildShipment, type Shipment } from '../shipment.ts';

/** Batches that are kept for one drain; the oldest is removed first. */
const REFUSED_BATCHES_MAX = 32;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** A refused batch's record, under `refused/<drain>/<first sequence>` in its app's scope. */
export interface RefusedRecord {
  readonly first: Sequence;
  readonly last: Sequence;
  readonly count: number;
  readonly refusedAt: string;
  /** The destination's error. */
  readonly reason: string;
  readonly storedAtMs: number;
  /** The lines as records of a batch, compressed, in base64. */
  readonly records: string;
}

/** Prefix of the keys of a drain's refused batches. */
export function refusedKeyPrefix(drainId: string): string {
  return `refused/${drainId}/`;
}

function refusedKey(drainId: string, first: Sequence): string {
  return refusedKeyPrefix(drainId) + String(first).padStart(16, '0');
}

/** Those of one drain. They are records in its app's scope, with their lines in them: at most {@link REFUSED_BATCHES_MAX}. */
export class RefusedBatches {
  private readonly store: Store;
  private readonly app: AppId;
  private readonly drainId: string;

  constructor(store: Store, drain: Pick<DrainRecord, 'id' | 'app'>) {
    this.store = store;
    this.app = drain.app;
    this.drainId = drain.id;
  }

  /** The changes that keep what was refused of a shipment; of more than {@link REFUSED_BATCHES_MAX} the oldest is removed. */
  async additionOf(
    shipped: Shipment,
    { message: reason, refusedLines }: OutletError,
  ): Promise<RecordChange[]> {
    const indexes = refusedLines?.indexes;
    const shipment = indexes ? selectLines(shipped, (index) => indexes.has(index)) : shipped;
    const { first, last, count, storedAtMs } = shipment;
    const records = await compressRecords(shipment);
    const refusedAt = new Date().toISOString();
    const value: RefusedRecord = { first, last, count, refusedAt, reason, storedAtMs, records };
    const kept = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    const surplus = kept.slice(0, Math.max(0, kept.length + 1 - REFUSED_BATCHES_MAX));
    return [
      ...surplus.map(({ key }) => ({ key, value: undefined })),
      { key: refusedKey(this.drainId, first), value },
    ];
  }

  /** What is kept, oldest first. */
  async list(): Promise<RefusedRecord[]> {
    const records = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    return records.map(({ value }) => value);
  }

  /** Removes what has lines that were deleted from the stream. */
  async removeWith(deleted: { has(sequence: Sequence): boolean }): Promise<void> {
    const records = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    const concerned = records.filter(({ value: { first, last } }) => {
      for (let sequence = first; sequence <= last; sequence++) if (deleted.has(sequence)) return true;
      return false;
    });
    await this.store.transact(
      this.app,
      concerned.map(({ key }) => ({ key, value: undefined })),
    );
  }

  /** Removes what is kept; returns the number of batches. */
  async clear(): Promise<number> {
    const records = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    await this.store.transact(
      this.app,
      records.map(({ key }) => ({ key, value: undefined })),
    );
    return records.length;
  }

  /**
   * Sends what is kept again, oldest first, each with its old frame id, until one fails. What is too large is sent in halves; a line
   * that is too large by itself stays, and the others go on.
   * @param redact what the drain's redaction makes of a shipment by now; left out: it has none
   */
  async resend(
    outlet: Outlet,
    redact: (shipment: Shipment) => Promise<Shipment> = async (shipment) => shipment,
  ): Promise<{ lines: number; batches: number; left: number; error?: string }> {
    const all = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    let lines = 0;
    let left = 0;
    let tooLarge: string | undefined;
    for (const [index, record] of all.entries()) {
      const { count } = record.value;
      const result = await resendShipment(outlet, await redact(await shipmentFromRefused(record.value)));
      lines += count - result.left.length;
      await this.replace(record, result.left);
      if (result.left.length > 0) {
        left++;
        tooLarge = result.error;
      }
      if (result.isStopped)
        return { lines, batches: index + 1 - left, left: left + all.length - index - 1, error: result.error };
    }
    return {
      lines,
      batches: all.length - left,
      left,
      ...(tooLarge === undefined ? {} : { error: tooLarge }),
    };
  }

  /** Keeps only some lines of a record, by their index in it, unless somebody else has changed or removed it; all of them: it stays as it is. */
  private async replace(
    { key, value: record, version: ifVersion }: StoredRecord<RefusedRecord>,
    left: readonly number[],
  ): Promise<void> {
    if (left.length === record.count) return;
    const removal = { key, value: undefined, ifVersion };
    if (left.length === 0) return void (await this.store.transact(this.app, [removal]));
    const indexes = new Set(left);
    const kept = selectLines(await shipmentFromRefused(record), (index) => indexes.has(index));
    const first = record.first + left[0]; // another frame id: other lines
    const value: RefusedRecord = {
      ...record,
      first,
      count: kept.count,
      records: await compressRecords(kept),
    };
    const keptKey = refusedKey(this.drainId, first);
    await this.store.transact(
      this.app,
      keptKey === key ? [{ key, value, ifVersion }] : [removal, { key: keptKey, value }],
    );
  }
}

interface ResendResult {
  /** Indexes of the lines that weren't accepted. */
  readonly left: readonly number[];
  readonly error?: string;
  /** Something else than the size is wrong: what comes next would fail as well. */
  readonly isStopped?: boolean;
}

/** Sends a refused batch, in halves while it is too large. */
async function resendShipment(outlet: Outlet, shipment: Shipment): Promise<ResendResult> {
  const pending: [from: number, to: number][] = [[0, shipment.count]];
  const left: number[] = [];
  let tooLarge: string | undefined;
  for (let range = pending.pop(); range; range = pending.pop()) {
    const [from, to] = range;
    try {
      await outlet.send(to - from === shipment.count ? shipment : selectRange(shipment, from, to), undefined);
      await outlet.flush();
    } catch (error) {
      if (!(error instanceof OutletError)) throw error;
      if (!error.isTooLarge) {
        for (const [first, end] of [range, ...pending.reverse()])
          for (let index = first; index < end; index++) left.push(index);
        return { left, error: error.message, isStopped: true };
      }
      const middle = Math.ceil((from + to) / 2);
      if (to - from > 1) pending.push([middle, to], [from, middle]);
      else {
        left.push(from);
        tooLarge = error.message;
      }
    }
  }
  return { left, error: tooLarge };
}

/** Lines `from` to before `to` of a shipment, counted from 0, with a frame id that is the same each time. */
function selectRange(shipment: Shipment, from: number, to: number): Shipment {
  const part = selectLines(shipment, (index) => index >= from && index < to);
  return { ...part, first: shipment.first + from, last: shipment.first + to - 1 };
}

/** The records of a shipment, compressed, in base64. */
async function compressRecords(shipment: Shipment): Promise<string> {
  const slices = shipment.slices.map(({ batch, start, end }) => batch.bytes.subarray(start, end));
  return (await compress(Buffer.concat(slices))).toString('base64');
}

/** A refused batch as the shipment that it was. */
async function shipmentFromRefused(record: RefusedRecord): Promise<Shipment> {
  const { first, last, count, storedAtMs } = record;
  const records = await decompress(Buffer.from(record.records, 'base64'));
  const bytes = Buffer.concat([Buffer.alloc(HEADROOM), records]);
  const batch: StoredBatch = { bytes, count, first, last: first + count - 1, storedAtMs };
  const shipment = buildShipment([batch], first - 1, Number.POSITIVE_INFINITY);
  if (!shipment) throw new Error('a refused batch without lines');
  // Filters may have left lines out: the frame id is made of the extent as it was.
  return { ...shipment, last };
}

/** The lines of a refused batch as text, `TIME HOST SOURCE DYNO … MESSAGE`, for people. */
export async function refusedLinesAsText(record: RefusedRecord): Promise<string[]> {
  const bytes = await decompress(Buffer.from(record.records, 'base64'));
  const cursor = new RecordCursor(bytes, 0);
  const lines: string[] = [];
  while (cursor.advance()) lines.push(bytes.toString('utf8', cursor.textStart, cursor.textEnd));
  return lines;
}
