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
import { Subscriptions } from '../subscriptions.ts';
import type { AllocatedBatch } from './app-stream.ts';
import { lockFolder } from './folder-lock.ts';
import { FrameIdIndex, type FrameRange } from './frame-ids.ts';
import { EmbeddedLeases } from './leases.ts';
import {
  assertCurrentLayout,
  assertLmdbFile,
  commitError,
  DiskSpaceGuard,
  swallowInternalRejections,
} from './lmdb-safety.ts';
import { EmbeddedRecords } from './records.ts';
import { EmbeddedStreams } from './streams.ts';

/** How often streams are trimmed by age, and expired frame ids removed. */
const SWEEP_MS = 60_000;
/** A power cut costs no more than was written in this time. */
const SYNC_MS = 5_000;

export interface EmbeddedStoreOptions {
  readonly folder: string;
  readonly retention: Retention;
  /** `process`: durable once the system has it, survives `kill -9`. `disk`: once synced, survives a power cut too. */
  readonly durability: 'process' | 'disk';
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
  private readonly sweepTimer: NodeJS.Timeout;
  private readonly syncTimer: NodeJS.Timeout;
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
      assertLmdbFile(join(folder, 'store.mdb'));
      assertCurrentLayout(folder);
      this.root = open({ path: join(folder, 'store.mdb'), maxDbs: 8, noMemInit: true, encoding: 'binary' });
      chmodSync(join(folder, 'store.mdb'), 0o600);
    } catch (error) {
      unlock();
      if (error instanceof TailraceError) throw error;
      throw new TailraceError(
        'data_folder',
        `The data folder ${folder} can't be used (${reasonOf(error)}): make it readable and writable, or choose another one with TAILRACE_DATA.`,
        { cause: error },
      );
    }
    this.unlock = unlock;
    swallowInternalRejections(this.root);
    this.records = new EmbeddedRecords(this.root);
    this.frameIds = new FrameIdIndex(this.root);
    this.streams = new EmbeddedStreams({
      ...options,
      folder: join(folder, 'streams'),
      onFrameId: (app, { frameId = '', first, last }) => this.frameIds.recover(app, frameId, { first, last }),
    });
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

  async acquireLease(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    return this.leases.acquireLease(name, owner, ttlMs);
  }

  async releaseLease(lease: Lease): Promise<void> {
    this.leases.releaseLease(lease);
  }

  async status(): Promise<StoreStatus> {
    const { bsize, bavail } = statfsSync(this.folder);
    const { size } = statSync(join(this.folder, 'store.mdb'));
    const bytes = size + (await this.streams.diskBytes().catch(() => 0));
    const facts = { durability: this.durability, bytes, free_bytes: bsize * bavail };
    return { kind: 'embedded', concerns: [], facts };
  }

  async close(): Promise<void> {
    clearInterval(this.sweepTimer);
    clearInterval(this.syncTimer);
    await this.runningSync;
    await this.streams.close();
    await this.root.flushed;
    await this.root.close();
    this.unlock();
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
