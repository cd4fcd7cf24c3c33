/**
 * The embedded store: LMDB in the data folder, and a journal before it. With `durability: 'process'` an append resolves when it is
 * in the journal: it survives `kill -9`, and a power cut costs the last moments, never the store. With `'disk'` it resolves
 * when LMDB has synced it: a power cut costs nothing.
 */
import { chmodSync, mkdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { systemCode, TailraceError } from '../../errors.ts';
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
import { Committer, type Departing } from './committer.ts';
import { lockFolder } from './folder-lock.ts';
import { Frames } from './frames.ts';
import { Journal } from './journal.ts';
import { storedBatch } from './layout.ts';
import { Leases } from './leases.ts';
import { Records } from './records.ts';
import { Rush } from './rush.ts';
import { recovering } from './stream-table.ts';
import { Streams } from './streams.ts';
import { commitError, DiskRoom, handleOwnPromises, refuseOtherFile } from './trouble.ts';

/** How often streams are trimmed by age and old frame names forgotten. */
const SWEEP_MS = 60_000;

export interface EmbeddedOptions {
  readonly folder: string;
  readonly retention: Retention;
  /** `process`: durable once in the journal, survives `kill -9`. `disk`: once synced, survives a power cut too. */
  readonly durability: 'process' | 'disk';
  /** Told when the journal's contents can't be brought into LMDB for now. */
  readonly warn?: (message: string) => void;
}

export class EmbeddedStore implements Store {
  readonly shared = false;
  private readonly folder: string;
  private readonly root: RootDatabase;
  private readonly unlock: () => void;
  private readonly room: DiskRoom;
  private readonly durability: EmbeddedOptions['durability'];
  private readonly warn: (message: string) => void;
  private readonly streams: Streams;
  private readonly records: Records;
  private readonly frames: Frames;
  private readonly leases = new Leases();
  private readonly rush = new Rush();
  /** Batches that wait for LMDB to acknowledge them. */
  private readonly direct = new Map<StoredBatch, { resolve: () => void; reject: (error: unknown) => void }>();
  private readonly wakes = new Wakes();
  private readonly journal: Journal;
  private readonly committer: Committer;
  /** What a process that died left in the journal is in LMDB. */
  private readonly recovered: Promise<void>;
  private readonly sweep: NodeJS.Timeout;

  /**
   * Opens the store, and makes the folder if it isn't there.
   * @throws TailraceError `data_folder` when it can't be used, with what to do.
   */
  constructor(options: EmbeddedOptions) {
    const { folder } = options;
    this.folder = folder;
    this.durability = options.durability;
    this.warn = options.warn ?? (() => {});
    this.folder = folder;
    this.room = new DiskRoom(folder);
    let unlock = (): void => {};
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      unlock = lockFolder(folder);
      refuseOtherFile(join(folder, 'store.mdb'));
      this.root = open({ path: join(folder, 'store.mdb'), maxDbs: 8, noMemInit: true, encoding: 'binary' });
      chmodSync(join(folder, 'store.mdb'), 0o600);
    } catch (error) {
      unlock();
      if (error instanceof TailraceError) throw error;
      const why = systemCode(error) || (error instanceof Error ? error.message : String(error));
      throw new TailraceError(
        'data_folder',
        `The data folder ${folder} can't be used (${why}): make it readable and writable, or choose another one with TAILRACE_DATA.`,
        { cause: error },
      );
    }
    this.unlock = unlock;
    handleOwnPromises(this.root);
    this.streams = new Streams(this.root, options.retention);
    this.records = new Records(this.root);
    this.frames = new Frames(this.root);
    this.committer = new Committer({
      put: (batches) => this.put(batches),
      done: (batches) => this.committed(batches),
      failed: (givenUp, error) => void this.failed(givenUp, error),
    });
    this.recover(folder);
    this.journal = new Journal(folder);
    this.recovered = this.committer.flush().then(() => this.journal.clear());
    this.sweep = setInterval(() => {
      void this.streams.trimAged();
      this.frames.forgetOld();
    }, SWEEP_MS);
    this.sweep.unref();
  }

  async append(app: AppId, batch: Batch, options?: AppendOptions): Promise<Appended> {
    await this.recovered;
    if (this.committer.full) await this.committer.room();
    const frameId = options?.frameId;
    const before = frameId === undefined ? undefined : this.frames.find(app, frameId);
    if (before) return { ...(await before), duplicate: true };
    this.room.require(batch.bytes.length);
    const stored = this.streams.table.place(app, batch);
    const { first, last } = stored;
    const written = this.write(app, stored, frameId);
    if (frameId !== undefined)
      this.frames.expect(
        app,
        frameId,
        written.then(() => ({ first, last })),
      );
    await written;
    this.wakes.wake(app, stored);
    return { first, last, duplicate: false };
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

  async drop(app: AppId): Promise<void> {
    await this.recovered;
    await this.committer.flush();
    // Marked in the journal too: what it still holds must not come back.
    await this.journal.append({ app, frameId: undefined, bytes: new Uint8Array(0) });
    await this.streams.drop(app);
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
    const facts = { durability: this.durability, bytes: size, free_bytes: bsize * bavail };
    return { kind: 'embedded', concerns: [], facts };
  }

  async close(): Promise<void> {
    clearInterval(this.sweep);
    await this.recovered;
    await this.committer.flush();
    await this.streams.forgetTrimmed();
    this.journal.clear();
    this.journal.close();
    await this.root.flushed;
    await this.root.close();
    this.unlock();
  }

  /** Makes a placed batch durable: through the journal, or, when there is no time to write it twice, by LMDB alone. */
  private async write(app: AppId, stored: StoredBatch, frameId: string | undefined): Promise<void> {
    const rush = this.rush.add(stored.bytes.length, stored.storedAtMs);
    // What comes behind a batch that waits for LMDB waits for it too: lines are acknowledged in their order.
    if (rush || this.durability === 'disk' || this.direct.size > 0) {
      await this.writeDirect({ app, stored, frameId, serial: undefined });
      if (this.durability === 'disk') await this.root.flushed;
      return;
    }
    let serial: number;
    try {
      serial = await this.journal.append({ app, frameId, bytes: stored.bytes });
    } catch (error) {
      this.streams.table.displace(app);
      throw await commitError(error, this.folder);
    }
    this.streams.acknowledge(app, stored);
    this.committer.add({ app, stored, frameId, serial });
  }

  private async writeDirect(batch: Departing): Promise<void> {
    const committed = new Promise<void>((resolve, reject) =>
      this.direct.set(batch.stored, { resolve, reject }),
    );
    // What is on its way to the journal has to be on its way to LMDB first.
    await this.journal.idle();
    if (!this.streams.table.get(batch.app).failed) this.committer.add(batch);
    else for (const reject of this.giveUp([batch])) reject(recovering());
    await committed;
  }

  private async put(batches: readonly Departing[]): Promise<void> {
    const committed = this.streams.put(batches);
    for (const { app, stored, frameId } of batches)
      if (frameId !== undefined) this.frames.put(app, frameId, { first: stored.first, last: stored.last });
    await committed;
  }

  private committed(batches: readonly Departing[]): void {
    for (const { app, stored, frameId, serial } of batches) {
      if (frameId !== undefined) this.frames.committed(app, frameId);
      if (serial !== undefined) this.journal.release(serial);
      else this.streams.acknowledge(app, stored);
    }
    this.streams.committed(batches);
    for (const { stored } of batches) {
      this.direct.get(stored)?.resolve();
      this.direct.delete(stored);
    }
  }

  /** A transaction failed: the sequences are void at once, and whoever waits is told why. */
  private async failed(givenUp: readonly Departing[], cause: unknown): Promise<void> {
    const rejections = this.giveUp(givenUp);
    const error = await commitError(cause, this.folder);
    this.warn(error.message);
    for (const reject of rejections) reject(error);
  }

  private giveUp(batches: readonly Departing[]): ((error: unknown) => void)[] {
    return batches.map(({ app, stored }) => {
      this.streams.table.displace(app);
      const reject = this.direct.get(stored)?.reject;
      this.direct.delete(stored);
      return reject ?? (() => {});
    });
  }

  /** Brings into LMDB what the journal holds and a process that died had not yet brought there. */
  private recover(folder: string): void {
    for (const { app, frameId, bytes } of Journal.recover(folder)) {
      if (bytes.length === 0) {
        this.streams.table.forget(app);
        void this.streams.drop(app);
        continue;
      }
      const stored = storedBatch(bytes);
      if (stored.last < this.streams.table.get(app).acknowledged.next) continue;
      this.streams.acknowledge(app, stored);
      this.committer.add({ app, stored, frameId, serial: 0 });
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
