/**
 * Appends: one call per app on its way at a time, with all batches that have gathered meanwhile. So the order holds
 * whatever happens to a call (a redirection in a Cluster, a connection that breaks), and a long way to Redis costs time,
 * not throughput.
 */
import { TailraceError } from '../../../common/errors.ts';
import type { Batch } from '../../syslog/batch.ts';
import type { Appended, AppId, Retention, Sequence, StoredBatch } from '../contract.ts';
import { pastRestored } from '../restoring.ts';
import type { Argument, Connection } from './connection/connection.ts';
import type { Replicas } from './connection/replicas.ts';
import { type StreamKeys, streamKeys } from './keys.ts';
import { packRecords } from './packing.ts';
import { PackingMemory } from './packing-memory.ts';
import type { Placement } from './placement.ts';
import { SCRIPTS } from './scripts.ts';

/** Bytes and batches that go with one call at the most, unless the first batch is larger. */
const CALL_BYTES = 1_048_576;
const CALL_BATCHES = 64;
/** How long frames are remembered at the least, and how many of them at the most, twice over. */
const FRAME_MEMORY_MS = 10 * 60_000;
const FRAMES_MAX = 50_000;
/** A stream that is restored is kept at least for this long, however old it is. */
const KEEP_MS = 60_000;
/** A queue that was unused for this long is given up. */
const UNUSED_MS = 60_000;

/** An append with the time at which it was stored. */
export interface AppendedAt extends Omit<Appended, 'passedOn'> {
  readonly storedAtMs: number;
}

interface Pending {
  readonly batch: Batch;
  readonly frameId: string;
  readonly resolve: (appended: AppendedAt) => void;
  readonly reject: (error: unknown) => void;
}

interface Queue {
  readonly keys: StreamKeys;
  waiting: Pending[];
  /** The newest sequence that was given to a line here. */
  last: Sequence;
  busy: boolean;
  usedAtMs: number;
}

export interface AppendsOptions {
  readonly connection: Connection;
  readonly retention: Retention;
  /** Who appends, in wake-ups. */
  readonly origin: string;
  /** The newest sequence that this process has seen of an app: no line may get a lower one. */
  readonly newest: (app: AppId) => Sequence;
  /** Who must have a line before it is acknowledged, besides Redis itself. */
  readonly replicas?: Replicas;
}

export class Appends {
  private readonly options: AppendsOptions;
  private readonly queues = new Map<AppId, Queue>();
  /** Batches that are stored, and refused since too few replicas have them: whoever brings one again needn't store it again. */
  private readonly owed = new WeakMap<Batch, AppendedAt>();
  private readonly memory = new PackingMemory();
  private readonly sweep: NodeJS.Timeout;
  private idle: (() => void) | undefined;

  constructor(options: AppendsOptions) {
    this.options = options;
    this.sweep = setInterval(() => this.forgetUnused(), UNUSED_MS);
    this.sweep.unref();
  }

  append(app: AppId, batch: Batch, frameId: string): Promise<AppendedAt> {
    let queue = this.queues.get(app);
    if (!queue) {
      queue = { keys: streamKeys(app), waiting: [], last: 0, busy: false, usedAtMs: 0 };
      this.queues.set(app, queue);
    }
    const mine = queue;
    return new Promise((resolve, reject) => {
      mine.waiting.push({ batch, frameId, resolve, reject });
      if (!mine.busy) void this.send(app, mine);
    });
  }

  /** Appends a batch of another store under its own numbers. */
  async restore(app: AppId, { first, count, bytes, storedAtMs }: StoredBatch): Promise<void> {
    const { lines, index, state } = streamKeys(app);
    const keepMs = this.options.retention.ageMs + KEEP_MS;
    const args = [first, count, bytes.length, storedAtMs, packRecords(bytes), keepMs];
    const done = await this.options.connection.run(SCRIPTS.restore, [lines, index, state], args);
    if (done !== 1) throw pastRestored(first);
  }

  /** The app's stream is gone: its numbers start anew. */
  forget(app: AppId): void {
    const queue = this.queues.get(app);
    if (queue) queue.last = 0;
  }

  /** Resolves when nothing is on its way. */
  async close(): Promise<void> {
    clearInterval(this.sweep);
    if (this.busy) await new Promise<void>((resolve) => (this.idle = resolve));
    this.options.replicas?.close();
  }

  private get busy(): boolean {
    return [...this.queues.values()].some(({ busy }) => busy);
  }

