/**
 * The embedded store: streams in files of their own, append only, and LMDB for the small records. With `durability: 'process'` an
 * append resolves when the system has it: it survives `kill -9`, and a power cut costs the last seconds, never the store. With
 * `'disk'` it resolves when it is synced: a power cut costs nothing.
 */
import { chmodSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, TailraceError } from '../../../common/errors.ts';
import { makeDirectory } from '../../../common/files/make-directory.ts';
import type { Batch } from '../../syslog/batch.ts';
import { AppLimitTable, LIMITS_PREFIX, sweepIntervalMs } from '../app-limits.ts';
import type {
  AppendListener,
  AppendOptions,
  AppendResult,
  AppId,
  AppLimits,
  DamageListener,
  Lease,
  ListenerPatience,
  NamedBatch,
  ReadMemory,
  RecordChange,
  RecordListener,
  Retention,
  Sequence,
  Store,
  StoredBatch,
  StoredRecord,
  StoreStatus,
  StreamAppender,
  StreamBounds,
  StreamFile,
  TransactOptions,
} from '../contract.ts';
import { DamageReports } from '../damage-reports.ts';
import { Subscriptions } from '../subscriptions.ts';
import { BatchAppender, type BatchAppenderStore } from './batch-appender.ts';
import { type BootRecord, bootOfEarlierVersion, bootToNote, mayHaveLostLines } from './boot-record.ts';
import { COMMITS_FOLDER } from './commit-log/commit-log.ts';
import { FolderIdentity } from './folder-identity.ts';
import { lockFolder } from './folder-lock.ts';
import { EmbeddedLeases } from './leases.ts';
import { assertFormat, writeMarker } from './records/format-marker.ts';
import { FrameIdIndex, type FrameRange } from './records/frame-ids.ts';
import { LmdbFile } from './records/lmdb-file.ts';
import { DiskSpaceGuard } from './records/lmdb-safety.ts';
import { EmbeddedRecords, STORE_SCOPE } from './records/records.ts';
import {
  appsWithLines,
  assertStoreUsable,
  damagedStoreFile,
  STORE_FILE,
  StoreDamage,
} from './records/store-file.ts';
import { EmbeddedStreamNotes } from './records/stream-notes.ts';
import { upgradeStore } from './records/upgrade.ts';
import type { AllocatedBatch } from './segments/entry-format.ts';
import { type ErasureRecord, finishErasure } from './segments/line-eraser.ts';
import { StoreClock, type StoreClockRecord, type TimeSources } from './store-clock.ts';
import { StoreProblems } from './store-problems.ts';
import type { AppStream } from './streams/app-stream.ts';
import { SegmentGoneError } from './streams/appender.ts';
import { EmbeddedStreams } from './streams/streams.ts';

/** How often somebody looks whether the folder and the files are in their places when nothing is appended. */
const LOOK_MS = 1_000;
/** Of a stream that nothing may be trimmed from, so many times its retention's bytes are held. */
const HELD_FACTOR = 4;
const STREAMS_FOLDER = 'streams';
const CLOCK_KEY = 'clock';
const BOOT_KEY = 'boot';
/** Keys of deletions that were begun: the app follows. */
const ERASURE_PREFIX = 'erasure/';
/** A power cut costs no more than was written in this time. */
const SYNC_MS = 5_000;

export interface EmbeddedStoreOptions {
  readonly folder: string;
  readonly retention: Retention;
  /**
   * May the lines of a stream up to this one be trimmed, whose retention is exceeded? Else they stay, and when there are
   * {@link HELD_FACTOR} times as many bytes, nothing more is taken. Left out: yes. For whoever copies streams elsewhere; it must be quick.
   */
  readonly mayTrim?: (app: AppId, through: Sequence) => boolean;
  /** `process`: durable once the system has it, survives `kill -9`. `disk`: once synced, survives a power cut too. */
  readonly durability: 'process' | 'disk';
  /** A file of the commit log that is larger takes no more. Left out: 16 MB. */
  readonly commitFileBytes?: number;
  /** Told how long each sync of a file of lines took, ms. */
  readonly onSynced?: (ms: number) => void;
  /** Left out: the system's. */
  readonly time?: TimeSources;
  /** Called with a sentence about what doesn't work as it should. */
  readonly onProblem?: (message: string) => void;
}

