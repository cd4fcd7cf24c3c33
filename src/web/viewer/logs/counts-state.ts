/** How many lines there are over time, for the histogram: of the selection's time, or of the last day. */

import { signal } from '@preact/signals';
import { parseTime } from '../../../common/time-expression.ts';
import type { HistogramCounts, TimeRange } from '../../stream/counts/histogram-counts.ts';
import { stepFor } from '../../stream/counts/time-steps.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import type { ViewerClient } from '../api/viewer-client.ts';
import type { CountsJson, StreamJson } from '../api/viewer-json.ts';
import { SUMMARY_MS, selectionParams, type ViewerSelection } from '../lines/line-selection.ts';

const BUCKETS_WANTED = 150;
/** Also of a stream that is new: lines may be older than it. */
const RANGE_MS_MIN = 900_000;
/** How much longer the time is that is zoomed out to. */
const ZOOM_OUT_FACTOR = 4;
/** How often the counts of a range that reaches to now are read again. */
const REFRESH_MS = 10_000;
/** Signals. A range up to now is read again every ten seconds while the page is seen; {@link close} ends that. */
export class CountsState {
  readonly counts = signal<HistogramCounts | undefined>(undefined);
  /** Was there no time to count all lines? */
  readonly isPartial = signal(false);
  readonly loading = signal(false);
  private readonly client: ViewerClient;
  private abort = new AbortController();
  private timer: number | undefined;

  constructor(client: ViewerClient) {
    this.client = client;
  }

  /** Reads the counts of a selection, and again as long as new lines may come. */
  open(selection: ViewerSelection, streams: readonly StreamJson[]): void {
    this.close();
    this.abort = new AbortController();
    void this.load(selection, streams, this.abort.signal);
    if (selection.to) return;
    this.timer = setInterval(() => {
      if (!document.hidden && !this.loading.value) void this.load(selection, streams, this.abort.signal);
    }, REFRESH_MS);
  }

  close(): void {
    clearInterval(this.timer);
    this.abort.abort();
    this.loading.value = false;
  }

  private async load(
    selection: ViewerSelection,
    streams: readonly StreamJson[],
    abort: AbortSignal,
  ): Promise<void> {
    const { sinceMs, untilMs, stepMs } = countedRange(selection, streams, serverNowMs());
    const params = selectionParams(selection, { fromMs: sinceMs, toMs: untilMs });
    params.set('step', String(stepMs / 1_000));
    this.loading.value = true;
    try {
      const { buckets, partial } = await this.client.get<CountsJson>(`api/counts?${params}`, abort);
      if (abort.aborted) return;
      this.isPartial.value = partial === true;
      this.counts.value = spread(buckets, sinceMs, untilMs, stepMs);
    } catch {
      // The list says what is wrong; a histogram that is a little old says nothing wrong.
    } finally {
      if (!abort.aborted) this.loading.value = false;
    }
  }
}

/** The whole buckets that are counted. */
function countedRange(
  { from, to }: Pick<ViewerSelection, 'from' | 'to'>,
  streams: readonly Pick<StreamJson, 'firstAt'>[],
  nowMs: number,
): { readonly sinceMs: number; readonly untilMs: number; readonly stepMs: number } {
  const end = (to ? parseTime(to, nowMs) : undefined) ?? nowMs;
  const firstMs = Math.min(...streams.map(({ firstAt }) => (firstAt ? Date.parse(firstAt) : end)));
  const known = Math.max(end - SUMMARY_MS, Math.min(firstMs, end - RANGE_MS_MIN));
  const start = Math.min((from ? parseTime(from, nowMs) : undefined) ?? known, end - 1);
  const stepMs = Math.max(1_000, stepFor(end - start, BUCKETS_WANTED));
  const sinceMs = Math.floor(start / stepMs) * stepMs;
  return { sinceMs, untilMs: Math.max(sinceMs + stepMs, Math.ceil((end + 1) / stepMs) * stepMs), stepMs };
}

function spread(
  buckets: CountsJson['buckets'],
  sinceMs: number,
  untilMs: number,
  stepMs: number,
): HistogramCounts {
  const zeros = (): number[] => new Array<number>(Math.round((untilMs - sinceMs) / stepMs)).fill(0);
  const [errors, warnings, others] = [zeros(), zeros(), zeros()];
  for (const { start, error, warning, other } of buckets) {
    const i = Math.floor((start - sinceMs) / stepMs);
    if (!(i in errors)) continue;
    errors[i] += error;
    warnings[i] += warning;
    others[i] += other;
  }
  return { sinceMs, stepMs, errors, warnings, others, countedSinceMs: sinceMs };
}

/** The next longer time around what is shown; undefined when that reaches back before everything that there is. */
export function longerRange(
  { sinceMs, untilMs }: TimeRange,
  firstMs: number,
  nowMs: number,
): { readonly from: string; readonly to: string } | undefined {
  const length = (untilMs - sinceMs) * ZOOM_OUT_FACTOR;
  const middle = (sinceMs + untilMs) / 2;
  const end = middle + length / 2;
  const start = end >= nowMs ? nowMs - length : middle - length / 2;
  if (end >= nowMs && start <= firstMs) return undefined;
  return { from: new Date(start).toISOString(), to: end >= nowMs ? '' : new Date(end).toISOString() };
}
