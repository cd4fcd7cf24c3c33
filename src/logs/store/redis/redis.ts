/**
 * The Redis store: many routers on one Redis (or Valkey) 6.2 or newer, alone, behind Sentinels, or a Cluster. An append
 * is durable as far as Redis is: see docs/redis.md.
 *
 * Takes what the contract says. Everything that has to happen at once happens in one Lua script (`lua/`); time is
 * Redis's own; what is read comes from the master.
 */
import { randomUUID } from 'node:crypto';
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
import { Appends } from './appends.ts';
import { parseRedisUrl, type RedisAddress } from './connection/address.ts';
import { Connection } from './connection/connection.ts';
import { Replicas, type WaitOptions } from './connection/replicas.ts';
import {
  checkFormat,
  concerns,
  missingReplicas,
  readAllFacts,
  refuseUnusable,
} from './connection/server-check.ts';
import { redisStatus } from './connection/status.ts';
import { RedisLeases } from './leases.ts';
import { RedisRecords } from './records.ts';
import { RedisStreams } from './streams.ts';
import { Wakeups } from './wakeups.ts';

/** How long Redis may be away when the store is opened. */
const OPEN_MS = 10_000;

export interface RedisStoreOptions {
  readonly url: string;
  /** PEM of the CA that signed the server's certificate, when the system doesn't know it. */
  readonly ca?: string;
  readonly retention: Retention;
  readonly warn: (fields: object, message: string) => void;
  /** How long Redis may be away when the store is opened, ms. */
  readonly openMs?: number;
  /** Replicas that must have a line before it is acknowledged; left out: none. */
  readonly wait?: WaitOptions;
}

interface Opened {
  readonly address: RedisAddress;
  readonly ca: string | undefined;
  readonly retention: Retention;
  readonly wait: WaitOptions | undefined;
}

export class RedisStore implements Store {
  readonly shared = true;
  private readonly connection: Connection;
  private readonly appends: Appends;
  private readonly streams: RedisStreams;
  private readonly records: RedisRecords;
  private readonly leases: RedisLeases;
  private readonly wakeups: Wakeups;

  private readonly wait: WaitOptions | undefined;

  private constructor(connection: Connection, { address, ca, retention, wait }: Opened) {
    const origin = randomUUID();
    this.connection = connection;
    this.streams = new RedisStreams(connection);
    this.records = new RedisRecords(connection, origin);
    this.leases = new RedisLeases(connection);
    this.wakeups = new Wakeups(connection, this.records, origin);
    const newest = (app: AppId): Sequence => this.wakeups.newest(app);
    this.wait = wait;
    // What this connection complains of, the other one says too.
    const waiting = wait && new Connection({ address, ca, warn: () => {}, waitMs: wait.timeoutMs });
    const replicas = wait && waiting && new Replicas(waiting, wait);
    this.appends = new Appends({ connection, retention, origin, newest, replicas });
  }

  /**
   * Connects, and checks that this Redis can be used.
   * @throws TailraceError `settings` when it can't, `unavailable` when it doesn't answer, with what to do.
   */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const { ca, warn } = options;
    const address = parseRedisUrl(options.url);
    const connection = new Connection({ address, ca, warn });
    let store: RedisStore | undefined;
    const wait = options.wait && options.wait.replicas > 0 ? options.wait : undefined;
    try {
      store = new RedisStore(connection, { address, ca, retention: options.retention, wait });
      await connection.ready(options.openMs ?? OPEN_MS);
      const servers = await readAllFacts(connection);
      const missing = missingReplicas(servers, wait?.replicas ?? 0);
      if (missing) warn({ redis: address.text }, missing);
      for (const facts of servers) refuseUnusable(facts);
      for (const concern of new Set(servers.flatMap(concerns))) warn({ redis: address.text }, concern);
      await checkFormat(connection);
      await store.wakeups.sweep();
      return store;
    } catch (error) {
      await store?.close();
      connection.close();
      throw error;
    }
  }

  async append(app: AppId, batch: Batch, options?: AppendOptions): Promise<Appended> {
    const { storedAtMs, first, last, duplicate } = await this.appends.append(
      app,
      batch,
      options?.frameId ?? '',
    );
    if (!duplicate) this.wakeups.appended(app, last, { ...batch, first, last, storedAtMs });
    return { first, last, duplicate, passedOn: !duplicate };
  }

  read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.read(app, after, bytes);
  }

  readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.streams.readBefore(app, before, bytes);
  }

  bounds(app: AppId): Promise<StreamBounds> {
    return this.streams.bounds(app);
  }

  sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    return this.streams.sequenceAt(app, ms);
  }

  subscribe(app: AppId, wake: Wake): () => void {
    return this.wakeups.subscribe(app, wake);
  }

  restore(app: AppId, batch: StoredBatch): Promise<void> {
    return this.appends.restore(app, batch);
  }

  watchAbsence(app: AppId, told: (away: boolean) => void): () => void {
    return this.wakeups.watchAbsence(app, told);
  }

  async drop(app: AppId): Promise<void> {
    await this.streams.drop(app);
    this.appends.forget(app);
  }

  get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    return this.records.get<T>(scope, key);
  }

  list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]> {
    return this.records.list<T>(scope, prefix);
  }

  async transact(
    scope: string,
    changes: readonly RecordChange[],
    options?: TransactOptions,
  ): Promise<boolean> {
    const quiet = options?.quiet ?? false;
    const revision = await this.records.transact(scope, changes, quiet);
    if (revision !== undefined && !quiet) this.wakeups.changed(scope, revision);
    return revision !== undefined;
  }

  watch(changed: (scope: string) => void): () => void {
    return this.wakeups.watch(changed);
  }

  acquire(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    return this.leases.acquire(name, owner, ttlMs);
  }

  release(lease: Lease): Promise<void> {
    return this.leases.release(lease);
  }

  status(): Promise<StoreStatus> {
    return redisStatus(this.connection, this.wait?.replicas ?? 0);
  }

  async close(): Promise<void> {
    this.wakeups.close();
    await this.appends.close();
    this.connection.close();
  }
}