export class EmbeddedStore implements Store {
  readonly shared = false;
  readonly limits: AppLimitTable;
  private readonly folder: string;
  private readonly file: LmdbFile;
  private readonly unlock: () => void;
  private readonly place: FolderIdentity;
  private readonly diskSpace: DiskSpaceGuard;
  private readonly durability: EmbeddedStoreOptions['durability'];
  private readonly streams: EmbeddedStreams;
  private readonly records: EmbeddedRecords;
  private readonly frameIds: FrameIdIndex;
  private readonly clock: StoreClock;
  private readonly notedBoot: BootRecord | undefined;
  private readonly leases: EmbeddedLeases;
  private readonly subscriptions = new Subscriptions();
  /** For all that append to a stream. */
  private readonly appenders: BatchAppenderStore;
  private readonly damage = new DamageReports();
  private readonly problems: StoreProblems;
  private readonly heldBytesMax: number | undefined;
  private isClosed = false;
  private sweepTimer: NodeJS.Timeout | undefined;
  private sweepMs = 0;
  private readonly syncTimer: NodeJS.Timeout;
  private readonly lookTimer: NodeJS.Timeout;
  /** Resolves when the streams were compared with what was noted of them. */
  readonly checked: Promise<void>;
  private runningSync: Promise<void> | undefined;
  /** Deletions of lines, up to the last one that was asked for. */
  private deleting: Promise<unknown> = Promise.resolve();

