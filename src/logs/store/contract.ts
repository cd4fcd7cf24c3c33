/**
 * The store: the ordered, bounded stream of every app, and the small records (apps, tokens, drains …).
 * `embedded` keeps it in files on this machine, `redis` on a Redis that many routers share; the suite in
 * `test/logs/store/conformance` checks that each of them keeps this contract.
 */
import type { Batch } from '../syslog/batch.ts';

/** An app's permanent id (a UUID); its name may change, its stream stays. */
export type AppId = string & { readonly __brand: 'AppId' };

/**
 * The running number of a line in its app's stream, from 1. It is also the line's *position*: users see it
 * as an opaque string (`after=`), and a gap between two of them is a loss that can be counted.
 */
export type Sequence = number;

/**
 * A batch with its sequences in the stream: its lines are `first` to `last`, without a gap. One without any (`count` 0) stands in the place
 * of lines that were deleted: nobody has lost them, and positions and cursors move over it.
 */
export interface StoredBatch extends Batch {
  readonly first: Sequence;
  readonly last: Sequence;
  /** When it was stored, milliseconds since 1970. */
  readonly storedAtMs: number;
}

/** What a stream holds. An empty stream has `first = last + 1`. */
export interface StreamBounds {
  readonly first: Sequence;
  readonly last: Sequence;
  /** Bytes of the batches that are held. */
  readonly bytes: number;
}

/**
 * Bounds of a stream; the oldest batches are trimmed when one of them is exceeded, a limited number with each append. The newest
 * batch stays, whatever its size, until it is too old: what is older than `ageMs` goes within a minute more, also from a stream to which
 * nothing is added.
 */
export interface Retention {
  readonly lines: number;
  /** Of the batches. */
  readonly bytes: number;
  readonly ageMs: number;
}

/** Limits of one app: its record, under `limits/<app>` in the scope of no app. What is left out is as the settings say. */
export interface AppLimits extends Partial<Retention> {
  /** Lines and bytes a second that its sources may send together, to each router; null: any number. */
  readonly linesPerS?: number | null;
  readonly bytesPerS?: number | null;
}

/** Told which apps' limits have changed. */
export type LimitsListener = (apps: readonly AppId[]) => void;

/** The limits of all apps, in memory: they are asked for with every batch. */
export interface LimitsByApp {
  /** What the streams of apps without a retention of their own may hold. */
  readonly retention: Retention;

  /** An app's own limits; undefined when it has none. */
  of(app: AppId): AppLimits | undefined;

  /** What an app's stream may hold. */
  retentionOf(app: AppId): Retention;

  /** Is there an app whose sources may send so much alone? */
  readonly hasRates: boolean;

  /** Calls `listener` after every change, until the returned function is called. */
  watch(listener: LimitsListener): () => void;
}

export interface AppendResult {
  readonly first: Sequence;
  readonly last: Sequence;
  /** The frame was stored before: these are its sequences from then, and nothing was added. */
  readonly duplicate: boolean;
}

export interface AppendOptions {
  /** Identifies this append (an incoming `Logplex-Frame-Id`): the same id again stores nothing, for a while. */
  readonly frameId?: string;
}

/** Told what became of an append. */
export interface AppendWaiter {
  /** A sender waits for the answer, and sends nothing more until it has it. */
  readonly isAwaited: boolean;
  /** It is durable. */
  onAppended(): void;
  /** It failed, as {@link Store.append} says. */
  onAppendFailed(error: unknown): void;
}

/** A batch that is open until it can be sent. */
export interface OpenAppend {
  /** Closes it; who is told of it has it. Called once, unless it is withdrawn before. */
  takeBatch(): AppendWaiter & { readonly batch: Batch };
}

