import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import type { TailMessage } from './tail-message.ts';

/** Nothing is shown before this, nor more often than that. */
const SHOW_AFTER_MS = 700;
const REFRESH_INTERVAL_MS = 200;
const CLEAR_LINE = '\r\x1b[K';
/** No stream holds so many lines: somewhere between these positions the stream lost its end in a power cut. */
const JUMP = 1_000_000_000;

interface ProgressTerminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A progress line on stderr for a long replay; only on a terminal, and removed at its end. */
export class ReplayProgress {
  private readonly out: ProgressTerminal;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly startedMs = performance.now();
  private start: number | undefined;
  private position = 0;
  private newest = 0;
  private lastDrawnMs = 0;
  private isVisible = false;

  constructor(out: ProgressTerminal = process.stderr) {
    this.out = out;
    if (!out.isTTY) return;
    this.timer = setInterval(() => this.draw(), REFRESH_INTERVAL_MS);
    this.timer.unref();
  }

  /** Takes the progress from a message; ends with the history. */
  update({ position, newest, live }: TailMessage): void {
    if (newest !== undefined) this.newest = Math.max(this.newest, Number(newest));
    if (position !== undefined) {
      this.position = Number(position);
      this.start ??= this.position;
    }
    if (live || this.position >= this.newest) this.finish();
    else this.draw();
  }

  /** Clears the progress line, so that something else can be written. */
  clear(): void {
    if (!this.isVisible) return;
    this.isVisible = false;
    this.out.write(CLEAR_LINE);
  }

  /** Removes the line, and draws it no more. */
  finish(): void {
    clearInterval(this.timer);
    this.clear();
    this.lastDrawnMs = Number.POSITIVE_INFINITY;
  }

  private draw(): void {
    const now = performance.now();
    if (
      !this.out.isTTY ||
      now - this.startedMs < SHOW_AFTER_MS ||
      now - this.lastDrawnMs < REFRESH_INTERVAL_MS
    )
      return;
    this.lastDrawnMs = now;
    this.isVisible = true;
    this.out.write(`${CLEAR_LINE}${this.text()}`);
  }

  private text(): string {
    if (this.start === undefined || this.newest - this.start > JUMP) return 'looking through the history …';
    const done = this.position - this.start;
    const all = Math.max(1, this.newest - this.start);
    const percent = Math.floor((done / all) * 100);
    return `${formatNumber(done)} of ${formatCount(all, 'line')} (${percent} %)`;
  }
}
