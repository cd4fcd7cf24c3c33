/**
 * Removes what is too old from streams to which nothing is added any more: an append trims its own stream alone. Of the routers that
 * share a Redis, one does it at a time.
 */
import type { AppId } from '../contract.ts';
import { sweepIntervalMs } from '../sweep-interval.ts';
import type { RedisConnection } from './connection/connection.ts';
import { appOfIndexKey, STREAM_INDEX_PATTERN, SWEEP_KEY, streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Entries that one call removes, and streams that are looked at together. */
const ENTRIES_PER_CALL = 1_000;
const STREAMS_AT_ONCE = 50;

/** What the script returns of a stream that is empty. */
const EMPTY = -1;

export class StreamAges {
  private readonly connection: RedisConnection;
  private readonly ageMs: number;
  private readonly intervalMs: number;
  private timer: NodeJS.Timeout | undefined;
  private sweeping = false;
  /** When a stream will have something that is too old, on the clock of `performance.now()`. */
  private readonly dueAtMs = new Map<AppId, number>();

  constructor(connection: RedisConnection, ageMs: number) {
    this.connection = connection;
    this.ageMs = ageMs;
    this.intervalMs = sweepIntervalMs(ageMs);
  }

  start(): void {
    this.timer ??= setInterval(() => void this.sweep(), this.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async sweep(): Promise<void> {
    if (this.sweeping || !this.connection.isConnected) return;
    this.sweeping = true;
    try {
      // Another router does it in this interval, or this one will.
      const mine = await this.connection.call(
        'set',
        SWEEP_KEY,
        1,
        'NX',
        'PX',
        Math.ceil(this.intervalMs * 0.9),
      );
      if (mine !== null) await this.sweepAll();
    } catch {
      // While Redis is unavailable nothing is removed, and nothing is read; the next sweep does it.
    }
    this.sweeping = false;
  }

  private async sweepAll(): Promise<void> {
    const seen = new Set<AppId>();
    await this.connection.scan(STREAM_INDEX_PATTERN, async (keys) => {
      const apps = keys.map(appOfIndexKey);
      for (const app of apps) seen.add(app);
      const due = apps.filter((app) => (this.dueAtMs.get(app) ?? 0) <= performance.now());
      for (let i = 0; i < due.length && this.timer; i += STREAMS_AT_ONCE)
        await Promise.all(due.slice(i, i + STREAMS_AT_ONCE).map((app) => this.trim(app)));
    });
    for (const app of this.dueAtMs.keys()) if (!seen.has(app)) this.dueAtMs.delete(app);
  }

  private async trim(app: AppId): Promise<void> {
    const { lines, index, state } = streamKeys(app);
    let restMs = 0;
    while (restMs === 0)
      restMs = (await this.connection.runScript(
        LUA_SCRIPTS.trim,
        [lines, index, state],
        [this.ageMs, ENTRIES_PER_CALL],
      )) as number;
    if (restMs === EMPTY) this.dueAtMs.delete(app);
    else this.dueAtMs.set(app, performance.now() + restMs);
  }
}