/** Appends batches to one app's stream, and tells a waiter what became of each: see {@link Store.appenderFor}. */
export interface StreamAppender {
  /** Like {@link Store.append}, without a promise. The waiter is told after this call. */
  append(batch: Batch, waiter: AppendWaiter): void;
  /** Appends what a source has when it can be sent; until then more may come. Left out: the store takes batches as they come. */
  appendOpen?(source: OpenAppend): void;
  /** A source has nothing more to send: its batch was closed, and will be appended by itself. */
  withdraw?(source: OpenAppend): void;
  /** May somebody be notified of what is appended who doesn't {@link ListenerPatience wait} anyway? While nobody is, nobody sees when that is. */
  readonly isFollowed: boolean;
}

/** One of several batches that are appended together. */
export interface NamedBatch {
  readonly batch: Batch;
  /** See {@link AppendOptions.frameId}; '' for none. */
  readonly frameId: string;
}

/**
 * A file of a stream to which nothing is added: it can be read by other threads, until it is removed. What is in it is said where its entries
 * are read (`embedded/segments/entry-scan.ts`).
 */
export interface StreamFile {
  readonly path: string;
  /** Its lines are these, as far as they aren't trimmed or lost. */
  readonly first: Sequence;
  readonly last: Sequence;
  /** Bytes of it that hold entries. */
  readonly size: number;
  /** Bytes of the stream before it. */
  readonly bytesBefore: number;
  /** Of its checksums. */
  readonly seed: number;
  /** The same object as long as the file is the same. */
  readonly identity: object;
}

/**
 * Notified when a stream has grown. `batch` is there when the store has it in memory; notifications may come twice, or late. Whoever reads
 * its bytes after the call retains its memory.
 */
export type AppendListener = (batch: StoredBatch | undefined) => void;

/** Says whether a listener does nothing at once with what it is notified of: then it may be notified some hundred milliseconds later. */
export type ListenerPatience = () => boolean;

/** Lines of an app that were stored and are lost, because files were damaged or removed. */
export interface StreamDamage {
  readonly app: AppId;
  readonly first: Sequence;
  readonly last: Sequence;
  /** It wasn't reported before, also not by a process before this one. */
  readonly isNew: boolean;
}

export type DamageListener = (damage: StreamDamage) => void;

/** A record with its version, for compare-and-set. Versions grow by one; 0 means that there is no such record. */
export interface StoredRecord<T = unknown> {
  readonly key: string;
  readonly value: T;
  readonly version: number;
}

/** One step of a transaction on records. */
export interface RecordChange {
  readonly key: string;
  /** The new value, or undefined to delete the record. Plain JSON. */
  readonly value: unknown;
  /** Only if the record has this version now (0: only if it doesn't exist). */
  readonly ifVersion?: number;
}

/**
 * Told of a scope whose records were changed.
 * @param keys of these; undefined when it isn't known which, and all may have
 */
export type RecordListener = (scope: string, keys?: readonly string[]) => void;

/** May a record whose key begins with this have been changed? @param keys as a {@link RecordListener} is told them */
export function mayHaveChanged(keys: readonly string[] | undefined, prefix: string): boolean {
  return keys === undefined || keys.some((key) => key.startsWith(prefix));
}

export interface TransactOptions {
  /** Notifies nobody: for what is written all the time, such as cursors. */
  readonly quiet?: boolean;
  /**
   * Resolves when replicas have it, where lines wait for them as well (`REDIS_WAIT`); also `false` when a failover took it back. When replicas are
   * missing, it waits once, and then as long as they stay away not at all. For an app's scope, and changes that have `ifVersion` and a value.
   */
  readonly replicated?: boolean;
}

/** A lock with a time limit, for one owner at a time. The limit holds whatever becomes of anybody's clock. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  /** A fencing token: a counter that grows with every new owner; a write with an older one is refused. */
  readonly fence: number;
}

/** The health of a store, for people: `GET /status` sends it with these names. */
export interface StoreStatus {
  readonly kind: 'embedded' | 'redis';
  /** The error, when it doesn't work; undefined when it does. */
  readonly trouble?: string;
  /** Warnings of what would lose lines sooner or later, each a sentence with what to do. */
  readonly concerns: readonly string[];
  /** Details, by name. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** Where the bytes of batches are put that are read: whoever gives it uses it again, when nobody reads those batches any more. */
export interface ReadMemory {
  /** At least so many bytes, with any content. */
  acquire(bytes: number): Buffer;
}

export interface Store {
  /** May other processes work on the same data at the same time? */
  readonly shared: boolean;

