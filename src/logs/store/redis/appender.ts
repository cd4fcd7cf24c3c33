/**
 * Appends: one call per app in flight at a time, with all batches that were queued meanwhile. So the order holds
 * whatever happens to a call (a redirection in a Cluster, a connection that breaks), and a long round trip costs latency,
 * not throughput.
 */
import { BufferPool, type BufferPoolOptions } from '../../../common/buffers/buffer-pool.ts';
import { TailraceError } from '../../../common/errors.ts';
import type { Batch } from '../../syslog/batch.ts';
import type { AppendResult, AppId, Retention, Sequence, StoredBatch } from '../contract.ts';
import { restoreConflict } from '../restore-conflict.ts';
import type { BatchHeader } from './batch-header.ts';
import type { RedisArgument, RedisConnection } from './connection/connection.ts';
import type { ReplicaWaiter } from './connection/replica-waiter.ts';
import { type StreamKeys, streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';
import { packRecords } from './packing.ts';

/** Bytes and batches of one call at the most, unless the first batch is larger. */
const CALL_BYTES_MAX = 1_048_576;
const CALL_BATCHES_MAX = 64;
/** How long frame ids are kept at the least, and how many of them in each of the two generations at the most. */
const FRAME_ID_TTL_MS = 10 * 60_000;
const FRAME_IDS_MAX = 50_000;
/** A stream that is restored is kept at least for this long, however old it is. */
const RESTORED_TTL_MS = 60_000;
/** Of a larger call most batches are small. */
const PACK_BUFFERS: BufferPoolOptions = { buffersMax: 8, pooledBytesMin: 32_768, stepBytes: 131_072 };
/** A queue that was unused for this long is removed. */
const IDLE_QUEUE_MS = 60_000;

/** An append with the time at which it was stored. */
export interface TimedAppendResult extends Omit<AppendResult, 'retainedByReaders'> {
  readonly storedAtMs: number;
}

interface PendingAppend {
  readonly batch: Batch;
  readonly frameId: string;
  readonly resolve: (appended: TimedAppendResult) => void;
  readonly reject: (error: unknown) => void;
}

interface AppendQueue {
  readonly keys: StreamKeys;
  pending: PendingAppend[];
  /** The newest sequence that a line got here. */
  last: Sequence;
  busy: boolean;
  /** On the clock of `performance.now()`. */
  usedAtMs: number;
}

export interface RedisAppenderOptions {
  readonly connection: RedisConnection;
  readonly retention: Retention;
  /** Identifies this process in notifications. */
  readonly origin: string;
  /** The newest sequence that this process has seen of an app: no line may get a lower one. */
  readonly newestSeen: (app: AppId) => Sequence;
  /** Waits for replicas that must have a line before it is acknowledged. */
  readonly replicas?: ReplicaWaiter;
}

export class RedisAppender {
  private readonly options: RedisAppenderOptions;
  private readonly queues = new Map<AppId, AppendQueue>();
  /** Batches that are stored, and not acknowledged since too few replicas have them: a retry needn't store them again. */
  private readonly storedUnconfirmed = new WeakMap<Batch, TimedAppendResult>();
  /** To pack batches in; used again when Redis has answered. */
  private readonly buffers = new BufferPool(PACK_BUFFERS);
  private readonly sweepTimer: NodeJS.Timeout;
  private onIdle: (() => void) | undefined;

  constructor(options: RedisAppenderOptions) {
    this.options = options;
    this.sweepTimer = setInterval(() => this.removeIdleQueues(), IDLE_QUEUE_MS);
    this.sweepTimer.unref();
  }

  append(app: AppId, batch: Batch, frameId: string): Promise<TimedAppendResult> {
    let queue = this.queues.get(app);
    if (!queue) {
      queue = { keys: streamKeys(app), pending: [], last: 0, busy: false, usedAtMs: 0 };
      this.queues.set(app, queue);
    }
    const mine = queue;
    return new Promise((resolve, reject) => {
      mine.pending.push({ batch, frameId, resolve, reject });
      if (!mine.busy) void this.sendQueued(app, mine);
    });
  }

  /** Appends a batch of another store with its own sequences. */
  async restore(app: AppId, { first, count, bytes, storedAtMs }: StoredBatch): Promise<void> {
    const { lines, index, state } = streamKeys(app);
    const keepMs = this.options.retention.ageMs + RESTORED_TTL_MS;
    const args = [first, count, bytes.length, storedAtMs, packRecords(bytes), keepMs];
    const done = await this.options.connection.runScript(LUA_SCRIPTS.restore, [lines, index, state], args);
    if (done !== 1) throw restoreConflict(first);
  }

  /** The app's stream was dropped: its sequences start anew. */
  resetSequence(app: AppId): void {
    const queue = this.queues.get(app);
    if (queue) queue.last = 0;
  }

  /** Resolves when nothing is in flight. */
  async close(): Promise<void> {
    clearInterval(this.sweepTimer);
    if (this.busy) await new Promise<void>((resolve) => (this.onIdle = resolve));
    this.options.replicas?.close();
  }

  private get busy(): boolean {
    return [...this.queues.values()].some(({ busy }) => busy);
  }

  private async sendQueued(app: AppId, queue: AppendQueue): Promise<void> {
    queue.busy = true;
    while (queue.pending.length > 0) {
      const taken = takeFromQueue(queue);
      try {
        const stored = await (this.options.replicas
          ? this.appendConfirmed(this.options.replicas, app, queue, taken)
          : this.appendBatches(app, queue, taken));
        for (const [i, { resolve }] of taken.entries()) resolve(stored[i]);
      } catch (error) {
        // What is queued after a failed batch fails with it, or it would overtake.
        for (const { reject } of [...taken, ...queue.pending.splice(0)]) reject(error);
      }
    }
    queue.busy = false;
    queue.usedAtMs = performance.now();
    if (this.onIdle && !this.busy) this.onIdle();
  }

  private async appendBatches(
    app: AppId,
    queue: AppendQueue,
    batches: readonly PendingAppend[],
  ): Promise<TimedAppendResult[]> {
    const [storedAtMs, ...reply] = await this.runAppendScript(app, queue, batches);
    return batches.map(({ batch }, i) => {
      const first = reply[i * 2];
      const last = first + batch.count - 1;
      queue.last = Math.max(queue.last, last);
      return { first, last, duplicate: reply[i * 2 + 1] === 1, storedAtMs };
    });
  }

  /** Stores what isn't stored yet, and resolves when enough replicas have it. */
  private async appendConfirmed(
    replicas: ReplicaWaiter,
    app: AppId,
    queue: AppendQueue,
    batches: readonly PendingAppend[],
  ): Promise<TimedAppendResult[]> {
    const { keys } = queue;
    const unconfirmed = batches.filter(({ batch }) => this.storedUnconfirmed.has(batch));
    // Before anything is appended that could not be acknowledged.
    if (unconfirmed.length > 0 || replicas.lacksReplicas(keys)) {
      const present = await replicas.waitForReplicas(keys, this.headersOf(unconfirmed));
      for (const [i, { batch }] of unconfirmed.entries())
        if (!present[i]) this.storedUnconfirmed.delete(batch);
    }
    const fresh = batches.filter(({ batch }) => !this.storedUnconfirmed.has(batch));
    if (fresh.length > 0) {
      const stored = await this.appendBatches(app, queue, fresh);
      for (const [i, { batch }] of fresh.entries()) this.storedUnconfirmed.set(batch, stored[i]);
      const appended = fresh.filter((_, i) => !stored[i].duplicate);
      const present = await replicas.waitForReplicas(keys, this.headersOf(appended));
      // A failover between the two has lost them.
      for (const [i, { batch }] of appended.entries()) if (!present[i]) this.storedUnconfirmed.delete(batch);
      if (present.includes(false)) throw new TailraceError('unavailable', 'Redis failed over: send again.');
    }
    return batches.map(({ batch }) => {
      const appended = this.storedUnconfirmed.get(batch);
      if (!appended) throw new Error('a batch is neither stored nor unconfirmed');
      this.storedUnconfirmed.delete(batch);
      return appended;
    });
  }

  private headersOf(batches: readonly PendingAppend[]): BatchHeader[] {
    return batches.flatMap(({ batch }) => {
      const appended = this.storedUnconfirmed.get(batch);
      if (!appended) return [];
      const { last, storedAtMs } = appended;
      return [{ last, count: batch.count, bytes: batch.bytes.length, storedAtMs }];
    });
  }

  private async runAppendScript(
    app: AppId,
    { keys, last }: AppendQueue,
    batches: readonly PendingAppend[],
  ): Promise<number[]> {
    const { connection, retention, origin, newestSeen } = this.options;
    const args: RedisArgument[] = [
      retention.lines,
      retention.bytes,
      retention.ageMs,
      FRAME_ID_TTL_MS,
      FRAME_IDS_MAX,
      Math.max(newestSeen(app), last) + 1,
      keys.channel,
      origin,
    ];
    const acquired: Buffer[] = [];
    for (const { batch, frameId } of batches) {
      const buffer = this.buffers.acquire(batch.bytes.length);
      acquired.push(buffer);
      args.push(batch.count, batch.bytes.length, frameId, packRecords(batch.bytes, buffer));
    }
    const { lines, index, state, frameIds } = keys;
    const reply = await connection.runScript(LUA_SCRIPTS.append, [lines, index, state, ...frameIds], args);
    // Not after a failure: the command may still be in flight.
    for (const buffer of acquired) this.buffers.release(buffer);
    return reply as number[];
  }

  private removeIdleQueues(): void {
    const before = performance.now() - IDLE_QUEUE_MS;
    for (const [app, queue] of this.queues)
      if (!queue.busy && queue.usedAtMs < before) this.queues.delete(app);
  }
}

function takeFromQueue(queue: AppendQueue): PendingAppend[] {
  let bytes = 0;
  let count = 0;
  for (const { batch } of queue.pending) {
    if (count > 0 && (bytes + batch.bytes.length > CALL_BYTES_MAX || count >= CALL_BATCHES_MAX)) break;
    bytes += batch.bytes.length;
    count++;
  }
  return queue.pending.splice(0, count);
}
