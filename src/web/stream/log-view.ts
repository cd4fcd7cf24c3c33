/**
 * Reading a stream: a window of lines that follows the live end, or stands still somewhere in the past, and grows to either side when
 * somebody scrolls there. The stream on the server is the buffer: what isn't held here can always be asked for again, so
 * that a pause loses nothing.
 */
import { signal } from '@preact/signals';
import { type Filters, isFiltered, NO_FILTERS } from '../view-location.ts';
import type { WebApiClient } from './api-client.ts';
import type { Line } from './line.ts';
import { LineWindow } from './line-window.ts';
import { LiveTail, type TailState } from './live-tail.ts';
import { fetchHistory, type HistoryQuery } from './log-history.ts';
import { RateHistory } from './rate-history.ts';

/** Lines that are read at a time. */
const PAGE_LINES = 1_000;
const CONTEXT_LINES_BEFORE = 400;
/** When the live end is further away than this, going there doesn't read everything in between. */
const CATCH_UP_LINES_MAX = 50_000;
/** How often new lines are taken in while nobody looks. */
const HIDDEN_FLUSH_MS = 500;

export class LogView {
  readonly window = new LineWindow();
  readonly rates = new RateHistory();
  /** Grows whenever the window has changed. */
  readonly version = signal(0);
  /** Does the view go with the newest line? */
  readonly following = signal(true);
  /** Lines that came since it doesn't. */
  readonly unseenCount = signal(0);
  /** Is the window's end the live end? */
  readonly atLiveEnd = signal(true);
  /** Is there nothing older? */
  readonly atStart = signal(false);
  readonly loading = signal<'' | 'all' | 'older' | 'newer'>('');
  /** Why a part of the past couldn't be read, or ''. */
  readonly error = signal('');
  /** What the server said of the tail last, until lines come again; or ''. */
  readonly notice = signal('');
  readonly tailState = signal<TailState>({ name: 'connecting' });

  readonly app: string;
  readonly filters: Filters;
  private readonly api: WebApiClient;
  private readonly onLinesRead: (lines: readonly Line[]) => void;
  private readonly tail: LiveTail;
  private readonly abortController = new AbortController();
  private pendingLines: Line[] = [];
  private flushScheduled = false;
  /** The newest line that is known of. */
  private newestPosition = 0;