  /**
   * Where streams end of which lines may be gone, as the machine was started since and not everything was synced: numbers behind that may be those of
   * lines that were read and delivered. Undefined when that isn't so. It is answered before anything is appended, and again in the next process
   * until {@link endsNoted}.
   */
  repeatedEnds(): Promise<ReadonlyMap<AppId, Sequence> | undefined>;

  /** What comes behind the ends can be told from what is gone: resolves when that is durable, and lines may be appended. */
  endsNoted(): Promise<void>;

  /** Limits of apps, as their records say: a change of these holds at once, in other processes within a second or so. */
  readonly limits: LimitsByApp;

  /**
   * Appends a batch; resolves when it is durable. The store writes into the batch's headroom.
   * Appends of one app keep the order in which they were called. One that has failed was not stored, and won't be, except as
   * `UnansweredAppend` says.
   * @throws TailraceError `store_full` when the disk (or memory) is full, `unavailable` when the store can't be reached.
   * @throws UnansweredAppend when it isn't known whether the batch is stored: the same batch, appended again, is stored once.
   */
  append(app: AppId, batch: Batch, options?: AppendOptions): Promise<AppendResult>;

  /**
   * For whoever appends small batches of an app again and again: what they need of its stream is looked up once. It needn't be closed, and
   * appends to the app's new stream when that was removed.
   */
  appenderFor(app: AppId): StreamAppender;

  /** Appends several batches, otherwise like {@link append}: all of them that aren't duplicates, or none. */
  appendAll(app: AppId, batches: readonly NamedBatch[]): Promise<readonly AppendResult[]>;

  /**
   * Batches with lines after a sequence, oldest first: at least one when there is one, then up to `bytes`.
   * The first may start before `after`. What was trimmed is skipped: compare `first` with `after + 1`. {@link Batch.memory} is retained:
   * whoever has done with one may release it.
   * @param memory may be used for the batches; left out: they have memory of their own
   */
  read(app: AppId, after: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]>;

  /** Batches with lines before a sequence, newest first, otherwise like {@link read}. */
  readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]>;

  /**
   * Where pieces of up to so many bytes of what comes after a sequence end, one behind the other: as many as are known without reading
   * anything, and `count` at the most. Each ends with a line that is stored.
   */
  pieceEnds(app: AppId, after: Sequence, bytes: number, count: number): readonly Sequence[];

  /** The files that hold the older part of a stream, oldest first; none where it isn't kept in files. */
  closedFiles(app: AppId): readonly StreamFile[];

  bounds(app: AppId): Promise<StreamBounds>;

  /**
   * Has a stream come as far as this sequence, as it is stored? Also with lines that who follows it isn't shown here yet: somebody may have got them
   * from another process. Where not, the sequence is one from before the stream was dropped, or lost its end.
   * @throws TailraceError `unavailable` when nobody can say that for sure.
   */
  hasReached(app: AppId, sequence: Sequence): Promise<boolean>;

  /** Bytes of the batches that streams hold, as {@link StreamBounds} has them, of many at once. */
  heldBytes(apps: readonly AppId[]): Promise<readonly number[]>;

  /** What a stream takes where it is stored, bytes: of the disk, or of Redis' memory. Undefined when that can't be told. */
  storedBytes(app: AppId): Promise<number | undefined>;

  /** The last sequence that was stored before a time, milliseconds since 1970: reading after it gives what came since. */
  sequenceAt(app: AppId, ms: number): Promise<Sequence>;

  /** Calls `listener` after every append, until the returned function is called. @param isPatient left out: it never is */
  subscribe(app: AppId, listener: AppendListener, isPatient?: ListenerPatience): () => void;

  /** Has what is to be appended to a stream, and waits for more, appended now. */
  storeGathered(app: AppId): void;