  private async send(app: AppId, queue: Queue): Promise<void> {
    queue.busy = true;
    while (queue.waiting.length > 0) {
      const taken = take(queue);
      try {
        const stored = await (this.options.replicas
          ? this.storeSurely(this.options.replicas, app, queue, taken)
          : this.store(app, queue, taken));
        for (const [i, { resolve }] of taken.entries()) resolve(stored[i]);
      } catch (error) {
        // What waits behind a failed batch fails with it, or it would overtake.
        for (const { reject } of [...taken, ...queue.waiting.splice(0)]) reject(error);
      }
    }
    queue.busy = false;
    queue.usedAtMs = Date.now();
    if (this.idle && !this.busy) this.idle();
  }

  private async store(app: AppId, queue: Queue, batches: readonly Pending[]): Promise<AppendedAt[]> {
    const [storedAtMs, ...reply] = await this.call(app, queue, batches);
    return batches.map(({ batch }, i) => {
      const first = reply[i * 2];
      const last = first + batch.count - 1;
      queue.last = Math.max(queue.last, last);
      return { first, last, duplicate: reply[i * 2 + 1] === 1, storedAtMs };
    });
  }

  /** Stores what isn't stored yet, and resolves when enough replicas have it. */
  private async storeSurely(
    replicas: Replicas,
    app: AppId,
    queue: Queue,
    batches: readonly Pending[],
  ): Promise<AppendedAt[]> {
    const { keys } = queue;
    const owed = batches.filter(({ batch }) => this.owed.has(batch));
    // Before anything is appended that would have to be refused.
    if (owed.length > 0 || replicas.isShort(keys)) {
      const there = await replicas.confirm(keys, this.places(owed));
      for (const [i, { batch }] of owed.entries()) if (!there[i]) this.owed.delete(batch);
    }
    const fresh = batches.filter(({ batch }) => !this.owed.has(batch));
    if (fresh.length > 0) {
      const stored = await this.store(app, queue, fresh);
      for (const [i, { batch }] of fresh.entries()) this.owed.set(batch, stored[i]);
      const placed = fresh.filter((_, i) => !stored[i].duplicate);
      const there = await replicas.confirm(keys, this.places(placed));
      // A failover between the two has lost them.
      for (const [i, { batch }] of placed.entries()) if (!there[i]) this.owed.delete(batch);
      if (there.includes(false)) throw new TailraceError('unavailable', 'Redis failed over: send again.');
    }
    return batches.map(({ batch }) => {
      const appended = this.owed.get(batch);
      if (!appended) throw new Error('a batch is neither stored nor owed');
      this.owed.delete(batch);
      return appended;
    });
  }

  private places(batches: readonly Pending[]): Placement[] {
    return batches.flatMap(({ batch }) => {
      const appended = this.owed.get(batch);
      if (!appended) return [];
      const { last, storedAtMs } = appended;
      return [{ last, count: batch.count, bytes: batch.bytes.length, storedAtMs }];
    });
  }

  private async call(app: AppId, { keys, last }: Queue, batches: readonly Pending[]): Promise<number[]> {
    const { connection, retention, origin, newest } = this.options;
    const args: Argument[] = [
      retention.lines,
      retention.bytes,
      retention.ageMs,
      FRAME_MEMORY_MS,
      FRAMES_MAX,
      Math.max(newest(app), last) + 1,
      keys.channel,
      origin,
    ];
    const taken: Buffer[] = [];
    for (const { batch, frameId } of batches) {
      const memory = this.memory.take(batch.bytes.length);
      taken.push(memory);
      args.push(batch.count, batch.bytes.length, frameId, packRecords(batch.bytes, memory));
    }
    const { lines, index, state, frames } = keys;
    const reply = await connection.run(SCRIPTS.append, [lines, index, state, ...frames], args);
    // After a failure it may still be on its way.
    this.memory.giveBack(taken);
    return reply as number[];
  }

  private forgetUnused(): void {
    const before = Date.now() - UNUSED_MS;
    for (const [app, queue] of this.queues)
      if (!queue.busy && queue.usedAtMs < before) this.queues.delete(app);
  }
}

function take(queue: Queue): Pending[] {
  let bytes = 0;
  let count = 0;
  for (const { batch } of queue.waiting) {
    if (count > 0 && (bytes + batch.bytes.length > CALL_BYTES || count >= CALL_BATCHES)) break;
    bytes += batch.bytes.length;
    count++;
  }
  return queue.waiting.splice(0, count);
}
