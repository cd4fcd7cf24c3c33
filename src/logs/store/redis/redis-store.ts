/**
 * The Redis store: many routers on one Redis (or Valkey) 6.2 or newer, alone, behind Sentinels, or a Cluster. An append
 * is durable as far as Redis is: see docs/redis.md.
 *
 * Whatever has to be atomic is one Lua script (`lua/`); lines are stored at times of Redis's clock; reads go to the master.
 */

import { randomBytes } from 'node:crypto';
import { CoalescedRun } from '../../../common/coalesced-run.ts';
import { TailraceError } from '../../../common/errors.ts';
import { type Log, SILENT_LOG } from '../../../common/log.ts';
import type { Batch } from '../../syslog/batch.ts';
import { AppLimitTable, LIMITS_PREFIX } from '../app-limits.ts';
import {
  type AppendListener,
  type AppendOptions,
  type AppendResult,
  type AppId,
  type AppLimits,
  type Lease,
  mayHaveChanged,
  type NamedBatch,
  type OpenAppend,
  type RecordChange,
  type RecordListener,
  type Retention,
  type Sequence,
  type Store,
  type StoredBatch,
  type StoredRecord,
  type StoreStatus,
  type StreamAppender,
  type StreamBounds,
  type StreamFile,
  type TransactOptions,
} from '../contract.ts';
import type { TimedAppendResult } from './append/append-script.ts';
import { RedisAppender } from './append/appender.ts';
import { RedisStreamAppender } from './append/stream-appender.ts';
import { AppendOutcomes, WaitingAppend } from './append/waiting-append.ts';
import { ChangeFeed } from './change-feed.ts';
import { RedisConnection } from './connection/connection.ts';
import { checkPermissions } from './connection/permissions.ts';
import { redisStatus, redisTime } from './connection/redis-status.ts';
import { parseRedisUrl, type RedisAddress } from './connection/redis-url.ts';
import { ReplicaWaiter, type ReplicaWaitOptions } from './connection/replica-waiter.ts';
import {
  assertSupportedVersion,
  checkStoreFormat,
  missingReplicas,
  readServerInfo,
  serverWarnings,
} from './connection/server-check.ts';
import { STORE_FORMAT_ERASED, STORE_FORMAT_KEY, streamKeys } from './keys.ts';
import { RedisLeases } from './leases.ts';
import { eraseFromStream } from './line-eraser.ts';
import { RedisRecords, storedText } from './records.ts';
import { StreamAges } from './stream-ages.ts';
import { RedisStreams } from './streams.ts';

/** How long Redis may be unavailable when the store is opened. */
const OPEN_TIMEOUT_MS = 10_000;
/** Limits that couldn't be read are read again after this time. */
const LIMITS_RETRY_MS = 1_000;
/** Of the name of a process: every append carries it, and Redis keeps it for every app. */
const ORIGIN_BYTES = 12;
/** Who deletes lines renews this with each piece of the stream. */
const ERASE_LEASE_MS = 60_000;

export interface RedisStoreOptions {
  readonly url: string;
  /** PEM of the CA that signed the server's certificate, when the system doesn't know it. */
  readonly ca?: string;
  readonly retention: Retention;
  readonly log: Log;
  /** How long Redis may be unavailable when the store is opened, ms. */
  readonly openMs?: number;
  /** A server opens it, and starts: Redis may be unavailable for so long until {@link Store.onServerStarted}. */
  readonly forServer?: boolean;
  /** Replicas that must have a line before it is acknowledged; left out: none. */
  readonly wait?: ReplicaWaitOptions;
}

interface OpenOptions {
  readonly address: RedisAddress;
  readonly ca: string | undefined;
  readonly retention: Retention;
  readonly wait: ReplicaWaitOptions | undefined;
}

export class RedisStore implements Store {
  readonly shared = true;
  readonly limits: AppLimitTable;
  /** Only Redis itself knows. */
  readonly trouble = undefined;
  private readonly connection: RedisConnection;
  private readonly appender: RedisAppender;
  private readonly outcomes = new AppendOutcomes((app, batch, appended) =>
    this.onAppended(app, batch, appended),
  );
  private readonly streams: RedisStreams;
  private readonly records: RedisRecords;
  private readonly leases: RedisLeases;
  private readonly changeFeed: ChangeFeed;
  private readonly origin: string;

  private readonly ages: StreamAges;

  private readonly limitsRead = new CoalescedRun(async () =>
    this.limits.load(await this.records.list<AppLimits>('', LIMITS_PREFIX)),
  );
  private limitsRetry: NodeJS.Timeout | undefined;
  private isClosed = false;

  private readonly wait: ReplicaWaitOptions | undefined;
  private readonly waitConnection: RedisConnection | undefined;
  private readonly replicas: ReplicaWaiter | undefined;

