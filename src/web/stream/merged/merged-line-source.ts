/** The streams of several apps as one: lines are put together by their times, and those that come as they come. */
import type { Filters } from '../filters.ts';
import type { HistoryQuery } from '../history-query.ts';
import type { Line } from '../line.ts';
import type {
  CountPart,
  CountRequest,
  LineSource,
  LineTail,
  TailListener,
  TailState,
} from '../line-source.ts';
import { MergedOrder, mergeNewest } from './merged-order.ts';

/** The number of the newest line at the beginning: there is room for older ones. */
const START = 1_000_000_000;

export class MergedLineSource implements LineSource {
  private readonly parts: readonly { readonly app: string; readonly source: LineSource }[];
  private order: MergedOrder;

  constructor(parts: readonly { readonly app: string; readonly source: LineSource }[]) {
    this.parts = parts;
    this.order = new MergedOrder(
      START,
      parts.map(() => 0),
    );
  }

  async fetchHistory(filters: Filters, query: HistoryQuery, signal: AbortSignal): Promise<Line[]> {
    const { before, after, untilMs, lines: count } = query;
    // What is behind a line is the tail's; a time has another place in each stream.
    if (after !== undefined || untilMs !== undefined) return [];
    if (before === undefined) return this.start(filters, signal);
    const edges = this.order.before(before);
    if (!edges) return [];
    const streams = await Promise.all(
      this.parts.map(({ source }, i) =>
        source.fetchHistory(filters, { before: edges[i], lines: count }, signal),
      ),
    );
    const merged = mergeNewest(streams, count);
    const first = this.order.insertBefore(
      before,
      merged.map(({ stream, line }) => ({ stream, position: line.at })),
    );
    return merged.map(({ stream, line }, i) => ({
      ...line,
      at: first + i,
      streamName: this.parts[stream].app,
    }));
  }

  openTail(filters: Filters, listener: TailListener): LineTail {
    const states: TailState[] = this.parts.map(() => ({ name: 'connecting' }));
    const tails = this.parts.map(({ app, source }, stream) =>
      source.openTail(filters, {
        onLines: (lines) =>
          listener.onLines(
            lines.map((line) => ({
              ...line,
              streamName: app,
              at: this.order.append({ stream, position: line.at }),
            })),
          ),
        onNotice: listener.onNotice,
        onState: (state) => {
          states[stream] = state;
          listener.onState(stateOf(states));
        },
      }),
    );
    return {
      connect: (after) => {
        const edges = this.order.upTo(after);
        this.order.truncateAfter(after);
        for (const [i, tail] of tails.entries()) tail.connect(edges[i]);
      },
      reconnect: () => {
        for (const tail of tails) tail.reconnect();
      },
      retryNow: () => {
        for (const tail of tails) tail.retryNow();
      },
      close: () => {
        for (const tail of tails) tail.close();
      },
    };
  }

  async fetchCounts(filters: Filters, request: CountRequest, signal: AbortSignal): Promise<CountPart> {
    const position = this.order.last;
    // A line is in one of the streams only: there is no middle to count around.
    const { around: _, ...range } = request;
    const parts = await Promise.all(this.parts.map(({ source }) => countAll(source, filters, range, signal)));
    const all = parts.flat();
    const sinceMs = Math.min(...all.map((part) => part.sinceMs));
    const buckets = Math.max(
      ...all.map((part) => Math.round((part.sinceMs - sinceMs) / request.stepMs) + part.others.length),
    );
    const sums = (level: 'errors' | 'warnings' | 'others'): number[] => {
      const sum = new Array<number>(buckets).fill(0);
      for (const part of all)
        for (const [i, count] of part[level].entries())
          sum[Math.round((part.sinceMs - sinceMs) / request.stepMs) + i] += count;
      return sum;
    };
    return {
      sinceMs,
      stepMs: request.stepMs,
      errors: sums('errors'),
      warnings: sums('warnings'),
      others: sums('others'),
      countedSinceMs: sinceMs,
      before: undefined,
      position,
      nowMs: Math.max(...all.map(({ nowMs }) => nowMs)),
    };
  }

  /** Finds out where the streams end; gives a line with the number of the newest. */
  private async start(filters: Filters, signal: AbortSignal): Promise<Line[]> {
    const newest = await Promise.all(
      this.parts.map(({ source }) => source.fetchHistory(filters, { lines: 1 }, signal)),
    );
    this.order = new MergedOrder(
      START,
      newest.map(([line]) => line?.at ?? 0),
    );
    const line = newest.flat()[0];
    return line ? [{ ...line, at: START }] : [];
  }
}

/** All parts of a count. */
async function countAll(
  source: LineSource,
  filters: Filters,
  range: CountRequest,
  signal: AbortSignal,
): Promise<CountPart[]> {
  const parts: CountPart[] = [];
  let request = range;
  for (;;) {
    const part = await source.fetchCounts(filters, request, signal);
    parts.push(part);
    if (part.before === undefined) return parts;
    const untilMs = part.sinceMs + part.others.length * part.stepMs;
    request = { sinceMs: part.sinceMs, untilMs, stepMs: part.stepMs, before: part.before };
  }
}

/** What is to be said of several connections: that one is missing, or is being made; refused only when all are. */
function stateOf(states: readonly TailState[]): TailState {
  const find = (name: TailState['name']): TailState | undefined =>
    states.find((state) => state.name === name);
  return find('unreachable') ?? find('connecting') ?? find('live') ?? find('past') ?? states[0];
}
