/** A view of a stream: reads what {@link LogViewState} decides, from the past and from the live tail, and shows it to the components as signals. */
import { batch, signal } from '@preact/signals';
import { ApiError, type WebApiClient } from './api-client.ts';
import { type Filters, isFiltered, NO_FILTERS } from './filters.ts';
import type { HistoryQuery } from './history-query.ts';
import type { Line } from './line.ts';
import type { LineWindow } from './line-window.ts';
import { LiveTail, type TailState } from './live-tail.ts';
import { fetchHistory } from './log-history.ts';
import { LogViewState, type Place } from './log-view-state.ts';
import { RateHistory } from './rate-history.ts';

/** How often new lines are taken in while nobody looks. */
const HIDDEN_FLUSH_MS = 500;

export class LogView {
  readonly rates = new RateHistory();
  /** These four are the fields of {@link LogViewState}. */
  readonly version = signal(0);
  readonly following = signal(true);
  readonly unseenCount = signal(0);
  readonly atLiveEnd = signal(true);
  readonly loading = signal<'' | 'all' | 'older' | 'newer'>('');
  /** Why a part of the past couldn't be read, or ''. */
  readonly error = signal('');
  /** What the server last reported of the tail, until lines come again; or ''. */
  readonly notice = signal('');
  readonly tailState = signal<TailState>({ name: 'connecting' });

  readonly app: string;
  readonly filters: Filters;
  private readonly api: WebApiClient;
  private readonly state: LogViewState;
  private readonly onLinesRead: (lines: readonly Line[]) => void;
  private readonly tail: LiveTail;
  private readonly abortController = new AbortController();
  private pendingLines: Line[] = [];
  private flushScheduled = false;

  /** @param onLinesRead gets all lines that come, for the names in them. */
  constructor(
    api: WebApiClient,
    app: string,
    filters: Filters,
    onLinesRead: (lines: readonly Line[]) => void,
  ) {
    this.api = api;
    this.onLinesRead = onLinesRead;
    this.app = app;
    this.filters = filters;
    this.state = new LogViewState(isFiltered(filters));
    this.tail = new LiveTail({
      api,
      app,
      filters,
      onLines: (lines) => this.bufferLines(lines),
      onNotice: (notice) => {
        this.notice.value = notice;
      },
      onState: (state) => {
        this.notice.value = '';
        this.tailState.value = state;
      },
    });
    document.addEventListener('visibilitychange', () => this.flush(), {
      signal: this.abortController.signal,
    });
  }

  get window(): LineWindow {
    return this.state.window;
  }

  /** Starts at the live end, or at a line. */
  async open(at: number | undefined): Promise<void> {
    const { state } = this;
    await this.withLoadingState('all', async () => {
      const [newest] = await this.fetchLines({ lines: 1 }, NO_FILTERS);
      state.newestPosition = newest?.at ?? 0;
      if (at !== undefined) {
        this.rates.completeFromMs = Date.now();
        this.tail.connect(state.newestPosition);
        await this.showPlace({ at });
        return;
      }
      const lines = await this.fetchLines(state.newestQuery());
      state.showNewest(lines);
      this.rates.add(lines, Date.now(), false);
      this.rates.completeFromMs = state.atStart ? 0 : (lines[0]?.ms ?? 0);
      this.tail.connect(state.newestPosition);
    });
  }

  /** Was everything around a position read, and the line isn't there? */
  isMissing(at: number): boolean {
    const { lines } = this.window;
    return this.error.value === '' && lines[this.window.indexOf(at)]?.at !== at;
  }

  /** The list can't be as high as the lines are: some go, the oldest or the newest. */
  evictLines(oldest: boolean): void {
    this.state.evict(oldest);
    this.publish();
  }

  close(): void {
    this.abortController.abort();
    this.tail.close();
  }

  /** Tries again, after a failure. */
  retry(): void {
    this.tail.retryNow();
    if (this.window.lines.length === 0) void this.open(undefined);
    else this.error.value = '';
  }

  /** The server was unreachable: connections from before may be dead without knowing it. */
  reconnect(): void {
    this.error.value = '';
    if (this.window.lines.length === 0 && this.state.newestPosition === 0) void this.open(undefined);
    else this.tail.reconnect();
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
      await this.withLoadingState('all', async () => {
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

  async loadOlder(): Promise<void> {
    const query = this.state.olderQuery();
    if (!query || this.loading.value !== '') return;
    await this.withLoadingState('older', async () => {
      this.state.addOlder(query, await this.fetchLines(query));
    });
  }

  async loadNewer(): Promise<void> {
    const query = this.state.newerQuery();
    if (!query || this.loading.value !== '') return;
    await this.withLoadingState('newer', async () => {
      this.resumeTail(this.state.addNewer(query, await this.fetchLines(query)));
    });
  }

  /** Shows the lines around a place; gives the position of the line that is there, or of the first one behind it. */
  private showPlace(place: Place): Promise<number | undefined> {
    return this.withLoadingState('all', async () => {
      this.pause();
      const before = await this.fetchLines(this.state.beforeQuery(place));
      const after = await this.fetchLines(this.state.afterQuery(place, before));
      this.resumeTail(this.state.showPlace(before, after));
      return 'at' in place ? place.at : (after[0] ?? before.at(-1))?.at;
    });
  }

  /** @param after where {@link LogViewState} wants it to start; undefined changes nothing */
  private resumeTail(after: number | undefined): void {
    if (after === undefined) return;
    this.pendingLines = [];
    this.tail.connect(after);
  }

  /** Shows what the state has become. */
  private publish(): void {
    const { state } = this;
    batch(() => {
      this.version.value = state.version;
      this.following.value = state.following;
      this.unseenCount.value = state.unseenCount;
      this.atLiveEnd.value = state.atLiveEnd;
    });
  }

  private async fetchLines(query: HistoryQuery, filters = this.filters): Promise<Line[]> {
    const lines = await fetchHistory(this.api, this.app, filters, query, this.abortController.signal);
    this.onLinesRead(lines);
    return lines;
  }

  /** Does some reading, and publishes what came of it. */
  private async withLoadingState<T>(
    part: 'all' | 'older' | 'newer',
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    this.loading.value = part;
    this.error.value = '';
    try {
      return await work();
    } catch (error) {
      if (!this.abortController.signal.aborted) this.error.value = errorMessage(error);
      return undefined;
    } finally {
      this.publish();
      this.loading.value = '';
    }
  }

  private bufferLines(lines: readonly Line[]): void {
    this.notice.value = '';
    for (const line of lines) this.pendingLines.push(line);
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    // A hidden page draws no frames.
    if (document.hidden) setTimeout(() => this.flush(), HIDDEN_FLUSH_MS);
    else requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    this.flushScheduled = false;
    const lines = this.pendingLines;
    if (lines.length === 0 || this.abortController.signal.aborted) return;
    this.pendingLines = [];
    const fresh = this.state.addLive(lines);
    this.rates.add(fresh, Date.now(), true);
    this.onLinesRead(fresh);
    this.publish();
  }
}

function errorMessage(error: unknown): string {
  return error instanceof ApiError ? error.message : 'The server doesn’t answer.';
}