  private constructor(connection: RedisConnection, { address, ca, retention, wait }: OpenOptions) {
    const origin = randomBytes(ORIGIN_BYTES).toString('base64url');
    this.connection = connection;
    this.origin = origin;
    this.streams = new RedisStreams(connection);
    this.records = new RedisRecords(connection, origin);
    this.leases = new RedisLeases(connection);
    this.limits = new AppLimitTable(retention);
    this.ages = new StreamAges(connection, this.limits);
    const newestSeen = (app: AppId): Sequence => this.changeFeed.newestSeen(app);
    this.wait = wait;
    // Without warnings: the other connection has the same ones.
    this.waitConnection =
      wait && new RedisConnection({ address, ca, log: SILENT_LOG, waitMs: wait.timeoutMs });
    const replicas = wait && this.waitConnection && new ReplicaWaiter(this.waitConnection, wait);
    this.replicas = replicas;
    this.changeFeed = new ChangeFeed({
      connection,
      records: this.records,
      origin,
      replicas: replicas && {
        replicatedEnd: (app) => replicas.replicatedEnd(streamKeys(app)),
        endBefore: (app, ms) => this.streams.endBefore(app, ms),
      },
    });
    const takeOpen = (app: AppId, source: OpenAppend): WaitingAppend => {
      const waiter = source.takeBatch();
      return new WaitingAppend(app, waiter.batch, waiter, this.outcomes);
    };
    this.appender = new RedisAppender({
      connection,
      limits: this.limits,
      origin,
      newestSeen,
      replicas,
      takeOpen,
    });
    this.changeFeed.watchRecords((scope, keys) => {
      if (scope === '' && mayHaveChanged(keys, LIMITS_PREFIX)) this.followLimits();
    });
  }

