import { Throttle } from '../../../common/throttle.ts';
import { logLine } from './run-service.ts';

/** An app that does the same wrong all the time doesn't fill its stream. */
const INTERVAL_MS = 1_000;

/** Warnings of one kind in the app's stream: at once, and then the last one of each second, with how many there were. */
export class RepeatedWarning {
  private readonly throttle = new Throttle(INTERVAL_MS);
  private heldCount = 0;
  private lastText = '';
  private timer: NodeJS.Timeout | undefined;

  /** Writes a warning at once, or holds it until the second is over. */
  write(text: string): void {
    if (this.heldCount === 0 && this.throttle.allow()) {
      logLine('warning', text);
      return;
    }
    this.lastText = text;
    this.heldCount += 1;
    this.timer ??= setTimeout(() => this.flush(), INTERVAL_MS);
    this.timer.unref();
  }

  private flush(): void {
    this.timer = undefined;
    this.throttle.allow();
    logLine(
      'warning',
      this.heldCount === 1 ? this.lastText : `${this.lastText} (and ${this.heldCount - 1} more like it)`,
    );
    this.heldCount = 0;
  }
}
