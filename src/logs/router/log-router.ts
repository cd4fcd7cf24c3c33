/**
 * The router: the only connection between sources (ingress) and tails and drains (egress). Sources look tokens up here and pass
 * their lines to the batcher of the token's app, which appends them to the app's stream in batches.
 */
import type { AppendResult, AppId, NamedBatch, Store } from '../store/contract.ts';
import type { Batch } from '../syslog/batch.ts';
import { Batcher, type BatcherEvents, type FailurePolicy, type HeldUpOutcome } from './batcher.ts';
import { type LogSource, TokenCache, type TokenLookup } from './token-cache.ts';

/** Of what may wait, apps whose appends fail have such a part together; beyond it, each of them such a one at the most. */
const FAILING_SHARE = 1 / 2;
const FAILING_APP_SHARE = 1 / 16;
/** An app's batcher is discarded after it was unused for this long. */
const BATCHER_IDLE_MS = 30_000;

export interface LogRouterOptions {
  /** Bytes that may wait to be stored before sources have to pause or are rejected. */
  readonly pendingBytesMax: number;
  /** Called for every append that fails; the caller limits how often it warns. */
  readonly onAppendFailed: (app: AppId, error: unknown) => void;
  /** Called for every batch that is stored, `afterMs` after its first line was added: it must be quick. */
  readonly onBatchStored?: (app: AppId, batch: Batch, afterMs: number) => void;
  /** Called when an app's appends fail and no more of its lines may wait, and when that is over. Left out: nobody is told. */
  readonly onHeldUp?: (app: AppId, error: unknown) => void;
  readonly onReleased?: (app: AppId, outcome: HeldUpOutcome) => void;
}

export class LogRouter implements BatcherEvents, TokenLookup {
  private readonly store: Store;
  private readonly options: LogRouterOptions;
  private readonly tokens: TokenCache;
  /** A batch has lines of one kind only, so there are two batchers for an app. */
  private readonly batchers: Readonly<Record<FailurePolicy, Map<AppId, Batcher>>> = {
    kept: new Map(),
    refused: new Map(),
  };
  private readonly resumeWaiters = new Set<() => void>();
  private readonly sweepTimer: NodeJS.Timeout;
  private pendingBytes = 0;
  private failingBytes = 0;
  private isClosed = false;

  constructor(store: Store, options: LogRouterOptions) {
    this.store = store;
    this.options = options;
    this.tokens = new TokenCache(store);
    // The store outlives it by nothing.
    store.watchAwaited((app) => this.batchers.kept.get(app)?.onAwaited());
    this.sweepTimer = setInterval(() => this.sweepUnused(), BATCHER_IDLE_MS);
    this.sweepTimer.unref();
  }

  /** Too much waits to be stored: sources that can pause do so, the others reject lines and count them. */
  get congested(): boolean {
    return this.pendingBytes > this.options.pendingBytesMax;
  }

  /** Grows when tokens were made or revoked: whoever caches a log source looks its token up again. */
  get tokensVersion(): number {
    return this.tokens.version;
  }

  /** Calls `resume` once, as soon as the router isn't congested any more. */
  whenUncongested(resume: () => void): void {
    this.resumeWaiters.add(resume);
  }

  /** The token's log source; null when there is none, undefined when it has to be looked up with {@link loadToken}. */
  lookupToken(token: string): LogSource | null | undefined {
    return this.tokens.lookup(token);
  }

  /** Looks a token up in the store; null when there is none. */
  loadToken(token: string): Promise<LogSource | null> {
    return this.tokens.load(token);
  }

  /** The batcher of an app's lines that are kept until they are stored; use it at once, since it is discarded when it is unused. */
  batcher(app: AppId): Batcher {
    return this.batcherFor(app, 'kept');
  }

  /** The batcher of an app's lines whose senders wait for an answer, and send again what was refused; use it at once, too. */
  requestBatcher(app: AppId): Batcher {
    return this.batcherFor(app, 'refused');
  }

  /** Appends batches, all of them or none, without a batcher: a frame id that was used before stores nothing (`duplicate`). */
  async appendAll(app: AppId, batches: readonly NamedBatch[]): Promise<readonly AppendResult[]> {
    let bytes = 0;
    for (const { batch } of batches) bytes += batch.bytes.length;
    const startedMs = performance.now();
    this.addPendingBytes(bytes);
    try {
      const appended = await this.store.appendAll(app, batches);
      const afterMs = performance.now() - startedMs;
      for (const [i, { duplicate }] of appended.entries())
        if (!duplicate) this.onBatchStored(app, batches[i].batch, afterMs);
      return appended;
    } catch (error) {
      this.onAppendFailed(app, error);
      throw error;
    } finally {
      this.addPendingBytes(-bytes);
    }
  }

  /** Stores what is left, for up to `graceMs`, and stops; resolves with the number of lines that could not be stored. */
  async close(graceMs: number): Promise<number> {
    clearInterval(this.sweepTimer);
    const { kept, refused } = this.batchers;
    const batchers = [...kept.values(), ...refused.values()];
    const left = await Promise.all(batchers.map((batcher) => batcher.flush(graceMs)));
    // Those that get lines meanwhile are none of these.
    this.isClosed = true;
    for (const all of [kept, refused]) for (const batcher of all.values()) batcher.giveUp();
    return left.reduce((sum, lines) => sum + lines, 0);
  }

  addPendingBytes(bytes: number): void {
    const before = this.congested;
    this.pendingBytes += bytes;
    if (!before || this.congested) return;
    const waiting = [...this.resumeWaiters];
    this.resumeWaiters.clear();
    for (const resume of waiting) resume();
  }

  addFailingBytes(bytes: number): void {
    this.failingBytes += bytes;
  }

  mayWait(bytes: number): boolean {
    const { pendingBytesMax } = this.options;
    return (
      this.failingBytes <= pendingBytesMax * FAILING_SHARE || bytes <= pendingBytesMax * FAILING_APP_SHARE
    );
  }

  onHeldUp(app: AppId, error: unknown): void {
    this.options.onHeldUp?.(app, error);
  }

  onReleased(app: AppId, outcome: HeldUpOutcome): void {
    this.options.onReleased?.(app, outcome);
  }

  onBatchStored(app: AppId, batch: Batch, afterMs: number): void {
    this.options.onBatchStored?.(app, batch, afterMs);
  }

  /** Bytes that may wait to be stored before sources have to pause. */
  get waitingBytesMax(): number {
    return this.options.pendingBytesMax;
  }

  /** Bytes that wait to be stored. */
  get waitingBytes(): number {
    return this.pendingBytes;
  }

  onAppendFailed(app: AppId, error: unknown): void {
    this.options.onAppendFailed(app, error);
  }

  private sweepUnused(): void {
    const before = performance.now() - BATCHER_IDLE_MS;
    for (const batchers of Object.values(this.batchers))
      for (const [app, batcher] of batchers)
        if (batcher.idle && batcher.lastUsedMs < before) {
          batcher.discard();
          batchers.delete(app);
        }
  }

  private batcherFor(app: AppId, onFailure: FailurePolicy): Batcher {
    const batchers = this.batchers[onFailure];
    let batcher = batchers.get(app);
    if (!batcher) {
      batcher = new Batcher(app, this.store, this, onFailure);
      if (this.isClosed) batcher.giveUp();
      batchers.set(app, batcher);
    }
    return batcher;
  }
}
