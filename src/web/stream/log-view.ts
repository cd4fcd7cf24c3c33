/** A view of a stream: reads what {@link LogViewState} decides, from the past and from the live tail, and shows it to the components as signals. */
import { signal } from '@preact/signals';
import { LogCounts } from './counts/log-counts.ts';
import { ErrorEvents } from './events/error-events.ts';
import { FeedSignals } from './feed/feed-signals.ts';
import { FrameQueue } from './feed/frame-queue.ts';
import { type Filters, isFiltered, NO_FILTERS } from './filters.ts';
import type { HistoryQuery } from './history-query.ts';
import type { Line } from './line.ts';
import { type LineSource, LineSourceError, type LineTail } from './line-source.ts';
import type { LineWindow } from './line-window.ts';
import { LogViewState, type Place } from './log-view-state.ts';

export class LogView extends FeedSignals {
  readonly counts: LogCounts;
  /** How many lines have come since it was opened, and how many errors: a stack trace is one. */
  readonly received = { lines: 0, errors: 0 };
  /** Is {@link error} for want of an answer? */
  readonly unanswered = signal(false);

  readonly filters: Filters;
  private readonly source: LineSource;
  protected readonly state: LogViewState;
  private readonly errorEvents = new ErrorEvents();
  private readonly onLinesRead: (lines: readonly Line[]) => void;
  private readonly tail: LineTail;
  private readonly pendingLines = new FrameQueue<Line>(
    (lines) => this.takeIn(lines),
    this.abortController.signal,
  );
  /** Has it begun to read what comes? */
  private isOpen = false;
  /** Where it was to be opened. */
  private openedAt: number | undefined;

  /** @param onLinesRead gets all lines that come, for the names in them. */
  constructor(source: LineSource, filters: Filters, onLinesRead: (lines: readonly Line[]) => void) {
    super();
    this.source = source;
    this.onLinesRead = onLinesRead;
    this.filters = filters;
    this.state = new LogViewState(isFiltered(filters));
    this.counts = new LogCounts(source, filters);
    this.tail = source.openTail(filters, {
      onLines: (lines) => {
        this.notice.value = '';
        this.pendingLines.push(lines);
      },
      onNotice: (notice) => {
        this.notice.value = notice;
      },
      onState: (state) => {
        const before = this.tailState.value;
        this.notice.value = '';
        this.tailState.value = state;
        const resumed = before.name === 'unreachable' || (before.name === 'connecting' && before.resumes);
        if (state.name === 'live' && resumed) void this.counts.reload();
      },
    });
  }

  /** What is shown: a stack trace is one row. */
  get window(): LineWindow {
    return this.state.window.rows;
  }

  /** How many lines are held. */
  get lineCount(): number {
    return this.state.window.lines.length;
  }

  /** Where the row stands that has a line. */
  rowOf(at: number): number {
    return this.state.window.rowOf(at);
  }

  /**
   * Starts at the live end, or at a line. Gives the error when it can't be read: a {@link LineSourceError}, or another when there is
   * no answer.
   */
  async open(at: number | undefined): Promise<unknown> {
    const { state } = this;
    this.openedAt = at;
    return this.read('all', async () => {
      const [newest] = await this.fetchLines({ lines: 1 }, NO_FILTERS);
      state.newestPosition = newest?.at ?? 0;
      const place = at === undefined ? undefined : await this.readPlace({ at });
      if (!place) {
        state.showNewest(await this.fetchLines(state.newestQuery()));
        // What comes may go on with these.
        for (const line of state.window.lines) this.errorEvents.countedLevel(line);
      }
      this.isOpen = true;
      this.tail.connect(place?.tailFrom ?? state.newestPosition);
    });
  }

  /** Could it be read? What it shows then stays, whatever comes. */
  get opened(): boolean {
    return this.isOpen;
  }

  /** Was everything around a position read, and the line isn't there? */
  isMissing(at: number): boolean {
    const { window } = this.state;
    return this.error.value === '' && window.lines[window.indexOf(at)]?.at !== at;
  }

  /** The list can't be as high as the lines are: some go, the oldest or the newest. */
  evictLines(oldest: boolean): void {
    this.state.evict(oldest);
    this.publish();
  }

  close(): void {
    this.abortController.abort();
    this.tail.close();
    this.counts.close();
  }

