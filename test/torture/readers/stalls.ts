/** When this program had no processor: what its networks and readers took meanwhile, nobody has read. */
import type { FaultRecord } from '../check/check.ts';

const LOOK_MS = 100;
/** A syslog drain takes what was written a second ago for accepted. */
const STALL_MS = 700;

export class Stalls {
  readonly records: FaultRecord[] = [];
  private readonly timer: NodeJS.Timeout;
  private lookedMs = Date.now();

  constructor() {
    this.timer = setInterval(() => this.look(Date.now()), LOOK_MS);
  }

  /** @param nowMs milliseconds since 1970 */
  look(nowMs: number): void {
    const { lookedMs } = this;
    this.lookedMs = nowMs;
    if (nowMs - lookedMs > STALL_MS)
      this.records.push({ name: 'this program had no processor', fromMs: lookedMs, toMs: nowMs });
  }

  end(): void {
    clearInterval(this.timer);
  }
}
