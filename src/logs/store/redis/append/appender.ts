/**
 * Appends: one call per app in flight at a time, with all batches that were queued meanwhile, and with those of other apps. So the
 * order holds whatever happens to a call (a redirection in a Cluster, a connection that breaks), and a long round trip costs
 * latency, not throughput.
 *
 * Every call has a name, this process and a number. When its answer doesn't come, the next call of the app is the question what
 * became of it; so whatever fails, its batches are stored once or not at all (docs/decisions/0041).
 */
import { type BackoffRange, backoffMs } from '../../../../common/backoff.ts';
import { TailraceError } from '../../../../common/errors.ts';
import type { Batch } from '../../../syslog/batch.ts';
import type { AppLimitTable } from '../../app-limits.ts';
import type { AppId, NamedBatch, OpenAppend, Retention, Sequence, StoredBatch } from '../../contract.ts';
import { restoreConflict } from '../../restore-conflict.ts';
import { UnansweredAppend } from '../../unanswered-append.ts';
import type { RedisConnection } from '../connection/connection.ts';
import { UnansweredCommand } from '../connection/redis-errors.ts';
import type { ReplicaWaiter, StoredPlace } from '../connection/replica-waiter.ts';
import { streamKeys } from '../keys.ts';
import { LUA_SCRIPTS } from '../lua-scripts.ts';
import { packRecords } from '../packing.ts';
import {
  AppendScript,
  type EncodedStreamKeys,
  type StreamAppend,
  type TimedAppendResult,
} from './append-script.ts';

/** Bytes and batches of one call at the most, unless what comes first is larger. */
const CALL_BYTES_MAX = 1_048_576;
const CALL_BATCHES_MAX = 64;
/** A stream that is restored is kept at least for this long, however old it is. */
const RESTORED_TTL_MS = 60_000;
/** A queue that was unused for this long is removed. */
const IDLE_QUEUE_MS = 60_000;
/** Pauses before Redis is asked again what became of a call. */
const SETTLE_RETRY: BackoffRange = { firstMs: 100, maxMs: 1_000 };

const NONE: readonly never[] = [];

/** Batches that are stored together or not at all; what is called first counts. */
export interface PendingAppend {
  readonly batches: readonly NamedBatch[];
  resolve(appended: readonly TimedAppendResult[]): void;
  reject(error: unknown): void;
}

/** A call whose answer never came. */
interface UnansweredCall {
  readonly number: number;
  readonly batches: readonly NamedBatch[];
  /** To be called with whether it was stored. */
  readonly resolve: (stored: boolean) => void;
}

/** What is to be appended to one stream. It is its own call: of a stream only one is on its way. */
class AppendQueue implements StreamAppend {
  readonly app: AppId;
  readonly keys: EncodedStreamKeys;
  private readonly owner: RedisAppender;
  pending: PendingAppend[] = [];
  /** Have what else there is by the time of the next call. */
  sources: OpenAppend[] = [];
  /** The newest sequence that a line got here, and that readers may have passed: where replicas are waited for, once they have it. */
  last: Sequence = 0;
  busy = false;
  /** On the clock of `performance.now()`. */
  usedAtMs = 0;
  unanswered: UnansweredCall | undefined;
  /** How often Redis was asked in vain what became of it. */
  askedInVain = 0;
  /** What is on its way. */
  appends: readonly PendingAppend[] = [];
  batches: readonly NamedBatch[] = [];
  lowest: Sequence = 0;
  retention: Retention | undefined;

  constructor(app: AppId, keys: EncodedStreamKeys, owner: RedisAppender) {
    this.app = app;
    this.keys = keys;
    this.owner = owner;
  }

  prepare(): void {
    this.owner.prepare(this);
  }

  onStored(results: readonly TimedAppendResult[]): void {
    this.owner.onStored(this, results);
  }

  onFailed(error: unknown, call: number): void {
    this.owner.onFailed(this, error, call);
  }
}

export interface RedisAppenderOptions {
  readonly connection: RedisConnection;
  readonly limits: AppLimitTable;
  /** Identifies this process in notifications, and in the names of its calls. */
  readonly origin: string;
  /** The newest sequence that this process has seen of an app: no line may get a lower one. */
  readonly newestSeen: (app: AppId) => Sequence;
  /** Waits for replicas that must have a line before it is acknowledged. */
  readonly replicas?: ReplicaWaiter;
  /** Closes the batch of a source that is sent now. */
  readonly takeOpen: (app: AppId, source: OpenAppend) => PendingAppend;
}

