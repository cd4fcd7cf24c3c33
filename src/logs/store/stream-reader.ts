/**
 * Reads a stream once per app and process, however many tails and drains follow it: the newest batches stay in
 * memory, as the same objects for all of them, so that what is derived from a batch can be shared too.
 */
import { CoalescedRun } from '../../common/coalesced-run.ts';
import {
  type AppId,
  type ListenerPatience,
  mayHaveChanged,
  type ReadMemory,
  type Sequence,
  type Store,
  type StoredBatch,
  type StreamFile,
} from './contract.ts';
import type { FileScanner } from './file-scanner.ts';
import { RecentBatches } from './recent-batches.ts';
import { EDITION_PREFIX, loadEditions } from './stream-edition.ts';
import { loadPositions, StreamPositions } from './stream-positions.ts';
import { isAnyImpatient } from './subscriptions.ts';

/** Bytes that are read from the store at a time. */
const READ_BYTES = 1_048_576;
/** The end of a stream on a shared store that is missing for so long won't come back: routers are back from a failover long before. */
const SETTLED_AFTER_MS = 15_000;
/** A store that is unavailable is asked again after this time. */
const RETRY_MS = 250;

/** A moment on both clocks of this process: the one that only goes on, and that of the wall, milliseconds since 1970. */
interface Moment {
  readonly uptimeMs: number;
  readonly wallMs: number;
}

/** A shared reader of one app's stream. Get one with {@link StreamReaders.open}, and close it. */
export class StreamReader {
  readonly app: AppId;
  private readonly store: Store;
  /** Scans the stream's files; undefined: whoever searches reads. */
  readonly scanner: FileScanner | undefined;
  private readonly listeners = new Map<() => void, ListenerPatience | undefined>();
  private readonly unsubscribe: () => void;
  private readonly recent: RecentBatches;
  /** Reads what is new: a notification brought no batch, or not the next one, and the store has it. */
  private readonly catchUp = new CoalescedRun(() => this.fetchNew());
  /** Up to which line the end of the stream was missing when that was asked the last time, and since when. */
  private missing = { through: -1, sinceMs: 0 };
  private closed = false;
  /** The newest sequence that is known here. */
  newest: Sequence = 0;
  /** How often lines were deleted from the stream: what was read before the last time isn't what there is. */
  edition = 0;
  /** What positions its lines have, once it is {@link ready}. */
  positions = new StreamPositions();
  /** Resolves when `newest` is known for the first time. */
  private readonly loaded: Promise<void>;
  private users = 0;
  /** Resolves when `newest` is known, with what had gathered when somebody opened it the last time. */
  ready: Promise<void>;
  /** {@link ready} has resolved. */
  isReady = false;

  constructor(app: AppId, store: Store, budget: { bytes: number }, scanner: FileScanner | undefined) {
    this.app = app;
    this.scanner = scanner;
    this.store = store;
    this.recent = new RecentBatches(budget);
    this.unsubscribe = store.subscribe(
      app,
      (batch) => this.onStoreAppend(batch),
      () => this.isPatient,
    );
    this.loaded = this.loadNewest();
    this.ready = this.loaded;
  }

  /** Somebody opens it. What has gathered is appended before {@link ready} resolves; where it has to be synced first, it may come some milliseconds behind that. */
  addUser(): void {
    if (this.isPatient) {
      this.isReady = false;
      this.ready = this.loadGathered();
    }
    this.users++;
  }

  /** @returns whether nobody has it open any more */
  removeUser(): boolean {
    return --this.users === 0;
  }

  /** All who have it open listen, and are patient. */
  private get isPatient(): boolean {
    return this.users > 0 && this.listeners.size >= this.users && !isAnyImpatient(this.listeners);
  }

  /** Calls `listener` whenever there is something new, until the returned function is called. @param isPatient as in {@link Store.subscribe} */
  onAppend(listener: () => void, isPatient?: ListenerPatience): () => void {
    this.listeners.set(listener, isPatient);
    return () => this.listeners.delete(listener);
  }

  /** As {@link Store.storeGathered}. */
  storeGathered(): void {
    this.store.storeGathered(this.app);
  }

  /** Batches that were stored before aren't shown any more, milliseconds since 1970. */
  get oldestShownMs(): number {
    return Date.now() - this.store.limits.retentionOf(this.app).ageMs;
  }

