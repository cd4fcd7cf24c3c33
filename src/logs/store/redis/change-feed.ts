/**
 * Notifications by pub/sub, and a reconciliation at intervals, since messages may be lost: with the connection, or between the
 * servers of a Cluster.
 *
 * The reconciliation reads the last sequences of the apps that have subscribers here, and of no others: ten thousand
 * idle apps that nobody reads cost nothing. A script answers for hundreds of apps in one call; in a Cluster, where a
 * call can't reach into several slots, it is one pipeline a server.
 */
import { CoalescedRun } from '../../../common/coalesced-run.ts';
import type { Batch } from '../../syslog/batch.ts';
import type {
  AppendListener,
  AppId,
  RecordChange,
  RecordListener,
  Sequence,
  StoredBatch,
} from '../contract.ts';
import { Subscriptions } from '../subscriptions.ts';
import type { RedisConnection } from './connection/connection.ts';
import { appendChannel, appOfChannel, RECORDS_CHANNEL, streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';
import { OUTAGE_AFTER_MS, OutageMonitor } from './outage-monitor.ts';
import type { RedisRecords } from './records.ts';
import { parseRecordsMessage } from './records-message.ts';

/** A lost notification is made up for after this time: no line is late by more than a second. */
const RECONCILE_MS = 600;
/** Who begins to follow a stream waits so long for replicas that are missing, and then takes what Redis has had for a while. */
const FIRST_LOOK_MS = 5_000;
/** What is older isn't taken back: a replica that was cut off for so long takes no master's place (10 × Sentinels' default of 30 s; Clusters': 160 s). */
const SETTLED_MS = 300_000;
/** Apps whose sequences are read, and channels that are subscribed to, with one call. */
const APPS_PER_CALL = 500;

export interface ChangeFeedOptions {
  readonly connection: RedisConnection;
  readonly records: RedisRecords;
  readonly origin: string;
  readonly replicas?: FollowedReplicas;
}

/** How far a stream can be read, where replicas are waited for. */
export interface FollowedReplicas {
  /** How far enough replicas have it. Rejects when there are too few. */
  replicatedEnd(app: AppId): Promise<Sequence>;
  /** The last sequence that was stored so many ms ago, or before. */
  endBefore(app: AppId, ms: number): Promise<Sequence>;
}

export class ChangeFeed {
  private readonly connection: RedisConnection;
  private readonly records: RedisRecords;
  private readonly origin: string;
  private readonly subscriptions = new Subscriptions();
  private readonly outages = new OutageMonitor();
  /** Apps that have subscribers, with the last sequence that these were notified of; -1: not reconciled yet. */
  private readonly notifiedUpTo = new Map<AppId, Sequence>();
  /** Of apps that have subscribers: the last sequences of this process's own appends that the others were notified of. */
  private readonly announcedUpTo = new Map<AppId, Sequence>();
  private revision = -1;
  private storeId: string | undefined;
  private subscribing: AppId[] = [];
  private unsubscribing: AppId[] = [];
  private readonly timer: NodeJS.Timeout;
  private reconciling = false;
  private reconcileStartedAtMs = 0;
  private closed = false;
  private readonly replicas: FollowedReplicas | undefined;
  /** Of apps that have subscribers: finds out how far replicas have the stream. */
  private readonly looks = new Map<AppId, CoalescedRun>();

  /**
   * @param options.replicas when they are given nobody is notified of lines before replicas have them, as a failover may take them back: other
   *   lines get their sequences then, and readers would have passed these.
   */
  constructor({ connection, records, origin, replicas }: ChangeFeedOptions) {
    this.connection = connection;
    this.records = records;
    this.origin = origin;
    this.replicas = replicas;
    connection.onMessage((channel, message) => this.onMessage(channel, message));
    connection.onConnect(() => void this.resubscribe());
    this.timer = setInterval(() => this.onTimer(), RECONCILE_MS);
    this.timer.unref();
  }

  /** As {@link Store.subscribe}. Channels of one turn of the event loop are subscribed to together. */
  subscribe(app: AppId, listener: AppendListener): () => void {
    const unsubscribe = this.subscriptions.subscribe(app, listener);
    if (!this.notifiedUpTo.has(app)) {
      this.notifiedUpTo.set(app, -1);
      this.queueSubscribe(app);
    }
    return () => {
      unsubscribe();
      if (this.subscriptions.hasSubscribers(app)) return;
      this.notifiedUpTo.delete(app);
      this.announcedUpTo.delete(app);
      this.looks.delete(app);
      this.queueUnsubscribe(app);
    };
  }

  /** As {@link Store.watchRecords}. */
  watchRecords(listener: RecordListener): () => void {
    return this.subscriptions.watchRecords(listener);
  }

  /** As {@link Store.watchEmptied}. */
  watchEmptied(listener: () => void): () => void {
    return this.subscriptions.watchEmptied(listener);
  }

  /** As {@link Store.watchOutage}: only streams that somebody subscribes to are looked at. */
  watchOutage(app: AppId, listener: (unavailable: boolean) => void): () => void {
    return this.outages.watch(app, listener);
  }

  /** This process appended a batch. */
  onAppended(
    app: AppId,
    { bytes, count, memory }: Batch,
    { first, last, storedAtMs }: Pick<StoredBatch, 'first' | 'last' | 'storedAtMs'>,
  ): void {
    const notified = this.notifiedUpTo.get(app);
    if (notified === undefined) return;
    if (last > notified && notified >= 0) this.notifiedUpTo.set(app, last);
    this.subscriptions.notifyAppend(app, { bytes, count, memory, first, last, storedAtMs });
  }

  /** This process changed records; `revision` is the scope's number of transactions since. */
  onRecordsChanged(scope: string, revision: number, changes: readonly RecordChange[]): void {
    if (scope === '') this.onRevision(revision);
    this.subscriptions.notifyRecordChange(
      scope,
      changes.map(({ key }) => key),
    );
  }

  /** The newest sequence that a subscriber was notified of: here, or as far as is known elsewhere. */
  newestSeen(app: AppId): Sequence {
    return Math.max(0, this.notifiedUpTo.get(app) ?? 0, this.announcedUpTo.get(app) ?? 0);
  }

  /** What is behind this sequence isn't to be read yet by who follows the stream. */
  visibleUpTo(app: AppId): Sequence {
    const notified = this.notifiedUpTo.get(app) ?? -1;
    return this.replicas && notified >= 0 ? notified : Number.POSITIVE_INFINITY;
  }

  /** Resolves when {@link visibleUpTo} says what it should, for a stream that somebody has begun to follow. */
  async firstLook(app: AppId): Promise<void> {
    const beganMs = performance.now();
    const { replicas } = this;
    while (replicas && this.notifiedUpTo.get(app) === -1 && !this.closed) {
      const before = performance.now();
      await this.lookAtReplicas(app);
      if (before - beganMs > FIRST_LOOK_MS) this.notifyGrowth(app, await replicas.endBefore(app, SETTLED_MS));
      if (this.notifiedUpTo.get(app) === -1)
        await new Promise((resolve) => setTimeout(resolve, RECONCILE_MS / 4).unref());
    }
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private queueSubscribe(app: AppId): void {
    this.subscribing.push(app);
    if (this.subscribing.length === 1) setImmediate(() => void this.subscribeQueued());
  }

  /** Subscribes to all channels of a turn at once, and reconciles: of what was appended meanwhile nobody was notified. */
  private async subscribeQueued(): Promise<void> {
    const apps = this.subscribing.splice(0).filter((app) => this.notifiedUpTo.has(app));
    if (apps.length === 0 || this.closed) return;
    await this.connection.subscribe(apps.map(appendChannel)).catch(() => {}); // again when it is connected
    await this.reconcile();
  }

  /** A connection is new: nothing is subscribed to, and messages of the time before are lost. */
  private async resubscribe(): Promise<void> {
    const channels = [RECORDS_CHANNEL, ...[...this.notifiedUpTo.keys()].map(appendChannel)];
    try {
      for (let i = 0; i < channels.length; i += APPS_PER_CALL)
        await this.connection.subscribe(channels.slice(i, i + APPS_PER_CALL));
    } catch {
      // The connection is lost again; this is repeated for the next one.
    }
    await this.reconcile();
  }

  private queueUnsubscribe(app: AppId): void {
    this.unsubscribing.push(app);
    if (this.unsubscribing.length > 1) return;
    setImmediate(() => {
      const apps = this.unsubscribing.splice(0).filter((one) => !this.notifiedUpTo.has(one));
      if (apps.length > 0 && !this.closed)
        this.connection.unsubscribe(apps.map(appendChannel)).catch(() => {});
    });
  }

  private onMessage(channel: string, message: string): void {
    if (channel === RECORDS_CHANNEL) {
      const change = parseRecordsMessage(message);
      if (change === undefined || change.origin === this.origin) return;
      if (change.scope === '') this.onRevision(change.revision);
      this.subscriptions.notifyRecordChange(change.scope, change.keys);
      return;
    }
    const [origin, last] = message.split(' ');
    const app = appOfChannel(channel);
    if (origin !== this.origin) this.onGrowth(app, Number(last));
    // Of its own appends this process is notified with the batch itself, when the reply comes; if it comes. Others have passed them by now, unless
    // they wait for replicas. One that comes when nobody follows the stream any more says nothing of it: it may have been dropped meanwhile.
    else if (
      !this.replicas &&
      this.notifiedUpTo.has(app) &&
      Number(last) > (this.announcedUpTo.get(app) ?? 0)
    )
      this.announcedUpTo.set(app, Number(last));
  }

  private onGrowth(app: AppId, last: Sequence): void {
    if (!this.replicas) this.notifyGrowth(app, last);
    else if (last > (this.notifiedUpTo.get(app) ?? last)) void this.lookAtReplicas(app);
  }

  /** Notifies of what replicas have. When too few answer, the next reconciliation asks again. */
  private async lookAtReplicas(app: AppId): Promise<void> {
    const { replicas } = this;
    if (!replicas) return;
    let look = this.looks.get(app);
    if (!look) {
      look = new CoalescedRun(async () => this.notifyGrowth(app, await replicas.replicatedEnd(app)));
      this.looks.set(app, look);
    }
    await look.request().catch(() => {});
  }

  private notifyGrowth(app: AppId, last: Sequence): void {
    const notified = this.notifiedUpTo.get(app);
    if (notified === undefined || last <= notified) return;
    this.notifiedUpTo.set(app, last);
    this.subscriptions.notifyAppend(app, undefined);
  }

  private onRevision(revision: number): void {
    // A number was skipped: something else was changed too, which the reconciliation finds.
    if (revision === this.revision + 1) this.revision = revision;
  }

  private onTimer(): void {
    // A Redis that hangs keeps its connection. When one server of a Cluster does, the reconciliation finds its apps unreachable.
    const hangs =
      this.reconciling &&
      !this.connection.isCluster &&
      performance.now() - this.reconcileStartedAtMs > OUTAGE_AFTER_MS;
    if (hangs || !this.connection.isConnected) this.outages.allUnreachable();
    void this.reconcile();
  }

  /** Finds what was appended or changed without a notification here. */
  async reconcile(): Promise<void> {
    if (this.reconciling || this.closed || !this.connection.isConnected) return;
    this.reconciling = true;
    this.reconcileStartedAtMs = performance.now();
    const apps = [...this.notifiedUpTo.keys()];
    const parts = [this.reconcileRecords()];
    for (let i = 0; i < apps.length; i += APPS_PER_CALL)
      parts.push(this.reconcileApps(apps.slice(i, i + APPS_PER_CALL)));
    // While Redis is unavailable they fail: the next reconciliation makes up for this one.
    await Promise.allSettled(parts);
    this.reconciling = false;
  }

  private async reconcileRecords(): Promise<void> {
    const [revision, storeId] = await Promise.all([this.records.revision(), this.records.storeId()]);
    const isEmptied = this.storeId !== undefined && this.storeId !== storeId;
    const isChanged = this.revision !== -1 && this.revision !== revision;
    this.storeId = storeId;
    this.revision = revision;
    if (isEmptied) this.subscriptions.notifyEmptied();
    if (isEmptied || isChanged) this.subscriptions.notifyRecordChange('');
  }

  private async reconcileApps(apps: readonly AppId[]): Promise<void> {
    const newest = await this.lastSequences(apps);
    for (const [i, app] of apps.entries()) {
      const last = newest[i];
      const notified = this.notifiedUpTo.get(app);
      if (last === undefined) this.outages.unreachable(app);
      else this.outages.reachable(app);
      if (last === undefined || notified === undefined) continue;
      if (last > notified) this.onGrowth(app, last);
      else if (last < notified) await this.raiseNextSequence(app, notified);
    }
  }

  private async lastSequences(apps: readonly AppId[]): Promise<readonly (number | undefined)[]> {
    const states = apps.map((app) => streamKeys(app).state);
    if (!this.connection.isCluster)
      return (await this.connection.runScript(LUA_SCRIPTS.newest, states, [])) as number[];
    const fields = await this.connection.hgetEach(states, 'next');
    return fields.map((next) => (next === undefined ? undefined : Number(next ?? 1) - 1));
  }

  /**
   * The stream is shorter than what was notified: a failover lost its end, or the stream was dropped. Its next line must not
   * get a sequence that readers have passed.
   */
  private async raiseNextSequence(app: AppId, notified: Sequence): Promise<void> {
    await this.connection.runScript(LUA_SCRIPTS.raise, [streamKeys(app).state], [notified + 1]);
  }
}