export class RedisAppender {
  private readonly options: RedisAppenderOptions;
  private readonly queues = new Map<AppId, AppendQueue>();
  /**
   * Batches that are stored, and not acknowledged: the answer didn't come, or too few replicas have them. A retry needn't store
   * them again.
   */
  private readonly unacknowledged = new WeakMap<Batch, TimedAppendResult>();
  private readonly script: AppendScript;
  private readonly sweepTimer: NodeJS.Timeout;
  private onIdle: (() => void) | undefined;
  private closed = false;

  constructor(options: RedisAppenderOptions) {
    this.options = options;
    this.script = new AppendScript(options);
    this.sweepTimer = setInterval(() => this.removeIdleQueues(), IDLE_QUEUE_MS);
    this.sweepTimer.unref();
  }

  /** Appends all of the batches, in one call, or none of them. */
  append(app: AppId, append: PendingAppend): void {
    const queue = this.queueOf(app);
    queue.pending.push(append);
    if (!queue.busy) this.sendQueued(queue);
  }

  /** As {@link StreamAppender.appendOpen}: a batch that waits for its call goes on growing, and what becomes of it is made then. */
  appendOpen(app: AppId, source: OpenAppend): void {
    const queue = this.queueOf(app);
    queue.sources.push(source);
    if (!queue.busy) this.sendQueued(queue);
  }

  /** As {@link StreamAppender.withdraw}. */
  withdraw(app: AppId, source: OpenAppend): void {
    const { sources } = this.queueOf(app);
    sources.splice(sources.indexOf(source), 1);
  }

  private queueOf(app: AppId): AppendQueue {
    let queue = this.queues.get(app);
    if (!queue) {
      queue = new AppendQueue(app, this.script.encodeKeys(streamKeys(app)), this);
      this.queues.set(app, queue);
    }
    return queue;
  }

  /** Appends a batch of another store with its own sequences. */
  async restore(app: AppId, { first, last, bytes, storedAtMs }: StoredBatch): Promise<void> {
    const { lines, index, state } = streamKeys(app);
    const keepMs = this.options.limits.retentionOf(app).ageMs + RESTORED_TTL_MS;
    const args = [first, last - first + 1, bytes.length, storedAtMs, packRecords(bytes), keepMs];
    const done = await this.options.connection.runScript(
      LUA_SCRIPTS.restore,
      [lines, index, state],
      args,
      true,
    );
    if (done !== 1) throw restoreConflict(first);
  }

  /** The app's stream was dropped: its sequences start anew. */
  resetSequence(app: AppId): void {
    const queue = this.queues.get(app);
    if (queue) queue.last = 0;
  }

  /** Resolves when nothing is in flight. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.sweepTimer);
    if (this.busy) await new Promise<void>((resolve) => (this.onIdle = resolve));
    this.options.replicas?.close();
  }

  private get busy(): boolean {
    return [...this.queues.values()].some(({ busy }) => busy);
  }

  /** Sends what is queued, call after call; what became of a call whose answer didn't come is asked first. */
  private sendQueued(queue: AppendQueue): void {
    queue.busy = true;
    if (queue.unanswered || this.options.replicas) {
      void this.sendCarefully(queue);
      return;
    }
    this.script.append(queue);
  }

  /** The call of a queue is made now, with all that it has. */
  prepare(queue: AppendQueue): void {
    queue.appends = this.resolveStored(this.takeFromQueue(queue));
    queue.batches = batchesOf(queue.appends);
    queue.lowest = this.lowestOf(queue);
    queue.retention = this.options.limits.ownRetentionOf(queue.app);
  }

  private takeFromQueue(queue: AppendQueue): readonly PendingAppend[] {
    const { pending } = queue;
    if (pending.length === 0) return this.takeSources(queue);
    const taken = takePending(queue);
    return queue.pending.length > 0 ? taken : [...taken, ...this.takeSources(queue)];
  }

  private takeSources(queue: AppendQueue): readonly PendingAppend[] {
    const { sources } = queue;
    if (sources.length === 0) return NONE;
    queue.sources = [];
    return sources.map((source) => this.options.takeOpen(queue.app, source));
  }

  /** What a queue had on its way is stored. */
  onStored(queue: AppendQueue, results: readonly TimedAppendResult[]): void {
    const { appends } = queue;
    queue.appends = queue.batches = NONE;
    notePosition(queue, results);
    resolveAll(appends, results);
    this.goOn(queue);
  }

  /** What a queue had on its way isn't stored, or isn't known to be. */
  onFailed(queue: AppendQueue, error: unknown, call: number): void {
    const { appends, batches } = queue;
    queue.appends = queue.batches = NONE;
    this.noteUnanswered(queue, appends, batches, error, call);
    this.rejectAll(queue, appends, error);
    this.goOn(queue);
  }

