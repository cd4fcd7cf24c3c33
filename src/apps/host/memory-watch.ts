/**
 * Watches the memory of dynos: tells an app of a dyno that uses more than its size allows (R14), ends one that uses twice
 * as much (R15), and writes samples for apps that want them. It looks every 20 seconds: what grows faster than that is
 * for the kernel to stop.
 */

import type { AppId, Store } from '../../logs/store/contract.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import { groupMemory, type Memory, totalMemory } from '../processes/memory.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../processes/output/line-sink.ts';
import { signalGroup } from '../processes/process-group.ts';
import { memoryFactor, sizesOf } from '../records/dyno-sizes.ts';
import { hasFeature } from '../records/features.ts';

/** This many times its quota, and a dyno is ended. */
const VASTLY = 2;
const MB = 1_048_576;

export interface MemoryWatchOptions {
  readonly store: Store;
  /** Of a usual dyno, in bytes; undefined: no quota. */
  readonly quota: number | undefined;
  readonly everyMs: number;
  /** All that run now, by app. */
  readonly dynos: () => ReadonlyMap<AppId, readonly DynoInfo[]>;
  readonly lines: (app: AppId) => LineSink;
  readonly warn: (fields: object, message: string) => void;
}

export class MemoryWatch {
  private readonly options: MemoryWatchOptions;
  private readonly timer: NodeJS.Timeout;
  private looking = false;

  constructor(options: MemoryWatchOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.lookOnce(), options.everyMs);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async lookOnce(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    await this.look().catch((error: unknown) =>
      this.options.warn({ err: error }, 'the memory of dynos could not be measured'),
    );
    this.looking = false;
  }

  private async look(): Promise<void> {
    const { store, quota, dynos } = this.options;
    for (const [app, all] of dynos()) {
      const sampled = await hasFeature(store, app, 'log-runtime-metrics');
      if (all.length === 0 || (quota === undefined && !sampled)) continue;
      const used = await groupMemory(new Set(all.flatMap(({ pid }) => pid ?? [])));
      const sizes = await sizesOf(store, app);
      // Asked again: measuring took a while, and a number may be somebody else's by now.
      const still = new Map(
        dynos()
          .get(app)
          ?.map((dyno) => [dyno.id, dyno]),
      );
      for (const { id, pid } of all) {
        const dyno = still.get(id);
        const memory = pid === undefined ? undefined : used.get(pid);
        if (!dyno || !memory || dyno.pid !== pid) continue;
        const allowed = quota === undefined ? undefined : quota * memoryFactor(sizes[dyno.type]);
        this.judge(app, dyno, memory, allowed, sampled);
      }
    }
  }

  private judge(app: AppId, dyno: DynoInfo, memory: Memory, allowed: number | undefined, sampled: boolean) {
    const lines = this.options.lines(app);
    const say = (text: string): void => lines.line('heroku', dyno.name, PLATFORM_PRIORITY, text);
    if (sampled) say(sample(dyno, memory, allowed));
    const total = totalMemory(memory);
    if (allowed === undefined || total <= allowed) return;
    say(`Process running mem=${Math.round(total / MB)}M(${((total / allowed) * 100).toFixed(1)}%)`);
    if (total <= allowed * VASTLY) return say('Error R14 (Memory quota exceeded)');
    say('Error R15 (Memory quota vastly exceeded)');
    say('Stopping process with SIGKILL');
    if (dyno.pid !== undefined) signalGroup(dyno.pid, 'SIGKILL');
  }
}

function sample({ id, name }: DynoInfo, memory: Memory, allowed: number | undefined): string {
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(2)}MB`;
  const { rss, cache, swap } = memory;
  const values = { total: totalMemory(memory), rss, cache, swap, ...(allowed ? { quota: allowed } : {}) };
  const shown = Object.entries(values).map(([what, bytes]) => `sample#memory_${what}=${mb(bytes)}`);
  return `source=${name} dyno=heroku.${id} ${shown.join(' ')}`;
}
