import type { AppendWaiter, AppId, OpenAppend, Store, StreamAppender } from '../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../syslog/batch.ts';
import { BatchBuilder } from '../syslog/batch-builder.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import type { OpenCell } from '../syslog/wasm/wasm-codec.ts';
import { ALREADY_SCHEDULED, APPEND_RETRY, BatchSchedule } from './batch-schedule.ts';
import type { LogSource } from './token-cache.ts';
import {
  addGatheredBytes,
  addWaitingForStore,
  areManyGathering,
  atTurnEnd,
  type TurnPatience,
} from './turn-end.ts';

/** An app without a batch for so long is quiet: its next line doesn't wait for those of busy ones. */
const QUIET_MS = 1_000;
/** An app is slow when it has a line in so much time, or fewer: gathering for half a second then makes one batch of some lines, which are small together. */
const SLOW_LINE_MS = 100;
/**
 * While lines of many apps gather, a batch is closed when it is full for the fast path's memory, up to so many times until all are closed: then it
 * grows, since its app is busier than the others.
 */
const SMALL_BATCHES_MAX = 2;

/** What the router counts while batches are on their way to the store. */
export interface BatcherEvents {
  /** So many bytes more (or, negative, fewer) wait to be stored. */
  addPendingBytes(bytes: number): void;
  /** An append failed. */
  onAppendFailed(app: AppId, error: unknown): void;
  /** A batch is stored, `afterMs` after its first line was added. */
  onBatchStored?(app: AppId, batch: Batch, afterMs: number): void;
  /** Of the bytes that wait, so many more (or fewer) are of lines that are kept while their app's appends fail. */
  addFailingBytes(bytes: number): void;
  /** May so many bytes of one app wait, whose appends fail? */
  mayWait(bytes: number): boolean;
  /** An app's appends fail, and no more of its lines may wait. */
  onHeldUp(app: AppId, error: unknown): void;
  /** They don't fail any more. */
  onReleased(app: AppId, outcome: HeldUpOutcome): void;
}

/** What became of an app's lines that were held up. */
export interface HeldUpOutcome {
  /** When that began, milliseconds since 1970. */
  readonly sinceMs: number;
  /** Lines that couldn't wait. */
  readonly lost: number;
}

/** What a batch's append is reported to. */
interface BatchOwner {
  readonly isAwaited: boolean;
  onStored(pendingBatch: PendingBatch): void;
  onFailed(pendingBatch: PendingBatch, error: unknown): void;
}

/** A batch that is open, queued or in flight, and what its senders wait for. */
class PendingBatch implements AppendWaiter {
  private readonly owner: BatchOwner;
  private promise: Promise<void> | undefined;
  private settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  private failure: { readonly error: unknown } | undefined;
  /** Its position in the stream's order. */
  readonly number: number;
  batch: Batch | undefined;
  /** On the clock of `performance.now()`. */
  readonly openedMs: number;

  constructor(owner: BatchOwner, number: number, openedMs: number) {
    this.owner = owner;
    this.number = number;
    this.openedMs = openedMs;
  }

  onAppended(): void {
    this.owner.onStored(this);
  }

  onAppendFailed(error: unknown): void {
    this.owner.onFailed(this, error);
  }

  get isAwaited(): boolean {
    return this.owner.isAwaited;
  }

  /** What senders wait for; of lines that come over syslog mostly nobody does, and then there is no promise. */
  get done(): Promise<void> {
    if (this.promise) return this.promise;
    this.promise = this.failure
      ? Promise.reject(this.failure.error)
      : new Promise((resolve, reject) => {
          this.settle = { resolve, reject };
        });
    this.promise.catch(() => {}); // callers of whenStored() have their own handlers
    return this.promise;
  }

  resolve(): void {
    this.settle?.resolve();
  }

  reject(error: unknown): void {
    this.failure ??= { error };
    this.settle?.reject(error);
  }
}

type ClosedBatch = PendingBatch & { batch: Batch };