  /** Tries again, after a failure. */
  retry(): void {
    this.error.value = '';
    if (this.isOpen) this.tail.retryNow();
    else this.reopen();
  }

  /** The server was unreachable: connections from before may be dead without knowing it. */
  reconnect(): void {
    this.error.value = '';
    if (this.isOpen) this.tail.reconnect();
    else this.reopen();
    void this.counts.reload();
  }

  private reopen(): void {
    if (this.loading.value === '') void this.open(this.openedAt);
  }

  /** The server has answered other requests since it reported this: it needn't be shown any longer. */
  dismissNotice(notice: string): void {
    if (this.notice.value === notice) this.notice.value = '';
  }

  /** Follows the newest line again, from where the view is when that isn't too far away. */
  async follow(): Promise<void> {
    const { state } = this;
    const way = state.wayToLiveEnd();
    if (way === 'tail') this.resumeTail(state.reachLiveEnd());
    else if (way === 'read-newest')
      await this.read('all', async () => {
        this.resumeTail(state.showNewest(await this.fetchLines(state.newestQuery())));
      });
    state.follow();
    this.publish();
  }

  pause(): void {
    this.state.pause();
    this.publish();
  }

  /** Shows the lines around a time; gives the position of the first one behind it. */
  showTime(ms: number): Promise<number | undefined> {
    return this.showPlace({ ms });
  }

  /** Reads a page of older lines, unless one is being read, or there are none. */
  async loadOlder(): Promise<void> {
    const query = this.state.olderQuery();
    if (!query || this.loading.value !== '') return;
    await this.read('older', async () => {
      this.state.addOlder(query, await this.fetchLines(query));
    });
  }

  /** Reads a page of newer lines, unless one is being read, or the window ends at the live end; there the tail goes on. */
  async loadNewer(): Promise<void> {
    const query = this.state.newerQuery();
    if (!query || this.loading.value !== '') return;
    await this.read('newer', async () => {
      this.resumeTail(this.state.addNewer(query, await this.fetchLines(query)));
    });
  }

  /** Shows the lines around a place; gives the position of the line that is there, or of the first one behind it. */
  private async showPlace(place: Place): Promise<number | undefined> {
    let at: number | undefined;
    await this.read('all', async () => {
      const { tailFrom, shown } = await this.readPlace(place);
      this.resumeTail(tailFrom);
      at = shown;
    });
    return at;
  }

  private async readPlace(
    place: Place,
  ): Promise<{ readonly tailFrom: number | undefined; readonly shown: number | undefined }> {
    this.pause();
    const before = await this.fetchLines(this.state.beforeQuery(place));
    const after = await this.fetchLines(this.state.afterQuery(place, before));
    const tailFrom = this.state.showPlace(before, after);
    return { tailFrom, shown: 'at' in place ? place.at : (after[0] ?? before.at(-1))?.at };
  }

  /** @param after where {@link LogViewState} wants it to start; undefined changes nothing */
  private resumeTail(after: number | undefined): void {
    if (after === undefined) return;
    this.pendingLines.clear();
    this.tail.connect(after);
  }

  private async fetchLines(query: HistoryQuery, filters = this.filters): Promise<Line[]> {
    const lines = await this.source.fetchHistory(filters, query, this.abortController.signal);
    this.onLinesRead(lines);
    return lines;
  }

  /** Does some reading, and publishes what came of it; gives the error when it failed. */
  private read(part: 'all' | 'older' | 'newer', work: () => Promise<void>): Promise<unknown> {
    return this.withLoading<unknown>(part, work, (error) => {
      if (this.abortController.signal.aborted) return error;
      this.unanswered.value = !(error instanceof LineSourceError);
      this.error.value = failureText(error);
      return error;
    });
  }

  private takeIn(lines: readonly Line[]): void {
    const fresh = this.state.addLive(lines);
    const counted = fresh.map((line) => ({ at: line.at, level: this.errorEvents.countedLevel(line) }));
    this.counts.addLive(counted);
    this.received.lines += counted.length;
    for (const { level } of counted) if (level === 'error') this.received.errors++;
    this.onLinesRead(fresh);
    this.publish();
  }
}

function failureText(error: unknown): string {
  return error instanceof LineSourceError ? error.message : 'The server doesn’t answer.';
}
