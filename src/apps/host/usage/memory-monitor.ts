/**
 * Monitors the memory of dynos: logs to an app that a dyno uses more than its size allows (R14), kills one that uses twice
 * as much (R15), and logs samples of memory and load for apps that want them. It samples every 20 seconds: what grows faster than that is
 * for the kernel to stop.
 */
import type { Log } from '../../../common/log.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { DynoInfo } from '../../processes/dyno.ts';
import { LoadAverages } from '../../processes/load-average.ts';
import { DynoMeter, type DynoUsage } from '../../processes/memory-usage.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../../processes/output/line-sink.ts';
import { signalGroup } from '../../processes/process-group.ts';
import { loadDynoSizes, memoryMultiplier } from '../../records/dyno-sizes.ts';
import { hasFeature } from '../../records/features.ts';
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
  private readonly meter = new DynoMeter();
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
    const measured: { app: AppId; wantsSamples: boolean; dynos: readonly DynoInfo[] }[] = [];
    for (const [app, all] of byApp) {
      const wantsSamples = wanting.has(app) || (await hasFeature(store, app, 'log-runtime-metrics'));
      if (quota !== undefined || wantsSamples) measured.push({ app, wantsSamples, dynos: all });
    }
    const used = await this.meter.measure(measured.flatMap((one) => one.dynos));
    // Read again: measuring took a while, and some have ended.
    const current = new Map([...dynos().values()].flat().map((dyno) => [dyno.id, dyno]));
    for (const { app, wantsSamples, dynos: all } of measured) {
      if (all.length === 0) continue;
      const sizes = await loadDynoSizes(store, app);
      for (const { id } of all) {
        const dyno = current.get(id);
        const usage = used.get(id);
        if (!dyno || !usage) continue;
        const quotaBytes =
          quota === undefined ? undefined : quota * memoryMultiplier(dyno.size ?? sizes[dyno.type]);
        this.checkQuota(app, dyno, usage, quotaBytes, wantsSamples);
      }
    }
  }

  private checkQuota(
    app: AppId,
    dyno: DynoInfo,
    usage: DynoUsage,
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
