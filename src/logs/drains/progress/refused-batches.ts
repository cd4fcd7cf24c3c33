/** Batches that a destination refused for good, kept to be inspected and sent again (a dead letter queue). */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { AppId, Sequence, Store, StoredBatch } from '../../store/contract.ts';
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

export class RefusedBatches {
  private readonly store: Store;
  private readonly app: AppId;
  private readonly drainId: string;

  constructor(store: Store, drain: Pick<DrainRecord, 'id' | 'app'>) {
    this.store = store;
    this.app = drain.app;
    this.drainId = drain.id;
  }

  /** Keeps what was refused of a shipment; of more than {@link REFUSED_BATCHES_MAX} the oldest is removed. */
  async add(shipped: Shipment, { message: reason, refusedLines }: OutletError): Promise<void> {
    const indexes = refusedLines?.indexes;
    const shipment = indexes ? selectLines(shipped, (index) => indexes.has(index)) : shipped;
    const slices = shipment.slices.map(({ batch, start, end }) => batch.bytes.subarray(start, end));
    const { first, last, count, storedAtMs } = shipment;
    const records = (await compress(Buffer.concat(slices))).toString('base64');
    const refusedAt = new Date().toISOString();
    const value: RefusedRecord = { first, last, count, refusedAt, reason, storedAtMs, records };
    const kept = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    const surplus = kept.slice(0, Math.max(0, kept.length + 1 - REFUSED_BATCHES_MAX));
    await this.store.transact(this.app, [
      ...surplus.map(({ key }) => ({ key, value: undefined })),
      { key: refusedKey(this.drainId, first), value },
    ]);
  }

  /** What is kept, oldest first. */
  async list(): Promise<RefusedRecord[]> {
    const records = await this.store.list<RefusedRecord>(this.app, refusedKeyPrefix(this.drainId));
    return records.map(({ value }) => value);
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

  /** Sends what is kept again, oldest first, each with its old frame id, until one fails. */
  async resend(outlet: Outlet): Promise<{ lines: number; batches: number; left: number; error?: string }> {
    const all = await this.list();
    let lines = 0;
    for (const [batches, record] of all.entries()) {
      try {
        await outlet.send(await shipmentFromRefused(record), undefined);
        await outlet.flush();
      } catch (error) {
        if (!(error instanceof OutletError)) throw error;
        return { lines, batches, left: all.length - batches, error: error.message };
      }
      lines += record.count;
      await this.store.transact(this.app, [
        { key: refusedKey(this.drainId, record.first), value: undefined },
      ]);
    }
    return { lines, batches: all.length, left: 0 };
  }
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
