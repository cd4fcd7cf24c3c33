/**
 * The store: the ordered, bounded stream of every app, and the small records (apps, tokens, drains …).
 * `embedded` keeps it in files on this machine; whatever else implements this interface is held to it by the
 * suite in `test/conformance`.
 */
import type { Batch } from '../syslog/batch.ts';

/** An app's permanent id (a UUID); its name may change, its stream stays. */
export type AppId = string & { readonly __brand: 'AppId' };

/**
 * The running number of a line in its app's stream, from 1. It is also the line's *position*: users see it
 * as an opaque string (`after=`), and a gap between two of them is a loss that can be counted.
 */
export type Sequence = number;

/** A batch with its place in the stream: its lines are `first` to `last`, without a gap. */
export interface StoredBatch extends Batch {
  readonly first: Sequence;
  readonly last: Sequence;
  /** When the store took it, milliseconds since 1970. */
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
 * Bounds of every stream; the oldest batches go when one of them is exceeded, a limited number with each append. The newest
 * batch stays, whatever its size; a stream to which nothing is added may go as a whole once all of it is too old.
 */
export interface Retention {
  readonly lines: number;
  readonly bytes: number;
  readonly ageMs: number;
}

export interface AppendResult {
  readonly first: Sequence;
  readonly last: Sequence;
  /** The frame was stored before: these are its old sequences, and nothing was added. */
  readonly duplicate: boolean;
  /** Somebody may still read the batch: its memory is to be left alone. */
  readonly retainedByReaders: boolean;
}

export interface AppendOptions {
  /** A name for this append (an incoming `Logplex-Frame-Id`): the same name again stores nothing, for a while. */
  readonly frameId?: string;
}

/** Told when a stream has grown. `batch` is there when the store has it at hand; wake-ups may come twice, or late. */
export type AppendListener = (batch: StoredBatch | undefined) => void;

/** A record with its version, for compare-and-set. Versions grow by one; 0 stands for "isn't there". */
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
  /** Only if the record has this version now (0: only if it isn't there). */
  readonly ifVersion?: number;
}

export interface TransactOptions {
  /** Nobody watches for this: for what is written all the time, such as cursors. */
  readonly quiet?: boolean;
}

/** The right to work on something, for one owner at a time. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  /** Grows with every new owner; a write with an older one is refused. */
  readonly fence: number;
}

/** How a store is doing, for people. */
export interface StoreStatus {
  readonly kind: 'embedded' | 'redis';
  /** Why it doesn't answer; undefined when it does. */
  readonly trouble?: string;
  /** What would lose lines sooner or later, each in a sentence with what to do. */
  readonly concerns: readonly string[];
  /** Whatever else there is to say, by name. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

export interface Store {
  /** May other processes work on the same data at the same time? */
  readonly shared: boolean;

  /**
   * Appends a batch; resolves when it is durable. The batch's headroom belongs to the store from now on.
   * Appends of one app keep the order in which they were called.
   * @throws TailraceError `store_full` when the disk (or memory) is full, `unavailable` when the store is away.
   */
  append(app: AppId, batch: Batch, options?: AppendOptions): Promise<AppendResult>;

  /**
   * Batches with lines after a sequence, oldest first: at least one when there is one, then up to `bytes`.
   * The first may start before `after`. What was trimmed is skipped: compare `first` with `after + 1`.
   */
  read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]>;

  /** Batches with lines before a sequence, newest first, otherwise like {@link read}. */
  readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]>;

  bounds(app: AppId): Promise<StreamBounds>;

  /** The last sequence that was stored before a time, milliseconds since 1970: reading after it gives what came since. */
  sequenceAt(app: AppId, ms: number): Promise<Sequence>;

  /** Calls `wake` after every append, until the returned function is called. */
  subscribe(app: AppId, listener: AppendListener): () => void;

  /**
   * Puts a batch that was read from another store at the end of a stream, where it was there: its numbers and its time
   * stay. Nobody is woken.
   * @throws TailraceError `conflict` when the stream is already past the batch's first line.
   */
  restore(app: AppId, batch: StoredBatch): Promise<void>;

  /**
   * Calls `told` when an app's stream can't be reached for a second or so (`true`), and when it can again (`false`), until
   * the returned function is called. Who comes while it is away is told so; a store that never is calls nobody.
   */
  watchOutage(app: AppId, listener: (unavailable: boolean) => void): () => void;

  /** Removes an app's whole stream. */
  dropStream(app: AppId): Promise<void>;

  /** One record of a scope (an app's id, or `''` for what belongs to none). */
  get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined>;

  /** All records of a scope whose keys start with `prefix`, in the order of their keys. */
  list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]>;

  /** Makes all changes within one scope, or none: false when an `ifVersion` didn't hold. Resolves when durable. */
  transact(scope: string, changes: readonly RecordChange[], options?: TransactOptions): Promise<boolean>;

  /**
   * Calls `changed` with the scope after every transaction that isn't quiet, here or elsewhere, until the returned
   * function is called. It may be called without a change. That the scope `''` changed is told within a second even when
   * messages between routers get lost.
   */
  watchRecords(listener: (scope: string) => void): () => void;

  /** Takes or renews a lease for `ttlMs`; undefined while somebody else holds it. */
  acquireLease(name: string, owner: string, ttlMs: number): Promise<Lease | undefined>;

  /** Gives a lease back, if it is still held. */
  releaseLease(lease: Lease): Promise<void>;

  /** How it is doing; never rejects. */
  status(): Promise<StoreStatus>;

  /** Stops: what was appended is durable, nothing else is taken. */
  close(): Promise<void>;
}
