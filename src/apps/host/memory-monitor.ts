/**
 * Watches the memory of dynos: tells an app of a dyno that uses more than its size allows (R14), ends one that uses twice
 * as much (R15), and writes samples for apps that want them. It looks every 20 seconds: what grows faster than that is
 * for the kernel to stop.
 */

import { platformErrorTitle } from '../../common/platform-errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import { groupMemory, type MemoryUsage, totalMemory } from '../processes/memory-usage.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../processes/output/line-sink.ts';
import { signalGroup } from '../processes/process-group.ts';
import { loadDynoSizes, memoryMultiplier } from '../records/dyno-sizes.ts';
import { hasFeature } from '../records/features.ts';

/** This many times its quota, and a dyno is ended. */
const KILL_FACTOR = 2;
const MB = 1_048_576;

export interface MemoryMonitorOptions {
  readonly store: Store;
  /** Of a usual dyno, in bytes; undefined: no quota. */
  readonly quota: number | undefined;
  readonly everyMs: number;
  /** All that run now, by app. */
  readonly dynos: () => ReadonlyMap<AppId, readonly DynoInfo[]>;
  readonly lines: (app: AppId) => LineSink;
  readonly warn: (fields: object, message: string) => void;
}

export class MemoryMonitor {
  private readonly options: MemoryMonitorOptions;
  private readonly timer: NodeJS.Timeout;
  private sampling = false;

  constructor(options: MemoryMonitorOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.sampleUnlessBusy(), options.everyMs);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async sampleUnlessBusy(): Promise<void> {
    if (this.sampling) return;
    this.sampling = true;
    await this.sampleAll().catch((error: unknown) =>
      this.options.warn({ err: error }, 'the memory of dynos could not be measured'),
    );
    this.sampling = false;
  }

  private async sampleAll(): Promise<void> {
    const { store, quota, dynos } = this.options;
    for (const [app, all] of dynos()) {
      const wantsSamples = await hasFeature(store, app, 'log-runtime-metrics');
      if (all.length === 0 || (quota === undefined && !wantsSamples)) continue;
      const used = await groupMemory(new Set(all.flatMap(({ pid }) => pid ?? [])));
      const sizes = await loadDynoSizes(store, app);
      // Asked again: measuring took a while, and a number may be somebody else's by now.
      const current = new Map(
        dynos()
          .get(app)
          ?.map((dyno) => [dyno.id, dyno]),
      );
      for (const { id, pid } of all) {
        const dyno = current.get(id);
        const memory = pid === undefined ? undefined : used.get(pid);
        if (!dyno || !memory || dyno.pid !== pid) continue;
        const quotaBytes = quota === undefined ? undefined : quota * memoryMultiplier(sizes[dyno.type]);
        this.checkQuota(app, dyno, memory, quotaBytes, wantsSamples);
      }
    }
  }

  private checkQuota(
    app: AppId,
    dyno: DynoInfo,
    memory: MemoryUsage,
    quotaBytes: number | undefined,
    wantsSamples: boolean,
  ) {
    const lines = this.options.lines(app);
    const log = (text: string): void => lines.writeLine('heroku', dyno.name, PLATFORM_PRIORITY, text);
    if (wantsSamples) log(sampleLine(dyno, memory, quotaBytes));
    const total = totalMemory(memory);
    if (quotaBytes === undefined || total <= quotaBytes) return;
    log(`Process running mem=${Math.round(total / MB)}M(${((total / quotaBytes) * 100).toFixed(1)}%)`);
    if (total <= quotaBytes * KILL_FACTOR) return log(platformErrorTitle('R14'));
    log(platformErrorTitle('R15'));
    log('Stopping process with SIGKILL');
    if (dyno.pid !== undefined) signalGroup(dyno.pid, 'SIGKILL');
  }
}

function sampleLine({ id, name }: DynoInfo, memory: MemoryUsage, quotaBytes: number | undefined): string {
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(2)}MB`;
  const { rss, cache, swap } = memory;
  const values = {
    total: totalMemory(memory),
    rss,
    cache,
    swap,
    ...(quotaBytes ? { quota: quotaBytes } : {}),
  };
  const shown = Object.entries(values).map(([what, bytes]) => `sample#memory_${what}=${mb(bytes)}`);
  return `source=${name} dyno=heroku.${id} ${shown.join(' ')}`;
}