  /**
   * Connects, and checks that this Redis can be used.
   * @throws TailraceError `settings` when it can't, `unavailable` when it doesn't answer, with what to do.
   */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const { ca, log } = options;
    const address = parseRedisUrl(options.url);
    const openMs = options.openMs ?? OPEN_TIMEOUT_MS;
    const connection = new RedisConnection({ address, ca, log, startPatienceMs: openMs });
    let store: RedisStore | undefined;
    const wait = options.wait && options.wait.replicas > 0 ? options.wait : undefined;
    try {
      store = new RedisStore(connection, { address, ca, retention: options.retention, wait });
      await connection.ready(openMs);
      await checkPermissions(connection, wait !== undefined);
      const servers = await readServerInfo(connection);
      const missing = missingReplicas(servers, wait?.replicas ?? 0);
      if (missing) log.warn({ redis: address.text }, missing);
      for (const info of servers) assertSupportedVersion(info);
      for (const warning of new Set(servers.flatMap(serverWarnings)))
        log.warn({ redis: address.text }, warning);
      await checkStoreFormat(connection);
      await store.limitsRead.request();
      store.watchEmptied(() => {
        const message =
          'Redis was emptied, or is another one now: apps, tokens, keys, drains and lines are gone';
        log.warn({ redis: address.text }, message);
        checkStoreFormat(connection).catch((error: unknown) => log.warn({ err: error }, message));
      });
      await store.changeFeed.reconcile();
      if (!options.forServer) store.endStart();
      return store;
    } catch (error) {
      await store?.close();
      connection.close();
      throw error;
    }
  }

  append(app: AppId, batch: Batch, options?: AppendOptions): Promise<AppendResult> {
    const batches = [{ batch, frameId: options?.frameId ?? '' }];
    return new Promise((resolve, reject) =>
      this.appender.append(app, {
        batches,
        resolve: ([appended]) => resolve(this.onAppended(app, batch, appended)),
        reject,
      }),
    );
  }

  appenderFor(app: AppId): StreamAppender {
    return new RedisStreamAppender(app, this.appender, this.outcomes);
  }

  appendAll(app: AppId, batches: readonly NamedBatch[]): Promise<readonly AppendResult[]> {
    return new Promise((resolve, reject) =>
      this.appender.append(app, {
        batches,
        resolve: (appended) =>
          resolve(batches.map(({ batch }, i) => this.onAppended(app, batch, appended[i]))),
        reject,
      }),
    );
  }

  async read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    // What is visible by the time of the answer may be what another master has there.
    const end = this.changeFeed.visibleUpTo(app);
    const batches = await this.streams.read(app, after, bytes);
    if (!this.wait) return batches;
    return batches.filter(({ last }) => last <= end);
  }

  readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.readBefore(app, before, bytes);
  }

  /** Nothing is known of entries that weren't read. */
  pieceEnds(): readonly Sequence[] {
    return [];
  }

  closedFiles(): readonly StreamFile[] {
    return [];
  }

  async bounds(app: AppId): Promise<StreamBounds> {
    if (!this.wait) return this.streams.bounds(app);
    await this.changeFeed.firstLook(app);
    const { first, last, bytes } = await this.streams.bounds(app);
    const end = Math.min(last, this.changeFeed.visibleUpTo(app));
    return { first: Math.min(first, end + 1), last: end, bytes };
  }

  async repeatedEnds(): Promise<undefined> {
    return undefined; // what it hasn't written it loses in other ways
  }

  async endsNoted(): Promise<void> {}

  async hasReached(app: AppId, sequence: Sequence): Promise<boolean> {
    const { last } = await this.streams.bounds(app);
    if (last >= sequence || !this.replicas) return last >= sequence;
    // A master that was replaced, and doesn't know that yet, has no replicas any more, and may have fewer lines.
    return (await this.replicas.replicatedEnd(streamKeys(app))) >= sequence;
  }

  heldBytes(apps: readonly AppId[]): Promise<readonly number[]> {
    return this.streams.heldBytes(apps);
  }

  storedBytes(app: AppId): Promise<number | undefined> {
    return this.streams.storedBytes(app);
  }

  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const last = await this.streams.sequenceAt(app, ms);
    return this.wait ? Math.min(last, this.changeFeed.visibleUpTo(app)) : last;
  }

  subscribe(app: AppId, listener: AppendListener): () => void {
    return this.changeFeed.subscribe(app, listener);
  }

  watchAwaited(): void {
    // All appends are.
  }

  storeGathered(): void {
    // Nothing gathers.
  }

  restore(app: AppId, batch: StoredBatch): Promise<void> {
    return this.appender.restore(app, batch);
  }

  watchDamage(): () => void {
    return () => {};
  }

  watchOutage(app: AppId, listener: (unavailable: boolean) => void): () => void {
    return this.changeFeed.watchOutage(app, listener);
  }

  async deleteLines(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: (batch: StoredBatch) => ReadonlySet<Sequence>,
  ): Promise<number> {
    // Two copies would each lack what the other one has deleted.
    const acquire = async (): Promise<Lease> => {
      const lease = await this.leases.acquireLease(`erase/${app}`, this.origin, ERASE_LEASE_MS);
      if (lease) return lease;
      throw new TailraceError(
        'conflict',
        'Lines of this app are being deleted already: try again when that is done.',
      );
    };
    const lease = await acquire();
    try {
      await this.connection.call('set', STORE_FORMAT_KEY, STORE_FORMAT_ERASED);
      return await eraseFromStream(this.connection, app, range, pick, async () => void (await acquire()));
    } finally {
      await this.leases.releaseLease(lease).catch(() => {}); // it expires
    }
  }

  async dropStream(app: AppId): Promise<void> {
    await this.streams.dropStream(app);
    this.appender.resetSequence(app);
  }

  get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    return this.records.get<T>(scope, key);
  }

  list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.list<T>(scope, prefix);
  }

  listOfApp<T>(app: AppId, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.listOfApp<T>(app, prefix);
  }

  async transact(
    scope: string,
    changes: readonly RecordChange[],
    options?: TransactOptions,
  ): Promise<boolean> {
    const quiet = options?.quiet ?? false;
    const revision = await this.records.transact(scope, changes, quiet);
    if (revision !== undefined && scope === '') this.limits.apply(changes);
    if (revision !== undefined && !quiet) this.changeFeed.onRecordsChanged(scope, revision, changes);
    if (revision === undefined || !options?.replicated || !this.replicas) return revision !== undefined;
    const texts = await this.replicas.replicatedRecords(
      scope as AppId,
      changes.map(({ key }) => key),
    );
    return texts === undefined || changes.every((change, i) => texts[i] === storedText(change));
  }

  watchRecords(listener: RecordListener): () => void {
    return this.changeFeed.watchRecords(listener);
  }

  watchEmptied(listener: () => void): () => void {
    return this.changeFeed.watchEmptied(listener);
  }

  acquireLease(name: string, owner: string, ttlMs: number, above?: number): Promise<Lease | undefined> {
    return this.leases.acquireLease(name, owner, ttlMs, above);
  }

  releaseLease(lease: Lease): Promise<void> {
    return this.leases.releaseLease(lease);
  }

  async time(): Promise<number> {
    return redisTime(this.connection);
  }

  onServerStarted(): void {
    this.endStart();
    this.ages.start();
  }

  status(): Promise<StoreStatus> {
    return redisStatus(this.connection, this.wait?.replicas ?? 0);
  }

  async close(): Promise<void> {
    clearTimeout(this.limitsRetry);
    this.isClosed = true;
    this.changeFeed.close();
    this.ages.stop();
    await this.appender.close();
    this.connection.close();
  }

  /** Limits may have changed. What can't be read now is read later: until then those from before hold. */
  private followLimits(): void {
    clearTimeout(this.limitsRetry);
    this.limitsRead.request().catch(() => {
      if (this.isClosed) return;
      clearTimeout(this.limitsRetry);
      this.limitsRetry = setTimeout(() => this.followLimits(), LIMITS_RETRY_MS).unref();
    });
  }

  private endStart(): void {
    this.connection.endStart();
    this.waitConnection?.endStart();
  }

  private onAppended(app: AppId, batch: Batch, appended: TimedAppendResult): AppendResult {
    const { first, last, duplicate } = appended;
    if (!duplicate) this.changeFeed.onAppended(app, batch, appended);
    return { first, last, duplicate };
  }
}
