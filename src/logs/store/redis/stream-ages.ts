/**
 * Removes what streams may not hold any more, to which nothing is added: an append trims its own stream alone. Of the routers that
 * share a Redis, one does it at a time.
 */
import { CoalescedRun } from '../../../common/coalesced-run.ts';
import { type AppLimitTable, sweepIntervalMs } from '../app-limits.ts';
import type { AppId } from '../contract.ts';
import type { RedisConnection } from './connection/connection.ts';
import { appOfIndexKey, OWN_AGES_SWEEP_KEY, STREAM_INDEX_PATTERN, SWEEP_KEY, streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Entries that one call removes, and streams that are looked at together. */
const ENTRIES_PER_CALL = 1_000;
const STREAMS_AT_ONCE = 50;

/** What the script returns of a stream that is empty. */
const EMPTY = -1;

export class StreamAges {
  private readonly connection: RedisConnection;
  private readonly limits: AppLimitTable;
  private isStarted = false;
  private timer: NodeJS.Timeout | undefined;
  /** For streams whose age is set for them alone. */
  private ownTimer: NodeJS.Timeout | undefined;
  private ownMs = 0;
  private isSweeping = false;
  private isSweepingOwn = false;
  /** When a stream will have something that is too old, on the clock of `performance.now()`. */
  private readonly dueAtMs = new Map<AppId, number>();
  /** Apps whose limits have changed, until they are trimmed to these. */
  private readonly changed = new Set<AppId>();
  private readonly trimmingChanged = new CoalescedRun(() => this.trimChanged());
  private readonly stopWatching: () => void;

  constructor(connection: RedisConnection, limits: AppLimitTable) {
    this.connection = connection;
    this.limits = limits;
    this.stopWatching = limits.watch((apps) => this.onLimitsChanged(apps));
  }

  /** Begins to sweep, which it doesn't before: a router that only starts removes nothing. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    const intervalMs = sweepIntervalMs(this.limits.retention.ageMs);
    this.timer = setInterval(() => {
      if (this.isSweeping) return;
      this.isSweeping = true;
      const sweeping = this.sweep(SWEEP_KEY, intervalMs, () => this.sweepAll());
      void sweeping.finally(() => (this.isSweeping = false));
    }, intervalMs).unref();
    this.startOwn();
  }

  /** Ends between two calls of Redis: what is left is for other routers. */
  stop(): void {
    this.isStarted = false;
    this.stopWatching();
    clearInterval(this.timer);
    clearInterval(this.ownTimer);
  }

  private onLimitsChanged(apps: readonly AppId[]): void {
    if (!this.isStarted) return;
    for (const app of apps) this.changed.add(app);
    // What fails is done by the next sweep.
    this.trimmingChanged.request().catch(() => {});
    this.startOwn();
  }

  private async trimChanged(): Promise<void> {
    const apps = [...this.changed];
    this.changed.clear();
    for (const app of apps) this.dueAtMs.delete(app);
    await this.trimAll(apps);
  }

  /** Sweeps streams with an age of their own as often as the shortest of these needs; there are few of them. */
  private startOwn(): void {
    const intervalMs =
      this.limits.appsWithOwnAge().length === 0 ? 0 : sweepIntervalMs(this.limits.ageRangeMs[0]);
    if (intervalMs === this.ownMs) return;
    this.ownMs = intervalMs;
    clearInterval(this.ownTimer);
    if (intervalMs === 0) return;
    this.ownTimer = setInterval(() => {
      if (this.isSweepingOwn) return;
      this.isSweepingOwn = true;
      const sweeping = this.sweep(OWN_AGES_SWEEP_KEY, intervalMs, () =>
        this.trimAll(this.dueOf(this.limits.appsWithOwnAge())),
      );
      void sweeping.finally(() => (this.isSweepingOwn = false));
    }, intervalMs).unref();
  }

  private async sweep(lockKey: string, intervalMs: number, run: () => Promise<void>): Promise<void> {
    if (!this.connection.isConnected) return;
    try {
      // Another router does it in this interval, or this one will.
      const mine = await this.connection.call('set', lockKey, 1, 'NX', 'PX', Math.ceil(intervalMs * 0.9));
      if (mine !== null) await run();
    } catch {
      // While Redis is unavailable nothing is removed, and nothing is read; the next sweep does it.
    }
  }

  private async sweepAll(): Promise<void> {
    const seen = new Set<AppId>();
    await this.connection.scan(STREAM_INDEX_PATTERN, async (keys) => {
      const apps = keys.map(appOfIndexKey);
      for (const app of apps) seen.add(app);
      await this.trimAll(this.dueOf(apps));
    });
    for (const app of this.dueAtMs.keys()) if (!seen.has(app)) this.dueAtMs.delete(app);
  }

  private dueOf(apps: readonly AppId[]): AppId[] {
    return apps.filter((app) => (this.dueAtMs.get(app) ?? 0) <= performance.now());
  }

  private async trimAll(apps: readonly AppId[]): Promise<void> {
    for (let i = 0; i < apps.length && this.isStarted; i += STREAMS_AT_ONCE)
      await Promise.all(apps.slice(i, i + STREAMS_AT_ONCE).map((app) => this.trim(app)));
  }

  private async trim(app: AppId): Promise<void> {
    const { lines, index, state } = streamKeys(app);
    let restMs = 0;
    while (restMs === 0) {
      const retention = this.limits.retentionOf(app);
      restMs = (await this.connection.runScript(
        LUA_SCRIPTS.trim,
        [lines, index, state],
        [retention.lines, retention.bytes, retention.ageMs, ENTRIES_PER_CALL],
      )) as number;
    }
    if (restMs === EMPTY) this.dueAtMs.delete(app);
    else this.dueAtMs.set(app, performance.now() + restMs);
  }
}
