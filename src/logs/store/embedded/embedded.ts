/**
 * The embedded store: streams in files of their own, append only, and LMDB for the small records. With `durability: 'process'` an
 * append resolves when the system has it: it survives `kill -9`, and a power cut costs the last seconds, never the store. With
 * `'disk'` it resolves when it is synced: a power cut costs nothing.
 *
 * Measured, beside streams in LMDB with a journal before it: 1.5 times as many lines per CPU second, in half the memory.
 */
import { chmodSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { reasonOf, TailraceError } from '../../../common/errors.ts';
import { makeFolder } from '../../../common/folder.ts';
import type { Batch } from '../../syslog/batch.ts';
import type {
  Appended,
  AppendOptions,
  AppId,
  Lease,
  RecordChange,
  Retention,
  Sequence,
  Store,
  StoredBatch,
  StoredRecord,
  StoreStatus,
  StreamBounds,
  TransactOptions,
  Wake,
} from '../contract.ts';
import { Wakes } from '../wakes.ts';
import { lockFolder } from './folder-lock.ts';
import { Frames } from './frames.ts';
import { Leases } from './leases.ts';
import { Records } from './records.ts';
import type { Placed } from './stream.ts';
import { Streams } from './streams.ts';
import { commitError, DiskRoom, handleOwnPromises, refuseOlderLayout, refuseOtherFile } from './trouble.ts';

/** How often streams are trimmed by age and old frame names forgotten. */
const SWEEP_MS = 60_000;
/** A power cut costs no more than was written in this time. */
const SYNC_MS = 5_000;

export interface EmbeddedOptions {
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
  private readonly room: DiskRoom;
  private readonly durability: EmbeddedOptions['durability'];
  private readonly streams: Streams;
  private readonly records: Records;
  private readonly frames: Frames;
  private readonly leases = new Leases();
  private readonly wakes = new Wakes();
  private readonly sweep: NodeJS.Timeout;
  private readonly syncing: NodeJS.Timeout;
  private sync: Promise<void> | undefined;

  /**
   * Opens the store, and makes the folder if it isn't there.
   * @throws TailraceError `data_folder` when it can't be used, with what to do.
   */
  constructor(options: EmbeddedOptions) {
    const { folder } = options;
    this.folder = folder;
    this.durability = options.durability;
    this.room = new DiskRoom(folder);
    let unlock = (): void => {};
    try {
      makeFolder(folder, 0o700);
      unlock = lockFolder(folder);
      refuseOtherFile(join(folder, 'store.mdb'));
      refuseOlderLayout(folder);
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
    handleOwnPromises(this.root);
    this.records = new Records(this.root);
    this.frames = new Frames(this.root);
    this.streams = new Streams({
      ...options,
      folder: join(folder, 'streams'),
      named: (app, { name = '', first, last }) => this.frames.found(app, name, { first, last }),
    });
    this.sweep = setInterval(() => {
      this.streams.trimAged();
      this.frames.forgetOld();
    }, SWEEP_MS).unref();
    // What can't be synced now is in the page cache still: appends will say what is wrong.
    this.syncing = setInterval(() => {
      // A slow disk may need longer than that.
      this.sync ??= this.streams
        .sync()
        .catch(() => {})
        .finally(() => {
          this.sync = undefined;
        });
    }, SYNC_MS).unref();
  }

  async append(app: AppId, batch: Batch, options?: AppendOptions): Promise<Appended> {
    const frameId = options?.frameId;
    const stream = this.streams.get(app);
    const before = frameId === undefined ? undefined : this.frames.find(app, frameId);
    if (before) return { ...(await before), duplicate: true, passedOn: false };
    this.room.require(batch.bytes.length);
    const placed = stream.place(batch, frameId);
    const { first, last } = placed.stored;
    const written = this.write(app, placed);
    if (frameId !== undefined)
      this.frames.expect(
        app,
        frameId,
        written.then(() => ({ first, last })),
      );
    await written;
    const passedOn = this.wakes.has(app);
    this.wakes.wake(app, placed.stored);
    return { first, last, duplicate: false, passedOn };
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

  subscribe(app: AppId, wake: Wake): () => void {
    return this.wakes.subscribe(app, wake);
  }

  async restore(app: AppId, batch: StoredBatch): Promise<void> {
    this.room.require(batch.bytes.length);
    await this.write(app, this.streams.get(app).restore(batch));
  }

  watchAbsence(): () => void {
    return () => {};
  }

  drop(app: AppId): Promise<void> {
    return this.streams.drop(app);
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
    const made = await this.durable(this.records.transact(scope, changes));
    if (made && !options?.quiet) this.wakes.changed(scope);
    return made;
  }

  watch(changed: (scope: string) => void): () => void {
    return this.wakes.watch(changed);
  }

  async acquire(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    return this.leases.acquire(name, owner, ttlMs);
  }

  async release(lease: Lease): Promise<void> {
    this.leases.release(lease);
  }

  async status(): Promise<StoreStatus> {
    const { bsize, bavail } = statfsSync(this.folder);
    const { size } = statSync(join(this.folder, 'store.mdb'));
    const bytes = size + (await this.streams.diskBytes().catch(() => 0));
    const facts = { durability: this.durability, bytes, free_bytes: bsize * bavail };
    return { kind: 'embedded', concerns: [], facts };
  }

  async close(): Promise<void> {
    clearInterval(this.sweep);
    clearInterval(this.syncing);
    await this.sync;
    await this.streams.close();
    await this.root.flushed;
    await this.root.close();
    this.unlock();
  }

  private async write(app: AppId, placed: Placed): Promise<void> {
    try {
      await this.streams.append(app, placed);
    } catch (error) {
      throw await commitError(error, this.folder);
    }
  }

  private async durable<T>(committed: Promise<T>): Promise<T> {
    try {
      const result = await committed;
      if (this.durability === 'disk') await this.root.flushed;
      return result;
    } catch (error) {
      throw await commitError(error, this.folder);
    }
  }
}
