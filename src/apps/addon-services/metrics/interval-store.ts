/** Intervals on disk: by the minute for two days, and by ten minutes for a month. */
import type { Database } from 'lmdb';
import { LmdbFile, type LmdbTable } from '../../../logs/store/embedded/records/lmdb-file.ts';
import { Interval, type StoredInterval } from './interval.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How long intervals are, and for how long they are kept: from short to long. */
const RESOLUTIONS = [
  { stepMs: MINUTE_MS, keptMs: 2 * DAY_MS },
  { stepMs: 10 * MINUTE_MS, keptMs: 31 * DAY_MS },
] as const;
export const KEPT_MS: number = RESOLUTIONS[1].keptMs;

/** Shipments whose names are remembered: a retry comes soon. */
const FRAME_IDS_MAX = 1_000;
const FRAME_IDS = 'frame-ids';
/** Intervals that are kept in memory, since lines come into them. */
const OPEN_MAX = 40;

type Key = [stepMs: number, startMs: number] | string;

/** Changes what happened at a time. */
export type Change = (interval: Interval) => void;

export class IntervalStore {
  private readonly file: LmdbFile;
  private readonly table: LmdbTable<StoredInterval | readonly string[], Key>;
  private readonly open = new Map<string, { readonly key: Key; readonly interval: Interval }>();
  private frameIds: Set<string>;
  private queue: Promise<unknown> = Promise.resolve();

  /** @param path of the database's file */
  constructor(path: string) {
    this.file = new LmdbFile({ path, compression: false, encoding: 'msgpack' });
    this.table = this.file.table(
      (root) => root as unknown as Database<StoredInterval | readonly string[], Key>,
    );
    this.frameIds = new Set((this.table.get(FRAME_IDS) ?? []) as readonly string[]);
  }

  /**
   * Records what one shipment says, all of it or nothing, one shipment after the other; resolves when it is stored.
   *
   * @param frameId its name: what was recorded under this name already is left out. Undefined: it has none
   * @param changes by time, in milliseconds
   * @returns false when it was recorded before
   */
  record(
    frameId: string | undefined,
    changes: readonly { readonly atMs: number; readonly change: Change }[],
  ): Promise<boolean> {
    const recorded = this.queue.then(() => this.recordNow(frameId, changes));
    this.queue = recorded.catch(() => undefined);
    return recorded;
  }

  private async recordNow(
    frameId: string | undefined,
    changes: readonly { readonly atMs: number; readonly change: Change }[],
  ): Promise<boolean> {
    if (frameId !== undefined && this.frameIds.has(frameId)) return false;
    const touched = new Set<string>();
    try {
      for (const { atMs, change } of changes)
        for (const { stepMs } of RESOLUTIONS) {
          const key: [number, number] = [stepMs, Math.floor(atMs / stepMs) * stepMs];
          touched.add(key.join(' '));
          change(this.openInterval(key));
        }
      const frameIds = frameId === undefined ? undefined : [...this.frameIds, frameId].slice(-FRAME_IDS_MAX);
      await this.file.write(() => {
        const { db } = this.table;
        return db.transaction(() => {
          for (const name of touched) {
            const opened = this.open.get(name);
            if (opened) db.put(opened.key, opened.interval.toStored());
          }
          if (frameIds) db.put(FRAME_IDS, frameIds);
        });
      });
      if (frameIds) this.frameIds = new Set(frameIds);
    } catch (error) {
      // What is in memory has counted what isn't stored.
      for (const name of touched) this.open.delete(name);
      throw error;
    }
    for (const name of this.open.keys()) {
      if (this.open.size <= OPEN_MAX) break;
      this.open.delete(name);
    }
    return true;
  }

  /**
   * The intervals between two times, the shortest that are kept for that long.
   * @returns each with its beginning, in order
   */
  read(fromMs: number, toMs: number, nowMs: number): { startMs: number; interval: StoredInterval }[] {
    const { stepMs } = RESOLUTIONS.find(({ keptMs }) => nowMs - fromMs <= keptMs) ?? RESOLUTIONS[1];
    const range = this.table.entries({ start: [stepMs, fromMs - (fromMs % stepMs)], end: [stepMs, toMs] });
    return range.map(({ key, value }) => ({
      startMs: Number(key[1]),
      interval: value as StoredInterval,
    }));
  }

  /** Deletes what is older than it is kept. */
  async expire(nowMs: number): Promise<void> {
    for (const { stepMs, keptMs } of RESOLUTIONS) {
      const old = this.table.keys({ start: [stepMs, 0], end: [stepMs, nowMs - keptMs] });
      for (const key of old) await this.file.write(() => this.table.db.remove(key));
    }
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.queue;
    await this.file.close();
  }

  private openInterval(key: [number, number]): Interval {
    const name = key.join(' ');
    const opened = this.open.get(name);
    // The one that was used last is the last that is forgotten.
    this.open.delete(name);
    const interval = opened?.interval ?? new Interval(this.table.get(key) as StoredInterval | undefined);
    this.open.set(name, { key, interval });
    return interval;
  }
}
