/**
 * The embedded store: streams in files of their own, append only, and LMDB for the small records. With `durability: 'process'` an
 * append resolves when the system has it: it survives `kill -9`, and a power cut costs the last seconds, never the store. With
 * `'disk'` it resolves when it is synced: a power cut costs nothing.
 */
import { chmodSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { reasonOf, TailraceError } from '../../../common/errors.ts';
import { makeDirectory } from '../../../common/make-directory.ts';
import type { Batch } from '../../syslog/batch.ts';
import type {
  AppendListener,
  AppendOptions,
  AppendResult,
  AppId,
  DamageListener,
  Lease,
  NamedBatch,
  RecordChange,
  Retention,
  Sequence,
  Store,
  StoredBatch,
  StoredRecord,
  StoreStatus,
  StreamBounds,
  TransactOptions,
} from '../contract.ts';
import { DamageReports } from '../damage-reports.ts';
import { Subscriptions } from '../subscriptions.ts';
import { lockFolder } from './folder-lock.ts';
import { EmbeddedLeases } from './leases.ts';
import { assertFormat, writeMarker } from './records/format-marker.ts';
import { FrameIdIndex, type FrameRange } from './records/frame-ids.ts';
import { commitError, DiskSpaceGuard, swallowInternalRejections } from './records/lmdb-safety.ts';
import { EmbeddedRecords } from './records/records.ts';
import { appsWithLines, assertStoreUsable, STORE_FILE, StoreDamage } from './records/store-file.ts';
import { EmbeddedStreamNotes } from './records/stream-notes.ts';
import { upgradeStore } from './records/upgrade.ts';
import type { AllocatedBatch } from './segments/app-stream.ts';
import { EmbeddedStreams } from './segments/streams.ts';

/** How often streams are trimmed by age, and expired frame ids removed. */
const SWEEP_MS = 60_000;
/** A power cut costs no more than was written in this time. */
const SYNC_MS = 5_000;

export interface EmbeddedStoreOptions {
  readonly folder: string;
  readonly retention: Retention;
  /** `process`: durable once the system has it, survives `kill -9`. `disk`: once synced, survives a power cut too. */
  readonly durability: 'process' | 'disk';
  /** Called with a sentence about what doesn't work as it should. */
  readonly onProblem?: (message: string) => void;
}

export class EmbeddedStore implements Store {
  readonly shared = false;
  private readonly folder: string;
  private readonly root: RootDatabase;
  private readonly unlock: () => void;
  private readonly diskSpace: DiskSpaceGuard;
  private readonly durability: EmbeddedStoreOptions['durability'];
  private readonly streams: EmbeddedStreams;
  private readonly records: EmbeddedRecords;
  private readonly frameIds: FrameIdIndex;
  private readonly leases = new EmbeddedLeases();
  private readonly subscriptions = new Subscriptions();
  private readonly damage = new DamageReports();
  /** Sentences about what isn't as it should be, besides lost lines. */
  private readonly problems: string[] = [];
  private readonly onProblem: EmbeddedStoreOptions['onProblem'];
  private isClosed = false;
  private readonly sweepTimer: NodeJS.Timeout;
  private readonly syncTimer: NodeJS.Timeout;
  /** Resolves when the streams were compared with what was noted of them. */
  readonly checked: Promise<void>;
  private runningSync: Promise<void> | undefined;

  /**
   * Opens the store, and makes the folder if it isn't there.
   * @throws TailraceError `data_folder` when it can't be used, with what to do.
   */
  constructor(options: EmbeddedStoreOptions) {
    const { folder } = options;
    this.folder = folder;
    this.durability = options.durability;
    this.diskSpace = new DiskSpaceGuard(folder);
    let unlock = (): void => {};
    try {
      makeDirectory(folder, 0o700);
      unlock = lockFolder(folder);
      const { format } = assertStoreUsable(folder);
      assertFormat(folder, format);
      const file = join(folder, STORE_FILE);
      this.root = open({ path: file, maxDbs: 8, noMemInit: true, encoding: 'binary' });
      chmodSync(file, 0o600);
      // Before anything is written that an earlier version can't read.
      writeMarker(folder);
      upgradeStore(this.root, format);
      this.records = new EmbeddedRecords(this.root);
      this.frameIds = new FrameIdIndex(this.root);
      this.streams = new EmbeddedStreams({
        ...options,
        folder: join(folder, 'streams'),
        onFrameId: (app, { frameId = '', first, last }) =>
          this.frameIds.recover(app, frameId, { first, last }),
        notes: new EmbeddedStreamNotes(this.root),
        onLost: (app, { range: [first, last], isNew }) => this.damage.report({ app, first, last, isNew }),
        onUnusable: (app, error) =>
          this.reportProblem(`The stream of app ${app} can't be used (${reasonOf(error)}).`),
      });
    } catch (error) {
      unlock();
      if (error instanceof TailraceError) throw error;
      if (error instanceof StoreDamage) throw new TailraceError('data_folder', error.message);
      throw new TailraceError(
        'data_folder',
        `The data folder ${folder} can't be used (${reasonOf(error)}): make it readable and writable, or choose another one with TAILRACE_DATA.`,
        { cause: error },
      );
    }
    this.unlock = unlock;
    this.onProblem = options.onProblem;
    swallowInternalRejections(this.root);
    this.checked = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.checkStreams());
    this.sweepTimer = setInterval(() => {
      this.streams.trimAged();
      this.frameIds.removeExpired();
    }, SWEEP_MS).unref();
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
    const frameId = options?.frameId;
    const stream = this.streams.get(app);
    const stored = frameId === undefined ? undefined : this.frameIds.find(app, frameId);
    if (stored) return { ...(await stored), duplicate: true, retainedByReaders: false };
    this.diskSpace.requireSpace(batch.bytes.length);
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
    const retainedByReaders = this.subscriptions.hasSubscribers(app);
    this.subscriptions.notifyAppend(app, allocated.stored);
    return { first, last, duplicate: false, retainedByReaders };
  }

  async appendAll(app: AppId, batches: readonly NamedBatch[]): Promise<readonly AppendResult[]> {
    const ranges = new Map<NamedBatch, FrameRange>();
    for (;;) {
      const pending = this.findFrames(app, batches, ranges);
      if (!pending) break;
      ranges.set(pending[0], await pending[1]);
    }
    // No wait from here on until these are pending themselves.
    const fresh = batches.filter((one) => !ranges.has(one));
    this.diskSpace.requireSpace(fresh.reduce((sum, { batch }) => sum + batch.bytes.length, 0));
    const stream = this.streams.get(app);
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
    const retainedByReaders = this.subscriptions.hasSubscribers(app);
    for (const { stored } of allocated) this.subscriptions.notifyAppend(app, stored);
    return batches.map((one) => {
      const duplicate = !fresh.includes(one);
      return { ...ranges.get(one)!, duplicate, retainedByReaders: retainedByReaders && !duplicate };
    });
  }

  async read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.read(app, after, bytes);
  }

  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.readBefore(app, before, bytes);
  }

  async bounds(app: AppId): Promise<StreamBounds> {
    return this.streams.bounds(app);
  }

  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    return this.streams.sequenceAt(app, ms);
  }

  subscribe(app: AppId, listener: AppendListener): () => void {
    return this.subscriptions.subscribe(app, listener);
  }

  async restore(app: AppId, batch: StoredBatch): Promise<void> {
    this.diskSpace.requireSpace(batch.bytes.length);
    await this.write(app, [this.streams.get(app).restore(batch)]);
  }

  watchDamage(listener: DamageListener): () => void {
    return this.damage.watch(listener);
  }

  watchOutage(): () => void {
    return () => {};
  }

  dropStream(app: AppId): Promise<void> {
    return this.streams.dropStream(app);
  }

  async get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    return this.records.get<T>(scope, key);
  }

  async list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.list<T>(scope, prefix);
  }

  async transact(
    scope: string,
    changes: readonly RecordChange[],
    options?: TransactOptions,
  ): Promise<boolean> {
    const made = await this.commitDurably(this.records.transact(scope, changes));
    if (made && !options?.quiet) this.subscriptions.notifyRecordChange(scope);
    return made;
  }

  watchRecords(listener: (scope: string) => void): () => void {
    return this.subscriptions.watchRecords(listener);
  }

  async time(): Promise<number> {
    return Date.now();
  }

  watchEmptied(): () => void {
    return () => {}; // nobody else writes to its files
  }

  async acquireLease(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    return this.leases.acquireLease(name, owner, ttlMs);
  }

  async releaseLease(lease: Lease): Promise<void> {
    this.leases.releaseLease(lease);
  }

  onServerStarted(): void {}

  async status(): Promise<StoreStatus> {
    const { bsize, bavail } = statfsSync(this.folder);
    const { size } = statSync(join(this.folder, 'store.mdb'));
    const bytes = size + (await this.streams.diskBytes().catch(() => 0));
    const facts = { durability: this.durability, bytes, free_bytes: bsize * bavail };
    const lost = this.damage.describe(
      (app) => this.records.get<{ name?: string }>('', `app/${app}`)?.value.name,
    );
    return { kind: 'embedded', concerns: [...lost, ...this.problems], facts };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.sweepTimer);
    clearInterval(this.syncTimer);
    await this.runningSync;
    await this.streams.close();
    await this.root.flushed;
    await this.root.close();
    this.unlock();
  }

  /** Looks for what is missing, in the background: it takes a second with ten thousand apps. */
  private async checkStreams(): Promise<void> {
    try {
      await this.streams.checkAll();
      if (this.isClosed) return;
      const known = new Set(this.records.list('', 'app/').map(({ key }) => key.slice('app/'.length)));
      const unknown = appsWithLines(this.folder).filter((app) => !known.has(app));
      if (unknown.length > 0) this.reportProblem(unknownStreams(unknown));
    } catch (error) {
      if (!this.isClosed) this.reportProblem(`The streams can't be checked (${reasonOf(error)}).`);
    }
  }

  private reportProblem(message: string): void {
    this.problems.push(message);
    this.onProblem?.(message);
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
      throw await commitError(error, this.folder);
    }
  }

  private async commitDurably<T>(committed: Promise<T>): Promise<T> {
    try {
      const result = await committed;
      if (this.durability === 'disk') await this.root.flushed;
      return result;
    } catch (error) {
      throw await commitError(error, this.folder);
    }
  }
}

function unknownStreams([app, ...more]: readonly string[]): string {
  const which = more.length > 0 ? `${more.length + 1} apps (${app} …)` : `an app (${app})`;
  return `streams/ holds lines of ${which} that store.mdb doesn't know, as when that is an older copy: put the newer one back, have \`tailrace repair\` make apps of them, or remove their folders.`;
}