  /** Must a batch that was stored then, milliseconds since 1970, not be shown any more? The store has removed it, or will soon. */
  isTooOld(storedAtMs: number): boolean {
    return storedAtMs < this.oldestShownMs;
  }

  private readonly isTooOldNow = (storedAtMs: number): boolean => this.isTooOld(storedAtMs);

  /**
   * Batches with lines after a sequence that are in memory; undefined when the store has to be asked. Their memory is retained: whoever
   * has done with one may release it.
   */
  recentAfter(after: Sequence): readonly StoredBatch[] | undefined {
    const batches = this.findRecent(after);
    if (batches) for (const { memory } of batches) memory?.retain();
    return batches;
  }

  private findRecent(after: Sequence): readonly StoredBatch[] | undefined {
    if (after >= this.newest) return [];
    this.recent.evictWhile(this.isTooOldNow);
    return this.recent.after(after);
  }

  /** Batches with lines after a sequence, from memory or the store, as {@link recentAfter} gives them; what was trimmed is skipped. */
  async readAfter(after: Sequence): Promise<readonly StoredBatch[]> {
    return this.recentAfter(after) ?? this.store.read(this.app, after, READ_BYTES);
  }

  /** About so many bytes of them from the store, which may use `memory`. */
  readStored(after: Sequence, bytes: number, memory: ReadMemory): Promise<readonly StoredBatch[]> {
    return this.store.read(this.app, after, bytes, memory);
  }

  /** As {@link Store.pieceEnds}. */
  pieceEnds(after: Sequence, bytes: number, count: number): readonly Sequence[] {
    return this.store.pieceEnds(this.app, after, bytes, count);
  }

  /**
   * A read of what comes after a sequence gave nothing, though there were lines: up to which of them is that so for good? The sequence
   * itself when that isn't sure yet: after a failover, or several, their numbers may be given anew, to the same lines or to others.
   */
  async missingEndAfter(after: Sequence): Promise<Sequence> {
    const { newest } = this;
    const { last } = await this.store.bounds(this.app);
    const through = Math.min(newest, last);
    const nowMs = performance.now();
    if (this.missing.through !== through) this.missing = { through, sinceMs: nowMs };
    if (this.store.shared && nowMs - this.missing.sinceMs < SETTLED_AFTER_MS) return after;
    // What has these numbers by now was stored between the two answers.
    return through > after && (await this.readAfter(after)).length === 0 ? through : after;
  }

  /** Has the stream come so far, as it is stored? Also with lines that aren't known here yet. */
  hasReached(sequence: Sequence): Promise<boolean> {
    return this.store.hasReached(this.app, sequence);
  }

  /** Batches with lines before a sequence, newest first. */
  readBefore(before: Sequence): Promise<StoredBatch[]> {
    return this.store.readBefore(this.app, before, READ_BYTES);
  }

  /** The file that holds a line, when nothing is added to it any more; undefined when the store has to be asked for the line. */
  closedFileOf(sequence: Sequence): StreamFile | undefined {
    const files = this.store.closedFiles(this.app);
    return files.find(({ first, last }) => first <= sequence && sequence <= last);
  }

  /** The last sequence that was stored before a time, milliseconds since 1970. */
  sequenceAt(ms: number): Promise<Sequence> {
    return this.store.sequenceAt(this.app, ms);
  }

  /**
   * The last line that was stored before a moment of this process, or one before that: the store's clock may have been set meanwhile, or run faster
   * for a while, as NTP has it, mostly with this machine's.
   */
  async sequenceAtMoment({ uptimeMs, wallMs }: Moment): Promise<Sequence> {
    const nowMs = await this.store.time();
    const passedMs = Math.max(performance.now() - uptimeMs, Date.now() - wallMs);
    return this.sequenceAt(Math.floor(nowMs - passedMs));
  }

  /** Calls `listener` when the store becomes unavailable, and when it is available again, until the returned function is called. */
  onOutage(listener: (unavailable: boolean) => void): () => void {
    return this.store.watchOutage(this.app, listener);
  }

  /** Lines were deleted from the stream: what is in memory may have them. */
  onLinesDeleted(edition: number): void {
    this.edition = edition;
    this.recent.clear();
  }

  /** Lets go of the batches that it keeps; nobody is notified any more. */
  close(): void {
    this.closed = true;
    this.unsubscribe();
    this.listeners.clear();
    this.recent.clear();
  }

