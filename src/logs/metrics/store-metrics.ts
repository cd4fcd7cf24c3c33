/** Metrics of the store: does it work, how fast, how full is it? */
import { statfs } from 'node:fs/promises';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Store } from '../store/contract.ts';
import type { StoreHealth } from '../store/store-health.ts';
import type { StreamSizes } from './stream-sizes.ts';

/** The sizes of all streams, and a Redis' health, are read again after this time. */
const SIZES_MS = 60_000;
const STATUS_MS = 5_000;

/** What is counted where it happens. */
export interface StoreCounts {
  /** An append failed. */
  onAppendFailed(): void;
  /** Lines turned out to be lost. */
  onLinesLost(lines: number): void;
  /** A file was synced in so many ms. */
  onSynced(ms: number): void;
}

/** Registers what is counted; to be called before the store is opened. */
export function registerStoreCounts(registry: Registry): StoreCounts {
  const registers = [registry];
  const failures = new Counter({
    name: 'tailrace_append_failures_total',
    help: 'Appends to the store that failed; senders were asked to wait, or the lines are tried again.',
    registers,
  });
  const lost = new Counter({
    name: 'tailrace_store_lost_lines_total',
    help: 'Lines that were stored, and are lost since files were damaged or removed.',
    registers,
  });
  const synced = new Histogram({
    name: 'tailrace_store_sync_seconds',
    help: 'How long files of the embedded store took to be synced to the disk.',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  return {
    onAppendFailed: () => failures.inc(),
    onLinesLost: (lines) => lost.inc(lines),
    onSynced: (ms) => synced.observe(ms / 1_000),
  };
}

/** Registers what is asked of the store. @param folder the data folder */
export function registerStoreMetrics(
  registry: Registry,
  {
    store,
    health,
    folder,
    sizes,
  }: {
    readonly store: Store;
    readonly health: StoreHealth;
    readonly folder: string;
    readonly sizes: StreamSizes;
  },
): void {
  const registers = [registry];
  new Gauge({
    name: 'tailrace_store_up',
    help: '0 while lines can not be stored, or stored ones are missing.',
    labelNames: ['kind'],
    registers,
    async collect() {
      this.set(
        { kind: store.shared ? 'redis' : 'embedded' },
        (await health.trouble(STATUS_MS)) === undefined ? 1 : 0,
      );
    },
  });
  const ofDisk = (name: string, help: string, blocks: 'bavail' | 'blocks'): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const disk = await statfs(folder).catch(() => undefined);
        if (disk) this.set(disk.bsize * disk[blocks]);
      },
    });
  };
  ofDisk('tailrace_data_free_bytes', 'Bytes that are free on the disk of the data folder.', 'bavail');
  ofDisk('tailrace_data_disk_bytes', 'Bytes of the disk of the data folder.', 'blocks');
  if (store.shared) registerRedisMetrics(registry, health);
  new Gauge({
    name: 'tailrace_streams',
    help: 'Apps that have a log.',
    registers,
    async collect() {
      await setKnown(this, async () => (await sizes.get(SIZES_MS)).apps);
    },
  });
  new Gauge({
    name: 'tailrace_streams_held_bytes',
    help: 'Bytes that the logs of all apps hold.',
    registers,
    async collect() {
      await setKnown(this, async () => (await sizes.get(SIZES_MS)).heldBytes);
    },
  });
  const perApp = (name: string, help: string, read: 'heldBytes' | 'storedBytes'): void => {
    new Gauge({
      name,
      help,
      labelNames: ['app'],
      registers,
      async collect() {
        this.reset();
        const known = await sizes.get(SIZES_MS).catch(() => undefined);
        for (const one of known?.largest ?? [])
          if (one[read] !== undefined) this.set({ app: one.app }, one[read]);
      },
    });
  };
  perApp('tailrace_stream_held_bytes', 'Bytes that the log of an app holds, of the largest.', 'heldBytes');
  perApp(
    'tailrace_stream_stored_bytes',
    "Bytes that the log of an app takes of the disk, or of Redis' memory, of the largest.",
    'storedBytes',
  );
}

/** What can't be told, while the store is unavailable, isn't there: nothing else may be missing for that. */
async function setKnown(gauge: Gauge, read: () => Promise<number>): Promise<void> {
  const value = await read().catch(() => undefined);
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}

function registerRedisMetrics(registry: Registry, health: StoreHealth): void {
  for (const [name, fact, help] of [
    ['tailrace_redis_memory_used_bytes', 'used_bytes', 'Memory that Redis uses, of all masters.'],
    ['tailrace_redis_memory_max_bytes', 'max_bytes', 'Memory that Redis may use (maxmemory); 0: any amount.'],
    ['tailrace_redis_replicas', 'replicas', 'Replicas that are connected to Redis, of all masters.'],
    ['tailrace_redis_answer_seconds', 'answer_ms', 'How long Redis took to answer.'],
  ] as const)
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const value = (await health.status(STATUS_MS))?.facts[fact];
        if (typeof value === 'number') this.set(fact === 'answer_ms' ? value / 1_000 : value);
      },
    });
  new Gauge({
    name: 'tailrace_redis_concerns',
    help: 'Settings and conditions of Redis that would lose lines sooner or later: `tailrace status` says which.',
    registers: [registry],
    async collect() {
      this.set((await health.status(STATUS_MS))?.concerns.length ?? 0);
    },
  });
}