  /** The same, one thing after the other: what became of a call is asked, replicas are waited for. */
  private async sendCarefully(queue: AppendQueue): Promise<void> {
    let taken: readonly PendingAppend[] = [];
    try {
      if (queue.unanswered) await this.settle(queue, queue.unanswered);
      taken = this.takeFromQueue(queue);
      if (taken.length > 0) await this.appendTaken(queue, taken);
    } catch (error) {
      this.rejectAll(queue, taken, error);
    }
    this.goOn(queue);
  }

  private goOn(queue: AppendQueue): void {
    if (queue.pending.length > 0 || queue.sources.length > 0) {
      this.sendQueued(queue);
      return;
    }
    queue.busy = false;
    queue.usedAtMs = performance.now();
    if (queue.unanswered) this.askLater(queue);
    if (this.onIdle && !this.busy) this.onIdle();
  }

  /** Those that may be stored were told so before. What is queued behind them fails too, or it would overtake. */
  private rejectAll(queue: AppendQueue, taken: readonly PendingAppend[], error: unknown): void {
    for (const append of [...taken, ...queue.pending.splice(0), ...this.takeSources(queue)])
      append.reject(error);
  }

  /** Resolves those of which is known that they are stored, when no replicas are waited for; returns the others. */
  private resolveStored(appends: readonly PendingAppend[]): readonly PendingAppend[] {
    if (!appends.some(this.isStored)) return appends;
    return appends.filter((append) => {
      if (!this.isStored(append)) return true;
      append.resolve(append.batches.map(({ batch }) => this.unacknowledged.get(batch)!));
      for (const { batch } of append.batches) this.unacknowledged.delete(batch);
      return false;
    });
  }

  /** Stores what isn't stored yet, and resolves it when it is and enough replicas have it; the caller rejects what is left. */
  private async appendTaken(queue: AppendQueue, taken: readonly PendingAppend[]): Promise<void> {
    const { replicas } = this.options;
    let fresh = taken;
    if (taken.some(this.isStored)) {
      const before = taken.filter(this.isStored);
      const lost = await this.acknowledge(queue, before);
      fresh = taken.filter((append) => !before.includes(append) || lost.includes(append));
      if (fresh.length === 0) return;
    } else if (replicas?.lacksReplicas(queue.keys)) {
      // Before anything is appended that could not be acknowledged.
      await replicas.waitForReplicas(queue.keys, []);
    }
    const appended = await this.appendCall(queue, fresh);
    if (!replicas) {
      notePosition(queue, appended);
      resolveAll(fresh, appended);
      return;
    }
    this.remember(batchesOf(fresh), appended);
    const lost = await this.acknowledge(queue, fresh);
    if (lost.length > 0) throw new TailraceError('unavailable', 'Redis failed over: send again.');
  }

  /**
   * Resolves appends that are stored, when enough replicas have them. Returns those that a failover has lost: nobody has read these, and
   * their sequences are given out again.
   */
  private async acknowledge(
    queue: AppendQueue,
    appends: readonly PendingAppend[],
  ): Promise<readonly PendingAppend[]> {
    const { replicas } = this.options;
    const { keys } = queue;
    const places = this.placesOf(batchesOf(appends));
    if (replicas)
      try {
        const present = await replicas.waitForReplicas(keys, [...places.values()]);
        for (const [i, batch] of [...places.keys()].entries())
          if (!present[i]) this.unacknowledged.delete(batch);
      } catch (error) {
        const outcome = unanswered(error, this.whenConfirmed(replicas, keys, [...places.values()]));
        for (const append of appends) append.reject(outcome);
        throw error;
      }
    const lost: PendingAppend[] = [];
    for (const append of appends) {
      const appended = append.batches.flatMap(({ batch }) => this.unacknowledged.get(batch) ?? []);
      notePosition(queue, appended);
      if (appended.length < append.batches.length) lost.push(append);
      else append.resolve(appended);
      for (const { batch } of append.batches) this.unacknowledged.delete(batch);
    }
    return lost;
  }

