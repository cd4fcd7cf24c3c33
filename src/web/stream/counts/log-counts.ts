/** The counts of a view's lines: reads them, part by part, and counts on with what comes. */

import { signal } from '@preact/signals';
import type { Filters } from '../filters.ts';
import type { CountRequest, LineSource } from '../line-source.ts';
import { serverNowMs } from '../server-clock.ts';
import { type CountedLine, CountHistory } from './count-history.ts';
import type { HistogramCounts } from './histogram-counts.ts';
import { bucketStep, lengthOf, type ViewRange } from './view-range.ts';

export class LogCounts {
  /** Grows when counts were read; lines that come don't change it. */
  readonly version = signal(0);
  private readonly source: Pick<LineSource, 'fetchCounts'>;
  private readonly filters: Filters;
  private history: CountHistory | undefined;
  private abortController = new AbortController();
  private loaded: { readonly range: ViewRange; readonly around: number | undefined } | undefined;

  constructor(source: Pick<LineSource, 'fetchCounts'>, filters: Filters) {
    this.source = source;
    this.filters = filters;
  }

  /**
   * Reads the counts of a range. Those that are shown stay until there are some.
   * @param around the position of a line: a range without fixed ends is that long, with the line in its middle
   */
  async load(range: ViewRange, around?: number): Promise<void> {
    this.abortController.abort();
    this.abortController = new AbortController();
    const { signal: aborted } = this.abortController;
    this.loaded = { range, around };
    const history = new CountHistory('lastMs' in range && around === undefined ? range.lastMs : undefined);
    const stepMs = bucketStep(range);
    let request: CountRequest =
      'lastMs' in range ? { rangeMs: lengthOf(range), around, stepMs } : { ...range, stepMs };
    try {
      for (;;) {
        const part = await this.source.fetchCounts(this.filters, request, aborted);
        if (aborted.aborted) return;
        history.addPart(part, serverNowMs());
        this.history = history;
        this.version.value++;
        if (part.before === undefined) return;
        const untilMs = part.sinceMs + part.others.length * part.stepMs;
        request = { sinceMs: part.sinceMs, untilMs, stepMs, before: part.before };
      }
    } catch {
      // What was counted before stands; the view itself says what is wrong, and reads again when it is over.
    }
  }

  /** Does its range go on up to now? */
  get isLive(): boolean {
    return !this.loaded || ('lastMs' in this.loaded.range && this.loaded.around === undefined);
  }

  /** Reads again: lines may have come unseen, and not when they were stored. */
  async reload(): Promise<void> {
    if (this.loaded) await this.load(this.loaded.range, this.loaded.around);
  }

  /** Counts lines that the tail has just got; those that were counted by the server are left out. */
  addLive(lines: readonly CountedLine[]): void {
    this.history?.addLive(lines, serverNowMs());
  }

  /** What is to be shown now; undefined before anything was counted. */
  snapshot(nowMs: number): HistogramCounts | undefined {
    return this.history?.snapshot(nowMs);
  }

  close(): void {
    this.abortController.abort();
  }
}