  /**
   * Calls `listener` when what is to be appended to a stream shouldn't wait any longer: somebody subscribes to it of whom
   * {@link StreamAppender.isFollowed} didn't know, asks for its bounds, calls {@link storeGathered}, or it is about to be removed.
   */
  watchAwaited(listener: (app: AppId) => void): void;

  /**
   * Appends a batch that was read from another store, with the sequences and the time that it had there. Notifies nobody.
   * @throws TailraceError `conflict` when the stream is already past the batch's first line.
   */
  restore(app: AppId, batch: StoredBatch): Promise<void>;

  /**
   * Calls `listener` when an app's stream can't be reached for a second or so (`true`), and when it can again (`false`), until
   * the returned function is called. A listener that is added during an outage is notified of it; a store that is never
   * unavailable calls nobody.
   */
  watchOutage(app: AppId, listener: (unavailable: boolean) => void): () => void;

  /**
   * Calls `listener` with lines that turn out to be lost, also with those that were found before, until the returned function is called.
   * Reading skips them, as it does what was trimmed.
   */
  watchDamage(listener: DamageListener): () => void;

  /**
   * Deletes lines of an app's stream for good, all of them or none, also when the process ends meanwhile. Their numbers stay theirs: batches
   * without lines are read in their place.
   * @param pick the numbers of lines to delete, of each batch with lines from `first` to `last`
   * @returns how many were deleted
   */
  deleteLines(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: (batch: StoredBatch) => ReadonlySet<Sequence>,
  ): Promise<number>;

  /** Removes an app's whole stream. */
  dropStream(app: AppId): Promise<void>;

  /** One record of a scope (an app's id, or `''` for what belongs to none). */
  get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined>;

  /** All records of a scope whose keys start with `prefix`, in the order of their keys. */
  list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]>;

  /**
   * The records in the scope of no app that belong to an app, as their field `app` says, and whose keys start with `prefix`, in the order of
   * their keys. It takes as long as there are such records, however many others have.
   */
  listOfApp<T>(app: AppId, prefix: string): Promise<StoredRecord<T>[]>;

  /** Makes all changes within one scope, or none: false when an `ifVersion` didn't hold. Resolves when durable. */
  transact(scope: string, changes: readonly RecordChange[], options?: TransactOptions): Promise<boolean>;

  /**
   * Calls `listener` after every transaction that isn't quiet, of this process or another, until the returned
   * function is called. It may be called without a change. Changes of the scope `''` are notified within a second even when
   * messages between routers get lost.
   */
  watchRecords(listener: RecordListener): () => void;

  /**
   * Calls `listener` when the store turns out to have been emptied, or replaced by another one, while it was in use, until the returned
   * function is called: what was read before isn't there any more. {@link watchRecords} is notified of the scope `''` too.
   */
  watchEmptied(listener: () => void): () => void;

  /**
   * Acquires or renews a lease for `ttlMs`; undefined while another owner holds it. The fence of an owner that renews
   * is the same, also when the lease has expired, as long as nobody else had it meanwhile.
   * @param above the fence of the last write to what the lease protects: the lease's is higher, also when that was written in
   * another store, or the store has lost its own count.
   */
  acquireLease(name: string, owner: string, ttlMs: number, above?: number): Promise<Lease | undefined>;

  /** Releases a lease, if it is still held. */
  releaseLease(lease: Lease): Promise<void>;

  /** Why lines can't be kept now, or some are lost, as far as that can be told at once: a sentence, or undefined. */
  readonly trouble: string | undefined;

  /** The store's time, milliseconds since 1970: one clock for all who share it, where theirs may differ. */
  time(): Promise<number>;

  /**
   * The server that uses it has started. Until then a store that goes away for a moment is waited for; then what fails, fails at once,
   * and streams are trimmed that nothing is added to.
   */
  onServerStarted(): void;

  /** Its health; never rejects. */
  status(): Promise<StoreStatus>;

  /** Stops: what was appended is durable, nothing else is accepted. */
  close(): Promise<void>;
}