  /** Whether batches of one call are still there when enough replicas answer again: a failover loses all of them or none. */
  private async whenConfirmed(
    replicas: ReplicaWaiter,
    keys: EncodedStreamKeys,
    places: readonly StoredPlace[],
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        return !(await replicas.waitForReplicas(keys, places)).includes(false);
      } catch {
        if (this.closed) return new Promise(() => {}); // nobody asks any more
      }
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, SETTLE_RETRY)).unref());
    }
  }

  private readonly isStored = ({ batches }: PendingAppend): boolean =>
    batches.every(({ batch }) => this.unacknowledged.has(batch));

  /** Where to find batches that are stored: duplicates were stored under another header. */
  private placesOf(batches: readonly NamedBatch[]): Map<Batch, StoredPlace> {
    const places = new Map<Batch, StoredPlace>();
    for (const { batch, frameId } of batches) {
      const appended = this.unacknowledged.get(batch);
      if (!appended) continue;
      const { first, last, storedAtMs, duplicate } = appended;
      const header = { last, count: batch.count, bytes: batch.bytes.length, storedAtMs };
      places.set(batch, duplicate ? { frameId, first } : header);
    }
    return places;
  }

  private remember(batches: readonly NamedBatch[], stored: readonly TimedAppendResult[]): void {
    for (const [i, { batch }] of batches.entries()) this.unacknowledged.set(batch, stored[i]);
  }

  /** Appends in one call; when its answer doesn't come, the appends are rejected here. */
  private appendCall(
    queue: AppendQueue,
    appends: readonly PendingAppend[],
  ): Promise<readonly TimedAppendResult[]> {
    const batches = batchesOf(appends);
    return new Promise((resolve, reject) => {
      this.script.append({
        keys: queue.keys,
        batches,
        lowest: this.lowestOf(queue),
        retention: this.options.limits.ownRetentionOf(queue.app),
        onStored: resolve,
        onFailed: (error, call) => {
          this.noteUnanswered(queue, appends, batches, error, call);
          reject(error);
        },
      });
    });
  }

  private lowestOf(queue: AppendQueue): Sequence {
    return Math.max(this.options.newestSeen(queue.app), queue.last) + 1;
  }

  /** Rejects appends of which isn't known whether they are stored, and has that asked. */
  private noteUnanswered(
    queue: AppendQueue,
    appends: readonly PendingAppend[],
    batches: readonly NamedBatch[],
    error: unknown,
    call: number,
  ): void {
    if (!(error instanceof UnansweredCommand)) return;
    let resolve: (stored: boolean) => void = () => {};
    const stored = new Promise<boolean>((settle) => (resolve = settle));
    queue.unanswered = { number: call, batches, resolve };
    for (const append of appends) append.reject(unanswered(error, stored));
  }

  /** Asks what became of a call; from then on that is so. */
  private async settle(queue: AppendQueue, { number, batches, resolve }: UnansweredCall): Promise<void> {
    const { replicas } = this.options;
    queue.askedInVain++;
    const stored = await this.script.settle(queue.keys, batches, number);
    queue.unanswered = undefined;
    queue.askedInVain = 0;
    if (!stored) {
      resolve(false);
      return;
    }
    this.remember(batches, stored);
    if (!replicas) {
      notePosition(queue, stored);
      resolve(true);
    } else void this.whenConfirmed(replicas, queue.keys, [...this.placesOf(batches).values()]).then(resolve);
  }

  /** Asks again what became of a call, unless somebody appends before. */
  private askLater(queue: AppendQueue): void {
    setTimeout(
      () => {
        if (queue.unanswered && !queue.busy && !this.closed) this.sendQueued(queue);
      },
      backoffMs(queue.askedInVain + 1, SETTLE_RETRY),
    ).unref();
  }

  private removeIdleQueues(): void {
    const before = performance.now() - IDLE_QUEUE_MS;
    for (const [app, queue] of this.queues)
      if (!queue.busy && !queue.unanswered && queue.usedAtMs < before) this.queues.delete(app);
  }
}

function notePosition(queue: AppendQueue, appended: readonly TimedAppendResult[]): void {
  for (const { last } of appended) queue.last = Math.max(queue.last, last);
}

function takePending(queue: AppendQueue): PendingAppend[] {
  if (queue.pending.length === 1) {
    const all = queue.pending;
    queue.pending = [];
    return all;
  }
  let bytes = 0;
  let batchCount = 0;
  let count = 0;
  for (const { batches } of queue.pending) {
    for (const { batch } of batches) bytes += batch.bytes.length;
    batchCount += batches.length;
    if (count > 0 && (bytes > CALL_BYTES_MAX || batchCount > CALL_BATCHES_MAX)) break;
    count++;
  }
  return queue.pending.splice(0, count);
}

function batchesOf(appends: readonly PendingAppend[]): readonly NamedBatch[] {
  return appends.length === 1 ? appends[0].batches : appends.flatMap(({ batches }) => batches);
}

function resolveAll(appends: readonly PendingAppend[], stored: readonly TimedAppendResult[]): void {
  if (appends.length === 1) {
    appends[0].resolve(stored);
    return;
  }
  let at = 0;
  for (const append of appends) {
    const end = at + append.batches.length;
    append.resolve(stored.slice(at, end));
    at = end;
  }
}

function unanswered(error: unknown, stored: Promise<boolean>): UnansweredAppend {
  const { code, message, cause } =
    error instanceof TailraceError ? error : new TailraceError('unavailable', String(error));
  return new UnansweredAppend(code, message, cause, stored);
}