  /** @param onSeen is shown all lines that come, for the names in them. */
  constructor(api: WebApiClient, app: string, filters: Filters, onSeen: (lines: readonly Line[]) => void) {
    this.api = api;
    this.onLinesRead = onSeen;
    this.app = app;
    this.filters = filters;
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

  /** Starts at the live end, or at a line. */
  async open(at: number | undefined): Promise<void> {
    await this.withLoadingState('all', async () => {
      const [newest] = await this.fetchLines({ lines: 1 }, NO_FILTERS);
      this.newestPosition = newest?.at ?? 0;
      if (at !== undefined) {
        this.rates.completeFromMs = Date.now();
        this.tail.connect(this.newestPosition);
        await this.showAround(at);
        return;
      }
      const lines = await this.fetchLines({ before: this.newestPosition + 1, lines: PAGE_LINES });
      this.replaceLines(lines);
      this.rates.add(lines, Date.now(), false);
      this.atStart.value = lines.length < PAGE_LINES;
      this.rates.completeFromMs = this.atStart.value ? 0 : (lines[0]?.ms ?? 0);
      this.tail.connect(this.newestPosition);
    });
  }

  /** Was everything around a position read, and the line isn't there? */
  isMissing(at: number): boolean {
    const { lines } = this.window;
    return this.error.value === '' && lines[this.window.indexOf(at)]?.at !== at;
  }

  /** The list can't be as high as the lines are: some go, the oldest or the newest. */
  evictLines(oldest: boolean): void {
    const count = Math.ceil(this.window.lines.length / 4);
    if (oldest) {
      this.window.dropFirst(count);
      this.atStart.value = false;
    } else {
      this.window.dropLast(count);
      this.atLiveEnd.value = false;
    }
    this.version.value++;
  }

  close(): void {
    this.abortController.abort();
    this.tail.close();
  }

  /** Asks again, after a failure. */
  retry(): void {
    this.tail.retryNow();
    if (this.window.lines.length === 0) void this.open(undefined);
    else this.error.value = '';
  }

  /** The server was away: connections from before may be dead without knowing it. */
  reconnect(): void {
    this.error.value = '';
    if (this.window.lines.length === 0 && this.newestPosition === 0) void this.open(undefined);
    else this.tail.reconnect();
  }

  /** The server has answered other questions since it said this: it needn't stand there any longer. */
  dismissNotice(notice: string): void {
    if (this.notice.value === notice) this.notice.value = '';
  }

  /** Goes with the newest line again, from where the view stands when that isn't too far away. */
  async follow(): Promise<void> {
    if (!this.atLiveEnd.value) {
      const last = this.window.last?.at ?? 0;
      const isNear = isFiltered(this.filters)
        ? this.unseenCount.value < CATCH_UP_LINES_MAX
        : this.newestPosition - last < CATCH_UP_LINES_MAX;
      if (last > 0 && isNear) this.resumeTail();
      else
        await this.withLoadingState('all', async () => {
          const lines = await this.fetchLines({ before: this.newestPosition + 1, lines: PAGE_LINES });
          this.replaceLines(lines);
          this.atStart.value = lines.length < PAGE_LINES;
          this.resumeTail();
        });
    }
    this.unseenCount.value = 0;
    this.following.value = true;
  }

  pause(): void {
    this.following.value = false;
  }

  /** Shows the lines around a position; gives the position of the line that is there, if there is one. */
  async showAround(at: number): Promise<number | undefined> {
    return this.showFrom({ before: at + 1 }, at);
  }

  /** Shows the lines around a time; gives the position of the first one behind it. */
  async showTime(ms: number): Promise<number | undefined> {
    return this.showFrom({ untilMs: ms });
  }

  async loadOlder(): Promise<void> {
    const { first } = this.window;
    if (!first || this.atStart.value || this.loading.value !== '') return;
    await this.withLoadingState('older', async () => {
      const lines = await this.fetchLines({ before: first.at, lines: PAGE_LINES });
      if (this.window.first !== first) return;
      this.window.prepend(lines);
      this.atStart.value = lines.length < PAGE_LINES;
      if (this.window.trimEnd() > 0) this.atLiveEnd.value = false;
      this.version.value++;
    });
  }

  async loadNewer(): Promise<void> {
    const { last } = this.window;
    if (!last || this.atLiveEnd.value || this.loading.value !== '') return;
    await this.withLoadingState('newer', async () => {
      const lines = await this.fetchLines({ after: last.at, lines: PAGE_LINES });
      if (this.window.last !== last) return;
      this.window.append(lines);
      if (this.window.trimStart() > 0) this.atStart.value = false;
      this.version.value++;
      if (lines.length < PAGE_LINES) this.resumeTail();
    });
  }

  /** From here on what comes is added to the window: the tail starts behind its last line, so that there is no gap. */
  private resumeTail(): void {
    this.atLiveEnd.value = true;
    this.pendingLines = [];
    this.tail.connect(this.window.last?.at ?? this.newestPosition);
  }

  private async showFrom(from: Partial<HistoryQuery>, at?: number): Promise<number | undefined> {
    return this.withLoadingState('all', async () => {
      this.pause();
      const older = await this.fetchLines({ ...from, lines: CONTEXT_LINES_BEFORE });
      const newer = await this.fetchLines({ after: older.at(-1)?.at ?? at ?? 0, lines: PAGE_LINES });
      this.atLiveEnd.value = false;
      this.replaceLines([...older, ...newer]);
      this.atStart.value = older.length < CONTEXT_LINES_BEFORE;
      if (newer.length < PAGE_LINES) this.resumeTail();
      return at ?? (newer[0] ?? older.at(-1))?.at;
    });
  }

  private replaceLines(lines: readonly Line[]): void {
    this.window.clear();
    this.window.append(lines);
    this.version.value++;
  }

  private async fetchLines(query: HistoryQuery, filters = this.filters): Promise<Line[]> {
    const lines = await fetchHistory(this.api, this.app, filters, query, this.abortController.signal);
    this.onLinesRead(lines);
    return lines;
  }

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
    const newLines = lines.filter(({ at }) => at > this.newestPosition);
    this.newestPosition = newLines.at(-1)?.at ?? this.newestPosition;
    this.rates.add(newLines, Date.now(), true);
    this.onLinesRead(newLines);
    if (!this.following.value) this.unseenCount.value += newLines.length;
    if (!this.atLiveEnd.value) return;
    if (!this.following.value && this.window.isFull) {
      // The rest stays on the server until somebody scrolls there.
      this.atLiveEnd.value = false;
      return;
    }
    this.window.append(lines);
    if (this.following.value && this.window.trimStart() > 0) this.atStart.value = false;
    this.version.value++;
  }
}

function errorMessage(error: unknown): string {
  if (error instanceof Error && error.name === 'ApiError') return error.message;
  return 'The server doesn’t answer.';
}