/**
 * What becomes of lines that can't be stored. A batch has lines of one kind only: it is kept as a whole or refused as a whole.
 * - `kept`: nobody sends them again (syslog, the platform's own lines). Their batch is retried until it is stored.
 * - `refused`: their sender waits for the answer, and sends them again. Their batch is given up.
 */
export type FailurePolicy = 'kept' | 'refused';

/**
 * Collects the lines of one app into batches and appends them to the store in order; when is up to {@link BatchSchedule}.
 *
 * Usually there is no timer: a lone line is stored at once, and under load a batch grows to what a commit takes. Only lines that
 * come one a turn, and that nobody waits for, may linger: each of them would be a batch of its own, which costs more than many
 * lines.
 */
export class Batcher implements BatchOwner, OpenAppend {
  readonly app: AppId;
  private readonly appender: StreamAppender;
  private readonly events: BatcherEvents;
  private readonly onFailure: FailurePolicy;
  private readonly builder = new BatchBuilder();
  private readonly schedule = new BatchSchedule<PendingBatch>();
  /** Made when it is closed, or somebody waits for it: what is open for long would be old, and keep what is young alive. */
  private openBatch: PendingBatch | undefined;
  /** When the open batch was opened, on the clock of `performance.now()`; 0: there is none. */
  private openedMs = 0;
  /** Mostly one at the most. */
  private unstored: PendingBatch[] = [];
  private retryTimer: NodeJS.Timeout | undefined;
  private hasGivenUp = false;
  private nextNumber = 0;
  /** The lines of the last batch came slowly: see {@link SLOW_LINE_MS}. */
  private isSlow = false;
  /** A close is scheduled, and may be so for later, since nobody reads the lines. */
  private mayWaitUnread = false;
  /** The open batch leaves when the store can send it. */
  private isWaitingForStore = false;
  /** Bytes of it that the router was told of as waiting. */
  private openBytes = 0;
  /** Small batches that were full since the last close that was scheduled. */
  private smallBatches = 0;
  /** Where the lines of the request begin that is taken now: bytes and lines before them in the open batch. */
  private requestStart = 0;
  private requestFirst = 0;
  /** When the last batch was closed, on the clock of `performance.now()`. */
  lastUsedMs = performance.now();
  /** It was unused, and the router has it no more: lines of its app go to another one. */
  isDiscarded = false;
  /** Bytes of its batches that aren't stored, and those of them that the router was told of as failing. */
  private waitingBytes = 0;
  private failingBytes = 0;
  private failure: unknown;
  private heldUpSinceMs = 0;
  private lostLines = 0;
  /** Of who waits until it isn't held up; made when somebody does. */
  private releaseWaiters: Set<() => void> | undefined;
  /** Its appends fail, and no more of its lines may wait: who brings them waits, or they are lost. */
  isHeldUp = false;
  /** For receivers of lines: the last one that has to flush it. */
  pendingOf: object | undefined;
  /** Where lines are counted that come by {@link openCell}. */
  appendedCounters: { lines: number; bytes: number } | undefined;

  constructor(app: AppId, store: Store, events: BatcherEvents, onFailure: FailurePolicy) {
    this.app = app;
    this.appender = store.appenderFor(app);
    this.events = events;
    this.onFailure = onFailure;
    this.builder.onAppended = this.onAppended;
  }

  /**
   * Where more lines may be appended to the open batch, while it is about to be stored: see {@link BatchBuilder.open}. Nobody has to flush
   * these.
   */
  get openCell(): OpenCell | undefined {
    return this.builder.openCell;
  }

  /** Senders wait for its batches. */
  get isAwaited(): boolean {
    return this.onFailure === 'refused';
  }

  /** Calls `resume` once, as soon as it isn't held up any more. */
  whenReleased(resume: () => void): void {
    this.releaseWaiters ??= new Set();
    this.releaseWaiters.add(resume);
  }

  /** So many lines couldn't wait. */
  countLost(lines: number): void {
    this.lostLines += lines;
  }

  /** Nothing is open, queued or in flight. */
  get idle(): boolean {
    return this.unstored.length === 0 && this.builder.isEmpty;
  }

