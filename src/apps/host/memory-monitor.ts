/**
 * Monitors the memory of dynos: logs to an app that a dyno uses more than its size allows (R14), kills one that uses twice
 * as much (R15), and logs samples of memory and load for apps that want them. It samples every 20 seconds: what grows faster than that is
 * for the kernel to stop.
 */
import type { Log } from '../../common/log.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import { LoadAverages } from '../processes/load-average.ts';
import { type GroupUsage, groupUsage } from '../processes/memory-usage.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../processes/output/line-sink.ts';
import { signalGroup } from '../processes/process-group.ts';
import { loadDynoSizes, memoryMultiplier } from '../records/dyno-sizes.ts';
import { hasFeature } from '../records/features.ts';
import { judgeMemory } from './memory-quota.ts';

interface MemoryMonitorOptions {
  readonly store: Store;
  /** Of a dyno of the default size, in bytes; undefined: no quota. */
  readonly quota: number | undefined;
  readonly everyMs: number;
  /** Apps that want samples, beside those with the feature `log-runtime-metrics`. */
  readonly wantSamples: () => Promise<ReadonlySet<AppId>>;
  /** All that run now, by app. */
  readonly dynos: () => ReadonlyMap<AppId, readonly DynoInfo[]>;
  readonly lines: (app: AppId) => LineSink;
  readonly log: Log;
}

export class MemoryMonitor {
  private readonly options: MemoryMonitorOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly loads = new LoadAverages();
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
      this.options.log.warn({ err: error }, 'the memory of dynos could not be measured'),
    );
    this.sampling = false;
  }

  private async sampleAll(): Promise<void> {
    const { store, quota, dynos } = this.options;
    const byApp = dynos();
    this.loads.keepOnly(new Set([...byApp.values()].flat().map(({ id }) => id)));
    const wanting = byApp.size > 0 ? await this.options.wantSamples() : new Set<AppId>();
    for (const [app, all] of byApp) {
      const wantsSamples = wanting.has(app) || (await hasFeature(store, app, 'log-runtime-metrics'));
      if (all.length === 0 || (quota === undefined && !wantsSamples)) continue;
      const used = await groupUsage(new Set(all.flatMap(({ pid }) => pid ?? [])));
      const sizes = await loadDynoSizes(store, app);
      // Read again: measuring took a while, and another process may have the pid by now.
      const current = new Map(
        dynos()
          .get(app)
          ?.map((dyno) => [dyno.id, dyno]),
      );
      for (const { id, pid } of all) {
        const dyno = current.get(id);
        const usage = pid === undefined ? undefined : used.get(pid);
        if (!dyno || !usage || dyno.pid !== pid) continue;
        const quotaBytes =
          quota === undefined ? undefined : quota * memoryMultiplier(dyno.size ?? sizes[dyno.type]);
        this.checkQuota(app, dyno, usage, quotaBytes, wantsSamples);
      }
    }
  }

  private checkQuota(
    app: AppId,
    dyno: DynoInfo,
    usage: GroupUsage,
    quotaBytes: number | undefined,
    wantsSamples: boolean,
  ): void {
    const lines = this.options.lines(app);
    const load = this.loads.record(dyno.id, usage.cpuMs, performance.now());
    const { lines: texts, kill } = judgeMemory(dyno, usage, quotaBytes, wantsSamples, load);
    for (const text of texts) lines.writeLine('heroku', dyno.name, PLATFORM_PRIORITY, text);
    if (kill && dyno.pid !== undefined) signalGroup(dyno.pid, 'SIGKILL');
  }
}
