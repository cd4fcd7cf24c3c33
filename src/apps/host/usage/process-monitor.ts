/**
 * Ends dynos that have too many processes and threads: one that forks without end, or leaks threads, would take those of the machine, and with them
 * everybody else's apps and the server. The system's own limit (`RLIMIT_NPROC`) counts all of a user together, and root has none. Without `/proc` nothing
 * is limited.
 */
import type { Log } from '../../../common/log.ts';
import { countAllThreads } from '../../../common/processes/process-identity.ts';
import { formatNumber } from '../../../common/text/format-numbers.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { DynoInfo } from '../../processes/dyno.ts';
import { DynoMeter } from '../../processes/memory-usage.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../../processes/output/line-sink.ts';
import { signalGroup } from '../../processes/process-group.ts';
import { loadDynoSizes, memoryMultiplier } from '../../records/dyno-sizes.ts';

const LOOK_EVERY_MS = 250;
/** However many there are: what one dyno has more may be hidden by what others have fewer. */
const COUNT_EVERY_MS = 20_000;

interface ProcessMonitorOptions {
  readonly store: Store;
  /** What a dyno of the default size may have; larger ones have as many times more as they have memory. */
  readonly max: number;
  /** All that run now, by app. */
  readonly dynos: () => ReadonlyMap<AppId, readonly DynoInfo[]>;
  readonly lines: (app: AppId) => LineSink;
  readonly log: Log;
}

export class ProcessMonitor {
  private readonly options: ProcessMonitorOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly meter = new DynoMeter();
  /** The fewest threads that the machine has had since dynos were counted, and how many more it takes until one may have too many. */
  private fewest = Number.POSITIVE_INFINITY;
  private room: number;
  private countedMs = performance.now();
  private counting = false;

  constructor(options: ProcessMonitorOptions) {
    this.options = options;
    this.room = options.max;
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** One number at first: whose they are is asked when the whole machine has so many more, and now and then. */
  private async look(): Promise<void> {
    const count = this.counting ? undefined : countAllThreads();
    if (count === undefined) return;
    this.fewest = Math.min(this.fewest, count);
    const nowMs = performance.now();
    if (count - this.fewest < this.room && nowMs - this.countedMs < COUNT_EVERY_MS) return;
    this.counting = true;
    this.countedMs = nowMs;
    await this.countAll().catch((error: unknown) =>
      this.options.log.warn({ err: error }, 'the processes of dynos could not be counted'),
    );
    this.fewest = count;
    this.counting = false;
  }

  private async countAll(): Promise<void> {
    const { store, max, dynos } = this.options;
    const byApp = dynos();
    const counts = await this.meter.countThreads([...byApp.values()].flat());
    this.room = max;
    for (const [app, all] of byApp) {
      const sizes = await loadDynoSizes(store, app);
      for (const dyno of all) {
        const count = counts.get(dyno.id) ?? 0;
        const own = max * memoryMultiplier(dyno.size ?? sizes[dyno.type]);
        if (count > own) this.end(app, dyno, count, own);
        else this.room = Math.min(this.room, own - count);
      }
    }
  }

  private end(app: AppId, { name, pid }: DynoInfo, count: number, max: number): void {
    const lines = this.options.lines(app);
    for (const text of [
      `Process running ${formatNumber(count)} processes and threads, of at most ${formatNumber(max)}: it starts itself, or more and more`,
      'Stopping process with SIGKILL',
    ])
      lines.writeLine('heroku', name, PLATFORM_PRIORITY, text);
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }
}