  /**
   * Opens the store, and makes the folder if it isn't there.
   * @throws TailraceError `data_folder` when it can't be used, with what to do.
   */
  constructor(options: EmbeddedStoreOptions) {
    const { folder } = options;
    this.folder = folder;
    this.durability = options.durability;
    this.limits = new AppLimitTable(options.retention);
    if (options.mayTrim) this.heldBytesMax = HELD_FACTOR * options.retention.bytes;
    this.diskSpace = new DiskSpaceGuard(folder);
    this.problems = new StoreProblems({ folder, diskSpace: this.diskSpace, onProblem: options.onProblem });
    let unlock = (): void => {};
    try {
      makeDirectory(folder, 0o700);
      unlock = lockFolder(folder);
      const { format } = assertStoreUsable(folder);
      assertFormat(folder, format);
      const path = join(folder, STORE_FILE);
      this.file = new LmdbFile({ path, maxDbs: 8, noMemInit: true, encoding: 'binary' });
      chmodSync(path, 0o600);
      // Before anything is written that an earlier version can't read.
      writeMarker(folder);
      upgradeStore(this.file.root, format);
      makeDirectory(join(folder, STREAMS_FOLDER), 0o700);
      this.place = new FolderIdentity(folder, [STREAMS_FOLDER, STORE_FILE], (trouble) =>
        this.onPlaceChanged(trouble),
      );
      this.records = new EmbeddedRecords(this.file, this.diskSpace);
      this.limits.load(this.records.list<AppLimits>('', LIMITS_PREFIX));
      const savedClock = this.records.get<StoreClockRecord>(STORE_SCOPE, CLOCK_KEY)?.value;
      this.clock = new StoreClock(savedClock, options.time);
      this.notedBoot =
        this.records.get<BootRecord>(STORE_SCOPE, BOOT_KEY)?.value ?? bootOfEarlierVersion(savedClock);
      this.leases = new EmbeddedLeases(this.records);
      this.frameIds = new FrameIdIndex(this.file, this.clock, this.diskSpace);
      for (const { key, value } of this.records.list<ErasureRecord>(STORE_SCOPE, ERASURE_PREFIX)) {
        finishErasure(join(folder, STREAMS_FOLDER, key.slice(ERASURE_PREFIX.length)), value);
        void this.records.transact(STORE_SCOPE, [{ key, value: undefined }]).catch(() => {}); // at the next start
      }
      this.streams = new EmbeddedStreams({
        ...options,
        folder: join(folder, STREAMS_FOLDER),
        commitFolder: join(folder, COMMITS_FOLDER),
        limits: this.limits,
        clock: this.clock,
        place: this.place,
        onFrameId: (app, { frameId = '', first, last }) =>
          this.frameIds.recover(app, frameId, { first, last }),
        notes: new EmbeddedStreamNotes(this.file, this.diskSpace),
        journal: {
          put: async (app, value) => {
            await this.records.transact(STORE_SCOPE, [{ key: ERASURE_PREFIX + app, value }]);
            await this.file.flushed();
          },
        },
        onLost: (app, { range: [first, last], isNew }) => this.damage.report({ app, first, last, isNew }),
        onFilesGone: (paths) => this.problems.onFilesGone(paths),
        onUnusable: (app, error) =>
          this.problems.report(`The stream of app ${app} can't be used (${reasonOf(error)}).`),
      });
    } catch (error) {
      unlock();
      throw folderError(folder, error);
    }
    this.unlock = unlock;
    this.appenders = {
      streams: this.streams,
      subscriptions: this.subscriptions,
      requireInPlace: () => this.place.require(),
      requireRoom: (stream, bytes) => {
        this.diskSpace.requireSpace(bytes);
        this.requireCopied(stream);
      },
      explainFailure: (app, error) => this.explainFailure(app, error),
    };
    const { damagedCommitBytes: damaged } = this.streams;
    if (damaged > 0) this.problems.report(damagedCommits(damaged));
    this.clock.onStep = () => void this.saveClock();
    // With the clock, which no longer says it then.
    void this.saveClock(this.notedBoot);
    this.checked = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.checkStreams());
    this.startSweeping();
    this.limits.watch((apps) => {
      if (this.isClosed) return;
      this.streams.onLimitsChanged(apps);
      this.startSweeping();
    });
    this.lookTimer = setInterval(() => {
      if (this.place.check() !== undefined) return;
      this.streams.checkFiles();
      this.problems.checkDisk();
    }, LOOK_MS).unref();
    // What can't be synced now is still in the page cache: appends will report the error.
    this.syncTimer = setInterval(() => {
      // A slow disk may need longer than that.
      this.runningSync ??= this.streams
        .sync()
        .catch(() => {})
        .finally(() => {
          this.runningSync = undefined;
        });
    }, SYNC_MS).unref();
  }

  async append(app: AppId, batch: Batch, options?: AppendOptions): Promise<AppendResult> {
    this.place.require();
    const frameId = options?.frameId;
    const stream = this.streams.get(app);
    const stored = frameId === undefined ? undefined : this.frameIds.find(app, frameId);
    if (stored) {
      this.place.requireNow();
      return { ...(await stored), duplicate: true };
    }
    this.diskSpace.requireSpace(batch.bytes.length);
    this.requireCopied(stream);
    const allocated = stream.allocate(batch, frameId);
    const { first, last } = allocated.stored;
    const written = this.write(app, [allocated]);
    if (frameId !== undefined)
      this.frameIds.addPending(
        app,
        frameId,
        written.then(() => ({ first, last })),
      );
    await written;
    this.subscriptions.notifyAppend(app, allocated.stored);
    return { first, last, duplicate: false };
  }

  appenderFor(app: AppId): StreamAppender {
    return new BatchAppender(app, this.appenders);
  }

  async appendAll(app: AppId, batches: readonly NamedBatch[]): Promise<readonly AppendResult[]> {
    // Opened first: what the process before this one named is found in it.
    this.streams.get(app);
    const ranges = new Map<NamedBatch, FrameRange>();
    for (;;) {
      const pending = this.findFrames(app, batches, ranges);
      if (!pending) break;
      ranges.set(pending[0], await pending[1]);
    }
    // No wait from here on until these are pending themselves.
    const stream = this.streams.get(app); // another one when the app's was removed meanwhile
    const fresh = batches.filter((one) => !ranges.has(one));
    this.diskSpace.requireSpace(fresh.reduce((sum, { batch }) => sum + batch.bytes.length, 0));
    if (fresh.length > 0) this.requireCopied(stream);
    const allocated = fresh.map(({ batch, frameId }) => stream.allocate(batch, frameId || undefined));
    const written = allocated.length > 0 ? this.write(app, allocated) : undefined;
    for (const [i, { stored, frameId }] of allocated.entries()) {
      const range = { first: stored.first, last: stored.last };
      if (frameId !== undefined)
        this.frameIds.addPending(
          app,
          frameId,
          written!.then(() => range),
        );
      ranges.set(fresh[i], range);
    }
    await written;
    for (const { stored } of allocated) this.subscriptions.notifyAppend(app, stored);
    return batches.map((one) => ({ ...ranges.get(one)!, duplicate: !fresh.includes(one) }));
  }

  async read(app: AppId, after: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]> {
    return this.streams.read(app, after, bytes, memory);
  }

  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.readBefore(app, before, bytes);
  }

  pieceEnds(app: AppId, after: Sequence, bytes: number, count: number): readonly Sequence[] {
    return this.streams.pieceEnds(app, after, bytes, count);
  }

  closedFiles(app: AppId): readonly StreamFile[] {
    return this.place.check() === undefined ? this.streams.closedFiles(app) : [];
  }

  async bounds(app: AppId): Promise<StreamBounds> {
    // Who asks that is about to read, delete or copy it: what has gathered is written in this turn.
    this.subscriptions.notifyAwaited(app);
    await undefined;
    return this.streams.bounds(app);
  }

  async repeatedEnds(): Promise<ReadonlyMap<AppId, Sequence> | undefined> {
    if (!mayHaveLostLines(this.notedBoot, this.clock.bootId)) return undefined;
    // Streams that aren't as they were noted are open then.
    await this.checked;
    const ends = new Map(this.knownApps().map((app) => [app, 0]));
    for (const app of this.streams.apps()) ends.set(app, this.streams.lastOf(app));
    return ends;
  }

  async endsNoted(): Promise<void> {
    const value = bootToNote(this.notedBoot, { bootId: this.clock.bootId, durability: this.durability });
    if (value === this.notedBoot) return;
    await this.records.transact(STORE_SCOPE, [{ key: BOOT_KEY, value }]);
    await this.file.flushed();
  }

  async hasReached(app: AppId, sequence: Sequence): Promise<boolean> {
    return this.streams.bounds(app).last >= sequence;
  }

  async heldBytes(apps: readonly AppId[]): Promise<readonly number[]> {
    return apps.map((app) => this.streams.heldBytes(app));
  }

  async storedBytes(app: AppId): Promise<number> {
    return this.streams.storedBytes(app);
  }

  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    return this.streams.sequenceAt(app, ms);
  }

  subscribe(app: AppId, listener: AppendListener, isPatient?: ListenerPatience): () => void {
    return this.subscriptions.subscribe(app, listener, isPatient);
  }

  storeGathered(app: AppId): void {
    this.subscriptions.notifyAwaited(app);
  }

  watchAwaited(listener: (app: AppId) => void): void {
    this.subscriptions.watchAwaited(listener);
  }

  async restore(app: AppId, batch: StoredBatch): Promise<void> {
    this.place.require();
    this.diskSpace.requireSpace(batch.bytes.length);
    await this.write(app, [this.streams.get(app).restore(batch)]);
  }

  watchDamage(listener: DamageListener): () => void {
    return this.damage.watch(listener);
  }

  watchOutage(_app: AppId, listener: (unavailable: boolean) => void): () => void {
    return this.problems.watchOutage(listener);
  }

  async deleteLines(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: (batch: StoredBatch) => ReadonlySet<Sequence>,
  ): Promise<number> {
    // One after the other: each writes whole segments.
    const deleted = this.deleting.then(async () => {
      await this.checked;
      return this.streams.deleteLines(app, range, pick);
    });
    this.deleting = deleted.catch(() => {});
    try {
      return await deleted;
    } catch (error) {
      if (error instanceof TailraceError) throw error;
      throw await this.diskSpace.noteFailure(error, 'lines');
    }
  }

  dropStream(app: AppId): Promise<void> {
    // What comes later would be a stream of an app that isn't there.
    this.subscriptions.notifyAwaited(app);
    return this.streams.dropStream(app);
  }

  async get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    return this.records.get<T>(scope, key);
  }

  async list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.list<T>(scope, prefix);
  }

  async listOfApp<T>(app: AppId, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.listOfApp<T>(app, prefix);
  }

  async transact(
    scope: string,
    changes: readonly RecordChange[],
    options?: TransactOptions,
  ): Promise<boolean> {
    this.place.require();
    const made = await this.commitDurably(this.records.transact(scope, changes));
    if (made && scope === '') this.limits.apply(changes);
    if (made && !options?.quiet)
      this.subscriptions.notifyRecordChange(
        scope,
        changes.map(({ key }) => key),
      );
    return made;
  }

  watchRecords(listener: RecordListener): () => void {
    return this.subscriptions.watchRecords(listener);
  }

  async time(): Promise<number> {
    return Date.now();
  }

  watchEmptied(): () => void {
    return () => {}; // nobody else writes to its files
  }

  acquireLease(name: string, owner: string, ttlMs: number, above?: number): Promise<Lease | undefined> {
    return this.leases.acquireLease(name, owner, ttlMs, above);
  }

  async releaseLease(lease: Lease): Promise<void> {
    this.leases.releaseLease(lease);
  }

  get trouble(): string | undefined {
    return this.place.check() ?? this.problems.trouble;
  }

  onServerStarted(): void {}

  async status(): Promise<StoreStatus> {
    const { trouble } = this;
    const facts = { durability: this.durability, ...(await this.diskFacts()) };
    const lost = this.damage.describe(
      (app) => this.records.get<{ name?: string }>('', `app/${app}`)?.value.name,
    );
    return { kind: 'embedded', trouble, concerns: [...lost, ...this.problems.reported], facts };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.sweepTimer);
    clearInterval(this.syncTimer);
    clearInterval(this.lookTimer);
    await this.runningSync;
    await this.deleting;
    await this.streams.close();
    await this.saveClock();
    await this.file.close();
    this.place.close();
    this.unlock();
  }

  /** Sweeps as often as the shortest age needs. */
  private startSweeping(): void {
    const sweepMs = sweepIntervalMs(this.limits.ageRangeMs[0]);
    if (sweepMs === this.sweepMs) return;
    this.sweepMs = sweepMs;
    clearInterval(this.sweepTimer);
    this.sweepTimer = setInterval(() => {
      this.clock.forgetBefore(2 * this.limits.ageRangeMs[1]);
      void this.saveClock();
      this.streams.trimAged();
      this.frameIds.removeExpired();
    }, sweepMs).unref();
  }

  /** @throws TailraceError `unavailable` */
  private requireCopied(stream: AppStream): void {
    if (this.heldBytesMax === undefined || stream.heldBytes <= this.heldBytesMax) return;
    // Some may have been copied since it was trimmed.
    stream.trim();
    if (stream.heldBytes <= this.heldBytesMax) return;
    throw new TailraceError(
      'unavailable',
      'Lines come faster than they are packed, and too many wait for that: try again in a moment.',
    );
  }

  private async diskFacts(): Promise<{ bytes: number; free_bytes: number }> {
    try {
      const { bsize, bavail } = statfsSync(this.folder);
      const { size } = statSync(join(this.folder, STORE_FILE));
      return { bytes: size + (await this.streams.diskBytes()), free_bytes: bsize * bavail };
    } catch {
      return { bytes: 0, free_bytes: 0 }; // there is no such disk
    }
  }

  private onPlaceChanged(trouble: string | undefined): void {
    if (trouble === undefined) this.streams.reopenFiles();
    this.problems.onPlaceChanged(trouble);
  }

  /** What can't be saved now is with the next sweep. */
  private async saveClock(boot?: BootRecord): Promise<void> {
    const changes: RecordChange[] = [{ key: CLOCK_KEY, value: this.clock.save() }];
    if (boot) changes.push({ key: BOOT_KEY, value: boot });
    await this.records.transact(STORE_SCOPE, changes).catch(() => {});
  }

  /** Looks for what is missing, in the background: it takes a second with ten thousand apps. */
  private async checkStreams(): Promise<void> {
    try {
      await this.streams.checkAll();
      if (this.isClosed) return;
      const known = new Set<string>(this.knownApps());
      const unknown = appsWithLines(this.folder).filter((app) => !known.has(app));
      if (unknown.length > 0) this.problems.report(unknownStreams(unknown));
    } catch (error) {
      if (!this.isClosed) this.problems.report(`The streams can't be checked (${reasonOf(error)}).`);
    }
  }

  private knownApps(): AppId[] {
    return this.records.list('', 'app/').map(({ key }) => key.slice('app/'.length) as AppId);
  }

  /** Adds where frames are that were stored before; returns one that is being written, which has to be waited for. */
  private findFrames(
    app: AppId,
    batches: readonly NamedBatch[],
    found: Map<NamedBatch, FrameRange>,
  ): readonly [NamedBatch, Promise<FrameRange>] | undefined {
    let pending: readonly [NamedBatch, Promise<FrameRange>] | undefined;
    for (const one of batches) {
      if (one.frameId === '' || found.has(one)) continue;
      const range = this.frameIds.find(app, one.frameId);
      if (range instanceof Promise) pending = [one, range];
      else if (range) found.set(one, range);
    }
    return pending;
  }

  private async write(app: AppId, allocated: readonly AllocatedBatch[]): Promise<void> {
    try {
      await this.streams.append(app, allocated);
    } catch (error) {
      throw await this.explainFailure(app, error);
    }
  }

  /** What to say about a write of lines that failed. */
  private async explainFailure(app: AppId, error: unknown): Promise<TailraceError> {
    this.place.requireNow();
    if (!(error instanceof SegmentGoneError)) return this.diskSpace.noteFailure(error, 'lines');
    this.streams.onSegmentGone(app, error.segment);
    return new TailraceError(
      'unavailable',
      'The file that these lines were written to was removed meanwhile: send them again, and they go to another one.',
      { cause: error },
    );
  }

  private async commitDurably<T>(committed: Promise<T>): Promise<T> {
    try {
      const result = await committed;
      if (this.durability === 'disk') await this.file.flushed();
      await this.place.requireOnce();
      return result;
    } catch (error) {
      throw await this.diskSpace.noteFailure(error);
    }
  }
}

/** Why a data folder can't be used, and what to do. */
function folderError(folder: string, error: unknown): TailraceError {
  if (error instanceof TailraceError) return error;
  if (error instanceof StoreDamage) return new TailraceError('data_folder', error.message);
  if (/^MDB_/.test(reasonOf(error)))
    return new TailraceError('data_folder', damagedStoreFile(folder, reasonOf(error)), { cause: error });
  return new TailraceError(
    'data_folder',
    `The data folder ${folder} can't be used (${reasonOf(error)}): make it readable and writable, or choose another one with TAILRACE_DATA.`,
    { cause: error },
  );
}

function damagedCommits(bytes: number): string {
  return `${bytes} bytes of the commit log (${COMMITS_FOLDER}/) are damaged: the lines that were in them and in no segment yet are lost.`;
}

function unknownStreams([app, ...more]: readonly string[]): string {
  const which = more.length > 0 ? `${more.length + 1} apps (${app} …)` : `an app (${app})`;
  return `streams/ holds lines of ${which} that store.mdb doesn't know, as when that is an older copy: put the newer one back, have \`tailrace repair\` make apps of them, or remove their folders.`;
}
