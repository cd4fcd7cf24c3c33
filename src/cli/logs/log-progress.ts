import type { TailMessage } from './tail-client.ts';

/** Nothing is shown before this, nor more often than that. */
const PATIENCE_MS = 700;
const EVERY_MS = 200;
const CLEAR = '\r\x1b[K';

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A line on stderr that says how far a long replay is; only on a terminal, and gone when it is over. */
export class LogProgress {
  private readonly out: Terminal;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly startedMs = performance.now();
  private start: number | undefined;
  private position = 0;
  private newest = 0;
  private shownMs = 0;
  private isShown = false;

  constructor(out: Terminal = process.stderr) {
    this.out = out;
    if (!out.isTTY) return;
    this.timer = setInterval(() => this.show(), EVERY_MS);
    this.timer.unref();
  }

  /** Looks at a message; when the history is over, so is this. */
  see({ position, newest, live }: TailMessage): void {
    if (newest !== undefined) this.newest = Math.max(this.newest, Number(newest));
    if (position !== undefined) {
      this.position = Number(position);
      this.start ??= this.position;
    }
    if (live || this.position >= this.newest) this.end();
    else this.show();
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (!this.isShown) return;
    this.isShown = false;
    this.out.write(CLEAR);
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
    this.shownMs = Number.POSITIVE_INFINITY;
  }

  private show(): void {
    const now = performance.now();
    if (!this.out.isTTY || now - this.startedMs < PATIENCE_MS || now - this.shownMs < EVERY_MS) return;
    this.shownMs = now;
    this.isShown = true;
    this.out.write(`${CLEAR}${this.text()}`);
  }

  private text(): string {
    if (this.start === undefined) return 'looking through the history …';
    const done = this.position - this.start;
    const all = Math.max(1, this.newest - this.start);
    const percent = Math.floor((done / all) * 100);
    return `${done.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} lines (${percent} %)`;
  }
}
