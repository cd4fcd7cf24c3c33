/** Counts of lines over time: what the server has counted, and the lines that came since. */

import type { Line } from '../line.ts';
import type { CountPart } from '../line-source.ts';
import type { HistogramCounts } from './histogram-counts.ts';

/** So many times its range may gather before what is too old is let go. */
const KEPT_RANGES = 3;

/** A line, and as what it counts: of an event's errors only the first is one. */
export type CountedLine = Pick<Line, 'at' | 'level'>;

export class CountHistory {
  /** How long a range is that goes on up to now, in milliseconds; undefined when its end stands. */
  private readonly lastMs: number | undefined;
  private sinceMs = 0;
  private stepMs = 1;
  private countedSinceMs = 0;
  private errors: number[] = [];
  private warnings: number[] = [];
  private others: number[] = [];
  /** Lines up to this position have been counted. */
  private position = Number.POSITIVE_INFINITY;
  /** How far the server's clock is ahead of the browser's, in milliseconds. */
  private skewMs = 0;

  constructor(lastMs: number | undefined) {
    this.lastMs = lastMs;
  }

  /** Takes what the server has counted: the first part, or a further one of the same range. */
  addPart(part: CountPart, nowMs: number): void {
    if (this.position === Number.POSITIVE_INFINITY) {
      this.sinceMs = part.sinceMs;
      this.stepMs = part.stepMs;
      this.position = part.position;
      this.skewMs = part.nowMs - nowMs;
    }
    this.countedSinceMs = part.countedSinceMs;
    const first = Math.round((part.sinceMs - this.sinceMs) / this.stepMs);
    for (const level of ['errors', 'warnings', 'others'] as const)
      part[level].forEach((count, i) => {
        this.add(level, first + i, count);
      });
  }

  /** Counts lines that came just now. */
  addLive(lines: readonly CountedLine[], nowMs: number): void {
    if (lines.length === 0 || lines[lines.length - 1].at <= this.position) return;
    const bucket = Math.floor((nowMs + this.skewMs - this.sinceMs) / this.stepMs);
    if (bucket < 0 || (this.lastMs === undefined && bucket >= this.others.length)) return;
    for (const { at, level } of lines)
      if (at > this.position)
        this.add(level === 'error' ? 'errors' : level === 'warn' ? 'warnings' : 'others', bucket, 1);
    this.forgetOld();
  }

  /** What is shown now; undefined before anything was counted. */
  snapshot(nowMs: number): HistogramCounts | undefined {
    if (this.position === Number.POSITIVE_INFINITY) return undefined;
    const { stepMs, countedSinceMs } = this;
    let from = 0;
    let to = this.others.length;
    if (this.lastMs !== undefined) {
      to = Math.floor((nowMs + this.skewMs - this.sinceMs) / stepMs) + 1;
      from = to - Math.ceil(this.lastMs / stepMs);
    }
    const part = (counts: readonly number[]): number[] =>
      Array.from({ length: to - from }, (_, i) => counts[from + i] ?? 0);
    return {
      sinceMs: this.sinceMs + from * stepMs,
      stepMs,
      errors: part(this.errors),
      warnings: part(this.warnings),
      others: part(this.others),
      countedSinceMs,
    };
  }

  private add(level: 'errors' | 'warnings' | 'others', bucket: number, count: number): void {
    for (const counts of [this.errors, this.warnings, this.others])
      while (counts.length <= bucket) counts.push(0);
    this[level][bucket] += count;
  }

  /** A page may be open for days. */
  private forgetOld(): void {
    if (this.lastMs === undefined) return;
    const shown = Math.ceil(this.lastMs / this.stepMs);
    const old = this.others.length - shown;
    if (old < KEPT_RANGES * shown) return;
    this.sinceMs += old * this.stepMs;
    for (const level of ['errors', 'warnings', 'others'] as const) this[level] = this[level].slice(old);
  }
}