  /** Adds one line; see {@link BatchBuilder.add}. Call {@link whenStored} or {@link flushInBackground} after the last one. */
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    logSource: LogSource,
    host: Uint8Array,
  ): void {
    const source = logSource.sourceBytes;
    if (this.onFailure === 'kept') addGatheredBytes(end - start);
    if (this.isWaitingForStore) this.countOpenBytes(end - start);
    while (!this.builder.add(bytes, start, end, header, source, host)) this.makeRoom();
  }

  /** Adds records that the WebAssembly fast path made; see {@link BatchBuilder.addRecords}. */
  addRecords(records: Uint8Array, count: number): void {
    if (this.onFailure === 'kept') {
      addGatheredBytes(records.length);
      if (areManyGathering() && this.smallBatches < SMALL_BATCHES_MAX && !this.builder.fitsSmall(records)) {
        this.smallBatches++;
        this.closeBatch();
      }
    }
    if (this.isWaitingForStore) this.countOpenBytes(records.length);
    while (!this.builder.addRecords(records, count)) this.makeRoom();
  }

  /**
   * A request begins, whose lines take about so many bytes: they stay together in one batch, and are stored all or none. All of
   * them have to be added in this turn of the event loop; then call {@link whenStored}.
   */
  beginRequest(bytes: number): void {
    if (!this.builder.isEmpty && this.builder.length + bytes > BATCH_BYTES) this.closeBatch();
    this.requestStart = this.builder.length;
    this.requestFirst = this.builder.count;
  }

  /**
   * Has the lines added so far stored soon.
   *
   * @param lingerMs they may stay in the open batch until so long after the one before them was closed; {@link whenStored} closes
   * it at once.
   */
  flushInBackground(lingerMs = 0): void {
    if (this.builder.isEmpty) return;
    this.markOpened();
    const restMs = lingerMs === 0 ? 0 : this.schedule.linger(lingerMs, performance.now());
    if (restMs === 0) {
      if (this.mayWaitUnread && this.builder.hasGrown) this.waitNoLonger();
      else this.scheduleClose();
      if (this.onFailure === 'kept') this.builder.open();
    } else if (restMs !== ALREADY_SCHEDULED) setTimeout(() => this.onLingerEnded(), restMs);
  }

  /** Resolves when the lines of the open batch are stored; rejects when they are refused: then send them again. */
  whenStored(): Promise<unknown> {
    if (this.builder.isEmpty) return Promise.resolve();
    const { done } = this.ensureOpenBatch();
    if (this.mayWaitUnread) this.onTurnEnded();
    else this.scheduleClose(true);
    return done;
  }

  /** Closes and appends what is open; resolves when nothing is left, or after `graceMs`, with the number of lines that are left. */
  async flush(graceMs: number): Promise<number> {
    const giveUpMs = performance.now() + graceMs;
    while (!this.idle && performance.now() < giveUpMs) {
      this.closeBatch();
      // A store that fails is given time to recover; what is kept is retried meanwhile.
      await Promise.all(this.unstored.map(({ done }) => done)).catch(() => pause(APPEND_RETRY.firstMs));
    }
    let left = 0;
    for (const { batch } of this.unstored) left += batch?.count ?? 0;
    return left;
  }

  /** Tries nothing again from now on: the store is about to be closed, and the process has to end. */
  giveUp(): void {
    this.hasGivenUp = true;
    clearTimeout(this.retryTimer);
    this.builder.discardCell();
  }

  /** The router has it no more. */
  discard(): void {
    this.isDiscarded = true;
    this.builder.discardCell();
  }

  private readonly onAppended = (lines: number, lineBytes: number): void => {
    if (!this.appendedCounters) return;
    this.appendedCounters.lines += lines;
    this.appendedCounters.bytes += lineBytes;
  };

  /** There is no room for another line. Lines of one request stay together, if need be in a batch that is larger than others. */
  private makeRoom(): void {
    if (this.builder.isEmpty || (this.onFailure === 'refused' && this.requestFirst === 0)) {
      this.builder.extend();
      return;
    }
    if (this.onFailure === 'kept') {
      this.closeBatch();
      return;
    }
    const count = this.builder.count - this.requestFirst;
    const records = this.builder.takeBack(this.requestStart, this.requestFirst);
    this.closeBatch();
    this.beginRequest(0);
    if (count > 0) this.builder.addRecords(records, count);
  }

  private ensureOpenBatch(): PendingBatch {
    if (!this.openBatch) {
      this.openBatch = new PendingBatch(this, this.nextNumber++, this.markOpened());
      this.unstored.push(this.openBatch);
    }
    return this.openBatch;
  }

  /** There is an open batch. @returns when it was opened */
  private markOpened(): number {
    if (this.openedMs === 0) this.openedMs = performance.now();
    return this.openedMs;
  }

  /** What has gathered since nobody reads it shouldn't wait any longer. */
  onAwaited(): void {
    // The call that it has waited for closes then what is open, or nothing.
    if (this.mayWaitUnread) this.onTurnEnded();
  }

  /** @param isAwaited somebody waits until the lines are stored */
  private scheduleClose(isAwaited = false): void {
    if (this.isWaitingForStore || !this.schedule.requestClose()) return;
    const patience = this.patience(this.markOpened(), isAwaited);
    this.mayWaitUnread = patience === 'unread';
    atTurnEnd(this.onTurnEnded, patience);
  }

  private patience(openedMs: number, isAwaited: boolean): TurnPatience {
    if (this.onFailure === 'refused') return 'none';
    if (this.schedule.lastClosedMs + QUIET_MS < openedMs) return 'brief';
    return isAwaited || !this.isSlow || this.appender.isFollowed ? 'long' : 'unread';
  }

  /** There are more lines than were expected of a slow app: they are stored as those of others. */
  private waitNoLonger(): void {
    this.mayWaitUnread = false;
    // The other callback closes then what is open, or nothing.
    atTurnEnd(this.onTurnEnded, 'long');
  }

  private readonly onTurnEnded = (): void => {
    this.smallBatches = 0;
    this.mayWaitUnread = false;
    if (this.schedule.turnEnded()) this.sendOpenBatch();
  };

  private onLingerEnded(): void {
    this.schedule.lingerEnded();
    if (!this.builder.isEmpty) this.scheduleClose();
  }

  /** What is open leaves: now, or as soon as the store can send it. */
  private sendOpenBatch(): void {
    const { appender } = this;
    if (!appender.appendOpen || this.schedule.isFailing) this.closeBatch();
    else if (!this.isWaitingForStore && !this.builder.isEmpty) {
      this.setWaitingForStore(true);
      appender.appendOpen(this);
    }
  }

  /** For the store only: it sends what is open now. */
  takeBatch(): ClosedBatch {
    this.setWaitingForStore(false);
    this.smallBatches = 0;
    const pendingBatch = this.takeOpenBatch()!;
    this.schedule.closed(pendingBatch, this.lastUsedMs);
    return pendingBatch;
  }

  /** What comes while the store can't send it waits like what is closed; but for what fits in the fast path's memory, which is bounded. */
  private countOpenBytes(bytes: number): void {
    this.openBytes += bytes;
    this.events.addPendingBytes(bytes);
  }

  private setWaitingForStore(isWaiting: boolean): void {
    this.isWaitingForStore = isWaiting;
    addWaitingForStore(isWaiting ? 1 : -1);
  }

  /** Closes the open batch, if it has lines, and appends it unless it has to wait for a failed one. */
  private closeBatch(): void {
    const pendingBatch = this.takeOpenBatch();
    if (!pendingBatch) return;
    if (this.isWaitingForStore) {
      this.setWaitingForStore(false);
      this.appender.withdraw?.(this);
    }
    if (this.schedule.isFailing) this.updateHeldUp();
    if (this.schedule.closed(pendingBatch, this.lastUsedMs))
      this.appender.append(pendingBatch.batch, pendingBatch);
  }

  private takeOpenBatch(): ClosedBatch | undefined {
    const batch = this.builder.takeBatch();
    if (!batch) return undefined;
    const pendingBatch = this.ensureOpenBatch();
    this.openBatch = undefined;
    this.openedMs = 0;
    this.lastUsedMs = performance.now();
    this.isSlow = this.cameSlowly(batch.count, pendingBatch.openedMs);
    pendingBatch.batch = batch;
    this.waitingBytes += batch.bytes.length;
    this.events.addPendingBytes(batch.bytes.length - this.openBytes);
    this.openBytes = 0;
    return pendingBatch as ClosedBatch;
  }

  /** @param count lines of the batch that is closed now, and was opened at `openedMs` */
  private cameSlowly(count: number, openedMs: number): boolean {
    const { lastClosedMs } = this.schedule;
    const fromMs = lastClosedMs + QUIET_MS < openedMs ? openedMs : lastClosedMs;
    return count * SLOW_LINE_MS <= this.lastUsedMs - fromMs;
  }

  /** For its batches only. */
  onStored(pendingBatch: PendingBatch): void {
    const batch = pendingBatch.batch!;
    const queued = this.schedule.succeeded();
    if (this.retryTimer) clearTimeout(this.retryTimer);
    for (const next of queued) this.appendQueued(next);
    this.complete(pendingBatch, batch);
    if (this.failingBytes > 0) this.release();
    this.events.onBatchStored?.(this.app, batch, performance.now() - pendingBatch.openedMs);
    pendingBatch.resolve();
    batch.memory?.release();
    pendingBatch.batch = undefined;
    if (this.schedule.canClose) this.sendOpenBatch();
  }

  /** For its batches only. */
  onFailed(pendingBatch: PendingBatch, error: unknown): void {
    if (this.onFailure === 'kept') {
      const retryMs = this.schedule.failedAndKept(pendingBatch);
      this.failure = error;
      this.updateHeldUp();
      if (retryMs !== undefined && !this.hasGivenUp)
        this.retryTimer = setTimeout(() => this.onRetryDue(), retryMs);
    } else {
      this.schedule.failedAndDropped();
      this.complete(pendingBatch, pendingBatch.batch!);
    }
    this.events.onAppendFailed(this.app, error);
    pendingBatch.reject(error);
    if (this.schedule.canClose) this.sendOpenBatch();
  }

  /** Its appends fail: is that all that may wait? */
  private updateHeldUp(): void {
    this.events.addFailingBytes(this.waitingBytes - this.failingBytes);
    this.failingBytes = this.waitingBytes;
    if (this.isHeldUp || this.events.mayWait(this.waitingBytes)) return;
    this.isHeldUp = true;
    this.heldUpSinceMs = Date.now();
    this.events.onHeldUp(this.app, this.failure);
  }

  /** An append has succeeded. */
  private release(): void {
    this.events.addFailingBytes(-this.failingBytes);
    this.failingBytes = 0;
    this.failure = undefined;
    if (!this.isHeldUp) return;
    this.isHeldUp = false;
    const outcome = { sinceMs: this.heldUpSinceMs, lost: this.lostLines };
    this.lostLines = 0;
    const waiting = this.releaseWaiters ?? [];
    this.releaseWaiters = undefined;
    for (const resume of waiting) resume();
    this.events.onReleased(this.app, outcome);
  }

  private onRetryDue(): void {
    this.appendQueued(this.schedule.retry());
  }

  private appendQueued(pendingBatch: PendingBatch | undefined): void {
    if (pendingBatch?.batch) this.appender.append(pendingBatch.batch, pendingBatch);
  }

  private complete(pendingBatch: PendingBatch, batch: Batch): void {
    const { unstored } = this;
    if (unstored.length === 1) unstored.pop();
    else this.unstored = unstored.filter((other) => other !== pendingBatch);
    this.waitingBytes -= batch.bytes.length;
    this.events.addPendingBytes(-batch.bytes.length);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
