/** Reads the streams in Redis. Which batches are read is decided by the index of their headers, so that no lines are sent in vain. */
import type { AppId, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import {
  type BatchHeader,
  entryId,
  readBatchHeader,
  readStoredBatch,
  type StreamEntry,
} from './batch-header.ts';
import type { RedisConnection } from './connection/connection.ts';
import { streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Headers that are looked at for one read, which gives no more batches than this. */
const HEADERS_PER_READ = 512;

/** Streams that one call is about, when it is about many. */
const STREAMS_PER_CALL = 500;

export class RedisStreams {
  private readonly connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.connection = connection;
  }

  /** As {@link Store.read}: headers say how many batches are read, and mostly the newest comes in the same round trip. */
  async read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    const { lines, index } = streamKeys(app);
    const from = entryId(after + 1);
    // Mostly there is only one new batch: it is read together with the headers.
    const [headers, batches] = await Promise.all([
      this.range('XRANGE', index, from, '+', HEADERS_PER_READ).then((entries) =>
        entries.map(readBatchHeader),
      ),
      this.range('XRANGE', lines, from, '+', 1).then((entries) => entries.map(readStoredBatch)),
    ]);
    const [newest] = batches;
    const upTo = lastWithin(headers, bytes);
    if (newest && upTo && upTo.last > newest.last) {
      const rest = await this.range(
        'XRANGE',
        lines,
        entryId(newest.last + 1),
        entryId(upTo.last),
        HEADERS_PER_READ,
      );
      batches.push(...rest.map(readStoredBatch));
    }
    return batches;
  }

  /** As {@link Store.readBefore}. */
  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    if (before <= 1) return [];
    const { lines, index } = streamKeys(app);
    // The batch that holds line before - 1 is the first one whose last line is at or above it.
    const [holding, older] = await Promise.all([
      this.range('XRANGE', index, entryId(before - 1), '+', 1),
      this.range('XREVRANGE', index, entryId(before - 2), '-', HEADERS_PER_READ),
    ]);
    const headers = [...holding, ...older]
      .map(readBatchHeader)
      .filter(({ last, count }) => last - count + 1 < before);
    const downTo = lastWithin(headers, bytes);
    if (!downTo) return [];
    const range = [entryId(headers[0].last), entryId(downTo.last)] as const;
    return (await this.range('XREVRANGE', lines, ...range, HEADERS_PER_READ)).map(readStoredBatch);
  }

  /** As {@link Store.bounds}. */
  async bounds(app: AppId): Promise<StreamBounds> {
    const { index, state } = streamKeys(app);
    const [first, last, bytes] = (await this.connection.runScript(
      LUA_SCRIPTS.bounds,
      [index, state],
      [],
    )) as number[];
    return { first, last, bytes };
  }

  /** Of streams that expired meanwhile, what they held last. */
  async heldBytes(apps: readonly AppId[]): Promise<readonly number[]> {
    const held: number[] = [];
    for (let i = 0; i < apps.length; i += STREAMS_PER_CALL) {
      const keys = apps.slice(i, i + STREAMS_PER_CALL).map(streamKeys);
      if (this.connection.isCluster) {
        const all = keys.map(({ index, state }) =>
          this.connection.runScript(LUA_SCRIPTS.bounds, [index, state], []),
        );
        for (const bounds of await Promise.all(all)) held.push((bounds as number[])[2]);
      } else {
        const states = keys.map(({ state }) => state);
        held.push(...((await this.connection.runScript(LUA_SCRIPTS.held, states, [])) as number[]));
      }
    }
    return held;
  }

  /** What its keys take in memory, about; undefined when that may not be asked. */
  async storedBytes(app: AppId): Promise<number | undefined> {
    const { lines, index } = streamKeys(app);
    try {
      const all = [lines, index].map((key) => this.connection.call('memory', 'USAGE', key));
      return (await Promise.all(all)).reduce<number>((sum, bytes) => sum + Number(bytes ?? 0), 0);
    } catch {
      return undefined;
    }
  }

  /** As {@link Store.sequenceAt}. */
  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const { index, state } = streamKeys(app);
    return (await this.connection.runScript(LUA_SCRIPTS.sequenceAt, [index, state], [ms])) as number;
  }

  /** The last sequence that was stored so many ms ago, by Redis' clock, or before. */
  async endBefore(app: AppId, ms: number): Promise<Sequence> {
    const nowMs = (await this.connection.runScript(LUA_SCRIPTS.clock, [streamKeys(app).state], [])) as number;
    return this.sequenceAt(app, nowMs - ms);
  }

  /** As {@link Store.dropStream}: Redis frees the memory in the background (UNLINK). */
  async dropStream(app: AppId): Promise<void> {
    const { lines, index, state, frameIds } = streamKeys(app);
    await this.connection.call('unlink', lines, index, state, ...frameIds);
  }

  private async range(
    command: 'XRANGE' | 'XREVRANGE',
    key: string,
    from: string,
    to: string,
    count: number,
  ): Promise<StreamEntry[]> {
    return (await this.connection.callBytes(command, key, from, to, 'COUNT', count)) as StreamEntry[];
  }
}

/** The last of these headers that is still within `bytes`; the first in any case. */
function lastWithin(headers: readonly BatchHeader[], bytes: number): BatchHeader | undefined {
  let size = 0;
  for (const header of headers) {
    size += header.bytes;
    if (size >= bytes) return header;
  }
  return headers[headers.length - 1];
}
