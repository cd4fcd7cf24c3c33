/** A file of LMDB that is opened again when LMDB has given it up, so that a disk that fails for a while costs nothing but that while. */
import { setImmediate as immediate } from 'node:timers/promises';
import { type Database, type Key, open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { shortenWriteErrors } from './lmdb-message.ts';

/** When it can't be opened again, that is tried so long after the last time. */
const REOPEN_MS = 200;
const GIVEN_UP = 'MDB_PANIC';

/** A named database of a file. It is another object after each opening: keep this one. */
export class LmdbTable<V, K extends Key> {
  /** For writes, in {@link LmdbFile.write}. */
  db: Database<V, K>;
  private readonly file: LmdbFile;
  private readonly create: (root: RootDatabase) => Database<V, K>;

  constructor(file: LmdbFile, root: RootDatabase, create: (root: RootDatabase) => Database<V, K>) {
    this.file = file;
    this.create = create;
    this.db = create(root);
  }

  /** @throws TailraceError `unavailable` while the file is given up */
  get(key: K): V | undefined {
    this.file.requireOpen();
    try {
      return this.db.get(key);
    } catch (error) {
      throw this.file.readFailure(error);
    }
  }

  /** @throws TailraceError `unavailable` while the file is given up */
  entries(range: { readonly start?: K; readonly end?: K }): { key: K; value: V }[] {
    this.file.requireOpen();
    try {
      return [...this.db.getRange(range)];
    } catch (error) {
      throw this.file.readFailure(error);
    }
  }

  /** @throws TailraceError `unavailable` while the file is given up */
  keys(range: { readonly start?: K; readonly end?: K } = {}): K[] {
    this.file.requireOpen();
    try {
      return [...this.db.getKeys(range)];
    } catch (error) {
      throw this.file.readFailure(error);
    }
  }

  /** The file was opened again: the table is of its new root. */
  reopen(root: RootDatabase): void {
    this.db = this.create(root);
  }
}

/**
 * After a write of one of its first two pages that failed, LMDB is done with a file (`MDB_PANIC`): each read fails, the next write takes a
 * lock that nobody gives back (lmdb's WriteWorker::Write), and neither it nor the end of the process ever returns. So there is one commit
 * at a time, it is looked whether the file can still be used before the next one begins, and if it can't, it is closed and opened again: as
 * it was before the write that failed.
 */
export class LmdbFile {
  private readonly options: RootDatabaseOptionsWithPath;
  private readonly tables: { reopen(root: RootDatabase): void }[] = [];
  private current: RootDatabase;
  /** A commit is under way. */
  private isBusy = false;
  private waiting: (() => void)[] = [];
  /** Of the last commit that worked. */
  private flushing: Promise<void> | undefined;
  private hasFailed = false;
  private isClosed = false;
  /** It is closed, or about to be, and not open again. */
  private isReopening = false;
  /** Why it couldn't be opened again, and when that was tried. */
  private failure: { readonly error: TailraceError; readonly atMs: number } | undefined;

  constructor(options: RootDatabaseOptionsWithPath) {
    this.options = options;
    shortenWriteErrors();
    this.current = this.openRoot();
  }

  /** For what is done at the start. */
  get root(): RootDatabase {
    return this.current;
  }

  /** A table of the file; `create` is called again whenever the file is opened again. */
  table<V, K extends Key>(create: (root: RootDatabase) => Database<V, K>): LmdbTable<V, K> {
    const table = new LmdbTable(this, this.current, create);
    this.tables.push(table);
    return table;
  }

  /**
   * Everything that is written goes through here. What is begun in one turn of the event loop is one commit; what comes while one is under
   * way is in the next one.
   * @throws TailraceError `unavailable` when the file is given up, and can't be opened
   */
  write<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isBusy && !this.failure) return work();
    return this.settled().then(work);
  }

  /**
   * Resolves when no commit is under way, and what is read is what is on the disk.
   * @throws TailraceError `unavailable` when the file is given up, and can't be opened
   */
  async settled(): Promise<void> {
    await this.idle();
    if (!this.failure) return;
    if (performance.now() - this.failure.atMs > REOPEN_MS) await this.reopen();
    if (this.failure) throw this.failure.error;
  }

  /** Before each read: lmdb would end the process, for one of a file that is being closed. @throws TailraceError `unavailable` */
  requireOpen(): void {
    if (this.isReopening) throw this.failure?.error ?? unreadable();
  }

  /** Of a read that failed: an error to answer with. */
  readFailure(error: unknown): unknown {
    return reasonOf(error).includes(GIVEN_UP) ? unreadable(error) : error;
  }

  /** Resolves when what was written is on the disk. (RootDatabase.flushed never does, once a later commit has failed.) */
  async flushed(): Promise<void> {
    await this.idle();
    await this.flushing;
  }

  /** Writes that have begun are made; from then on every write is refused: lmdb would end the process for one of a file that is closed. */
  async close(): Promise<void> {
    await this.idle();
    // Those that have waited for the last commit begin now.
    await immediate();
    await this.idle();
    if (this.isClosed) return;
    this.isClosed = true;
    const { failure } = this;
    this.failure = { error: stopped(), atMs: Number.POSITIVE_INFINITY };
    // What has begun in this turn of the event loop.
    await immediate();
    await this.idle();
    this.isReopening = true;
    if (!failure) await this.closeRoot();
  }

  private async idle(): Promise<void> {
    while (this.isBusy) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private openRoot(): RootDatabase {
    const root = open(this.options);
    // Called before the commit's promise is made, in the same task.
    root.on('beforecommit', () => {
      this.isBusy = true;
      queueMicrotask(() => void this.settle(root));
    });
    return root;
  }

  /**
   * LMDB makes a promise of its own for the writes of every turn of the event loop, and handles it nowhere: when that commit fails, Node.js
   * would end for an unhandled rejection. Each writer has a promise of its own.
   */
  private async settle(root: RootDatabase): Promise<void> {
    const flushing = Promise.resolve(root.flushed).then(
      () => {},
      () => {},
    );
    try {
      await root.committed;
      this.flushing = flushing;
      this.hasFailed = false;
    } catch (error) {
      // The reason comes as a promise as well, which not every writer asks for.
      (error as { commitError?: Promise<unknown> }).commitError?.catch(() => {});
      this.hasFailed = true;
    }
    // It may be after a commit that worked, too: what is written of its sync can fail, and lmdb says nothing (mdb_txn_commit).
    if (isGivenUp(root) && !this.isClosed) await this.reopen();
    this.isBusy = false;
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }

  private async closeRoot(): Promise<void> {
    const closed = this.current.close();
    if (!this.hasFailed) return closed;
    // It waits for the flush of the last commit: of one that has failed, that never comes.
    const { env } = this.current as unknown as { env: { address: number; close(): void } };
    env.address = 0;
    env.close();
  }

  private async reopen(): Promise<void> {
    this.isReopening = true;
    try {
      if (!this.failure) await this.closeRoot();
      this.current = this.openRoot();
      for (const table of this.tables) table.reopen(this.current);
      this.hasFailed = false;
      this.failure = undefined;
      this.isReopening = false;
    } catch (error) {
      const reason = `The store can't be opened again (${reasonOf(error)}): nothing that was accepted is lost.`;
      this.failure = {
        error: new TailraceError('unavailable', reason, { cause: error }),
        atMs: performance.now(),
      };
    }
  }
}

function stopped(): TailraceError {
  return new TailraceError('unavailable', 'The server is stopping: try again in a moment.');
}

function unreadable(cause?: unknown): TailraceError {
  return new TailraceError(
    'unavailable',
    "The store can't be read until a write that failed has been taken back: try again in a moment.",
    { cause },
  );
}

function isGivenUp(root: RootDatabase): boolean {
  try {
    root.resetReadTxn();
    root.getStats();
    return false;
  } catch (error) {
    return reasonOf(error).includes(GIVEN_UP);
  }
}
