import { readdir } from 'node:fs/promises';
import { countByVariable, killByVariable } from '../../processes/kill-daemonized.ts';
import { BuildError } from './build-error.ts';

/** A look takes a millisecond, as long as there are few. */
const LOOK_EVERY_MS = 250;

interface ProcessLimitOptions {
  /** `NAME=value`, which only the processes of this build have in their environment. */
  readonly variable: string;
  /** `ticksSinceBoot()` of when there was none yet. */
  readonly sinceTicks: number;
  /** More than so many at once, and the build is over. */
  readonly max: number;
}

/**
 * How many processes a build may have: one that forks without end would take those of the machine, and with them everybody else's apps and the server. The
 * system's own limit (`RLIMIT_NPROC`) counts all of a user together, and root has none. Without `/proc` nothing is limited.
 */
export class ProcessLimit {
  /** Aborted with a BuildError when there are too many. */
  readonly signal: AbortSignal;
  private readonly options: ProcessLimitOptions;
  private readonly aborter = new AbortController();
  private readonly timer: NodeJS.Timeout;
  /** About as many as aren't this build's. */
  private othersCount: number | undefined;
  private isLooking = false;
  private killing: Promise<unknown> = Promise.resolve();

  constructor(options: ProcessLimitOptions) {
    this.options = options;
    this.signal = this.aborter.signal;
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.timer.unref();
    void this.look();
  }

  /** Looks no more; resolves when what was too many is gone. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.killing;
  }

  /** Names alone at first: whose they are is asked only when the whole machine has so many more. */
  private async look(): Promise<void> {
    if (this.isLooking || this.signal.aborted) return;
    this.isLooking = true;
    const { variable, sinceTicks, max } = this.options;
    const count = await countProcesses();
    this.othersCount = Math.min(count, this.othersCount ?? count);
    if (count - this.othersCount > max) {
      const ownCount = await countByVariable(variable, sinceTicks, max);
      if (ownCount > max) this.exceed();
      else this.othersCount = count - ownCount;
    }
    this.isLooking = false;
  }

  private exceed(): void {
    const { variable, sinceTicks, max } = this.options;
    clearInterval(this.timer);
    // Ends the group of what runs first, at once and as a whole.
    this.aborter.abort(
      new BuildError(
        `The build had more than ${max} processes at once, and was ended: something in it starts itself, or starts more and more (a script of package.json that runs itself?).`,
      ),
    );
    // Also what has left the group.
    this.killing = killByVariable(variable, sinceTicks);
  }
}

async function countProcesses(): Promise<number> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).length;
}