  /** Finds out where the stream ends; waits for a store that is unavailable. */
  private async loadNewest(): Promise<void> {
    while (!this.closed) {
      try {
        const [{ last }, positions] = await Promise.all([
          this.store.bounds(this.app),
          loadPositions(this.store, this.app),
        ]);
        this.positions = positions;
        // A notification may have been faster: then what is between it and `last` has to be fetched.
        if (this.newest === 0) this.newest = last;
        else if (last > this.newest) void this.catchUp.request();
        this.isReady = true;
        return;
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  /** What has gathered is appended, and known here. */
  private async loadGathered(): Promise<void> {
    await this.loaded;
    // A store that is unavailable says so to whoever reads.
    const { last } = await this.store.bounds(this.app).catch(() => ({ last: 0 }));
    if (last > this.newest) await this.catchUp.request();
    this.isReady = true;
  }

  private onStoreAppend(batch: StoredBatch | undefined): void {
    if (batch && (batch.first === this.newest + 1 || this.newest === 0)) {
      this.push(compact(batch));
      this.notifyListeners();
    } else if (!batch || batch.last > this.newest) void this.catchUp.request();
  }

  private async fetchNew(): Promise<void> {
    await this.loaded;
    if (this.closed) return;
    const batches = await this.store.read(this.app, this.newest, READ_BYTES).catch(() => undefined);
    if (!batches) {
      // There will be no other notification for these lines.
      await pause(RETRY_MS);
      void this.catchUp.request();
      return;
    }
    let size = 0;
    for (const batch of batches) {
      size += batch.bytes.length;
      if (batch.last <= this.newest) continue;
      if (batch.first > this.newest + 1) this.recent.clear();
      this.push(batch);
    }
    for (const { memory } of batches) memory?.release();
    if (batches.length > 0) this.notifyListeners();
    if (size >= READ_BYTES) void this.catchUp.request();
  }

  private push(batch: StoredBatch): void {
    if (this.closed) return;
    this.recent.push(batch);
    this.newest = batch.last;
  }

  private notifyListeners(): void {
    for (const listener of this.listeners.keys()) listener();
  }
}

/** A batch as it is worth keeping: a small one is in a buffer that others wait for, and much larger than itself. */
function compact(batch: StoredBatch): StoredBatch {
  const { bytes, count, memory, first, last, storedAtMs } = batch;
  if (!memory || bytes.length * 2 > bytes.buffer.byteLength) return batch;
  return { bytes: Buffer.from(bytes), count, memory: undefined, first, last, storedAtMs };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** The readers of this process, one an app, shared by all who open them. */
export class StreamReaders {
  private readonly store: Store;
  private readonly shared = new Map<AppId, StreamReader>();
  private readonly budget = { bytes: 0 };
  private readonly scanner: FileScanner | undefined;
  /** Of streams of which lines were deleted. */
  private editions: ReadonlyMap<AppId, number> = new Map();
  private readonly refresh = new CoalescedRun(() => this.readEditions());

  /** @param scanner searches files on threads; left out: whoever searches reads all of them. */
  constructor(store: Store, scanner?: FileScanner) {
    this.store = store;
    this.scanner = scanner;
    // The store outlives it by nothing.
    store.watchRecords((scope, keys) => {
      if (scope === '' && mayHaveChanged(keys, EDITION_PREFIX)) void this.linesDeleted();
    });
    void this.linesDeleted();
  }

  /** Lines may have been deleted from streams: forgets what was read of those before. */
  async linesDeleted(): Promise<void> {
    await this.refresh.request().catch(() => {}); // with the next change
  }

  private async readEditions(): Promise<void> {
    this.editions = await loadEditions(this.store);
    for (const [app, edition] of this.editions) {
      const reader = this.shared.get(app);
      if (reader && reader.edition !== edition) reader.onLinesDeleted(edition);
    }
  }

  /** The app's reader; close it with the function that comes with it. */
  open(app: AppId): { reader: StreamReader; close: () => void } {
    const reader = this.shared.get(app) ?? new StreamReader(app, this.store, this.budget, this.scanner);
    if (!this.shared.has(app)) {
      reader.edition = this.editions.get(app) ?? 0;
      this.shared.set(app, reader);
    }
    reader.addUser();
    let closed = false;
    const close = () => {
      if (closed) return;
      closed = true;
      if (!reader.removeUser()) return;
      this.shared.delete(app);
      reader.close();
    };
    return { reader, close };
  }
}
