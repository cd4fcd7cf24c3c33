import type { RootDatabase } from 'lmdb';
import type { AppendOptions, AppId, StoredBatch } from '../contract.ts';
import { Committer, type Departing } from './committer.ts';
import type { Frames } from './frames.ts';
import { Journal } from './journal.ts';
import { storedBatch } from './layout.ts';
import { Rush } from './rush.ts';
import { recovering } from './stream-table.ts';
import type { Streams } from './streams.ts';
import { commitError } from './trouble.ts';

export interface WriterOptions {
  readonly folder: string;
  readonly durability: 'process' | 'disk';
  /** Told when a transaction fails. */
  readonly warn?: (message: string) => void;
  readonly root: RootDatabase;
  readonly streams: Streams;
  readonly frames: Frames;
}

/** Makes placed batches durable: through the journal, or, when there is no time to write them twice, by LMDB alone. */
export class Writer {
  private readonly options: WriterOptions;
  private readonly streams: Streams;
  private readonly frames: Frames;
  private readonly journal: Journal;
  private readonly committer: Committer;
  private readonly rush = new Rush();
  /** Batches that wait for LMDB to acknowledge them. */
  private readonly direct = new Map<StoredBatch, { resolve: () => void; reject: (error: unknown) => void }>();
  /** What a process that died left in the journal is in LMDB. */
  private readonly recovered: Promise<void>;

  constructor(options: WriterOptions) {
    this.options = options;
    this.streams = options.streams;
    this.frames = options.frames;
    this.committer = new Committer({
      put: (batches) => this.put(batches),
      done: (batches) => this.committed(batches),
      failed: (givenUp, error) => void this.failed(givenUp, error),
    });
    this.recover(options.folder);
    this.journal = new Journal(options.folder);
    this.recovered = this.committer.flush().then(() => this.journal.clear());
  }

  /** Resolves when batches can be written. */
  async ready(): Promise<void> {
    await this.recovered;
    if (this.committer.full) await this.committer.room();
  }

  /** Removes an app's stream. */
  async drop(app: AppId): Promise<void> {
    await this.recovered;
    await this.committer.flush();
    // Marked in the journal too: what it still holds must not come back.
    await this.journal.append({ app, frameId: undefined, bytes: new Uint8Array(0) });
    await this.streams.drop(app);
  }

  /** Brings everything into LMDB and stops. */
  async close(): Promise<void> {
    await this.recovered;
    await this.committer.flush();
    await this.streams.forgetTrimmed();
    this.journal.clear();
    this.journal.close();
  }

  /**
   * Makes a placed batch durable, and shows it to readers.
   * @throws TailraceError `store_full` or `unavailable`; then its sequences are void.
   */
  async write(app: AppId, stored: StoredBatch, options: AppendOptions = {}): Promise<void> {
    const { frameId, unhurried = false } = options;
    const rush = this.rush.add(stored.bytes.length, stored.storedAtMs) && unhurried;
    // What comes behind a batch that waits for LMDB waits for it too: lines are acknowledged in their order.
    if (rush || this.options.durability === 'disk' || this.direct.size > 0) {
      await this.writeDirect({ app, stored, frameId, serial: undefined });
      if (this.options.durability === 'disk') await this.options.root.flushed;
      return;
    }
    let serial: number;
    try {
      serial = await this.journal.append({ app, frameId, bytes: stored.bytes });
    } catch (error) {
      this.streams.table.displace(app);
      throw await commitError(error, this.options.folder);
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
    const error = await commitError(cause, this.options.folder);
    this.options.warn?.(error.message);
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
}
