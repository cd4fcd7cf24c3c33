/**
 * Reading a stream: a window of lines that follows the live end, or stands still somewhere in the past, and grows to either side when
 * somebody scrolls there. The stream on the server is the buffer: what isn't held here can always be asked for again, so
 * that a pause loses nothing.
 */
import { signal } from '@preact/signals';
import { type Filters, isFiltered, NO_FILTERS } from '../address.ts';
import type { Api } from './api.ts';
import { type HistoryQuery, readHistory } from './history.ts';
import type { Line } from './line.ts';
import { LineWindow } from './line-window.ts';
import { Rates } from './rates.ts';
import { Tail, type TailState } from './tail.ts';

/** Lines that are read at a time. */
const PAGE = 1_000;
const AROUND_BEFORE = 400;
/** When the live end is further away than this, going there doesn't read everything in between. */
const CATCH_UP_MAX = 50_000;
/** How often new lines are taken in while nobody looks. */
const HIDDEN_MS = 500;

export class Reading {
  readonly window = new LineWindow();
  readonly rates = new Rates();
  /** Grows whenever the window has changed. */
  readonly version = signal(0);
  /** Does the view go with the newest line? */
  readonly following = signal(true);
  /** Lines that came since it doesn't. */
  readonly unseen = signal(0);
  /** Is the window's end the live end? */
  readonly attached = signal(true);
  /** Is there nothing older? */
  readonly atStart = signal(false);
  readonly loading = signal<'' | 'all' | 'older' | 'newer'>('');
  /** Why a part of the past couldn't be read, or ''. */
  readonly failure = signal('');
  /** What the server said of the tail last, until lines come again; or ''. */
  readonly notice = signal('');
  readonly tailState = signal<TailState>({ name: 'connecting' });

  readonly app: string;
  readonly filters: Filters;
  private readonly api: Api;
  private readonly onSeen: (lines: readonly Line[]) => void;
  private readonly tail: Tail;
  private readonly stop = new AbortController();
  private waiting: Line[] = [];
  private flushing = false;
  /** The newest line that is known of. */
  private newest = 0;

  /** @param onSeen is shown all lines that come, for the names in them. */
  constructor(api: Api, app: string, filters: Filters, onSeen: (lines: readonly Line[]) => void) {
    this.api = api;
    this.onSeen = onSeen;
    this.app = app;
    this.filters = filters;
    this.tail = new Tail({
      api,
      app,
      filters,
      onLines: (lines) => this.take(lines),
      onNotice: (notice) => {
        this.notice.value = notice;
      },
      onState: (state) => {
        this.notice.value = '';
        this.tailState.value = state;
      },
    });
    document.addEventListener('visibilitychange', () => this.flush(), { signal: this.stop.signal });
  }

  /** Starts at the live end, or at a line. */
  async open(at: number | undefined): Promise<void> {
    await this.attempt('all', async () => {
      const [newest] = await this.read({ lines: 1 }, NO_FILTERS);
      this.newest = newest?.at ?? 0;
      if (at !== undefined) {
        this.rates.knownFromMs = Date.now();
        this.tail.connect(this.newest);
        await this.showAround(at);
        return;
      }
      const lines = await this.read({ before: this.newest + 1, lines: PAGE });
      this.replace(lines);
      this.rates.add(lines, Date.now(), false);
      this.atStart.value = lines.length < PAGE;
      this.rates.knownFromMs = this.atStart.value ? 0 : (lines[0]?.ms ?? 0);
      this.tail.connect(this.newest);
    });
  }

  /** Was everything around a position read, and the line isn't there? */
  lacks(at: number): boolean {
    const { lines } = this.window;
    return this.failure.value === '' && lines[this.window.indexOf(at)]?.at !== at;
  }

  /** The list can't be as high as the lines are: some go, the oldest or the newest. */
  shorten(oldest: boolean): void {
    const count = Math.ceil(this.window.lines.length / 4);
    if (oldest) {
      this.window.dropFirst(count);
      this.atStart.value = false;
    } else {
      this.window.dropLast(count);
      this.attached.value = false;
    }
    this.version.value++;
  }

  close(): void {
    this.stop.abort();
    this.tail.close();
  }

  /** Asks again, after a failure. */
  retry(): void {
    this.tail.hurry();
    if (this.window.lines.length === 0) void this.open(undefined);
    else this.failure.value = '';
  }

  /** The server was away: connections from before may be dead without knowing it. */
  renew(): void {
    this.failure.value = '';
    if (this.window.lines.length === 0 && this.newest === 0) void this.open(undefined);
    else this.tail.renew();
  }

  /** The server has answered other questions since it said this: it needn't stand there any longer. */
  outlive(notice: string): void {
    if (this.notice.value === notice) this.notice.value = '';
  }

  /** Goes with the newest line again, from where the view stands when that isn't too far away. */
  async follow(): Promise<void> {
    if (!this.attached.value) {
      const last = this.window.last?.at ?? 0;
      const isNear = isFiltered(this.filters)
        ? this.unseen.value < CATCH_UP_MAX
        : this.newest - last < CATCH_UP_MAX;
      if (last > 0 && isNear) this.attach();
      else
        await this.attempt('all', async () => {
          const lines = await this.read({ before: this.newest + 1, lines: PAGE });
          this.replace(lines);
          this.atStart.value = lines.length < PAGE;
          this.attach();
        });
    }
    this.unseen.value = 0;
    this.following.value = true;
  }

  hold(): void {
    this.following.value = false;
  }

  /** Shows the lines around a position; gives the position of the line that is there, if there is one. */
  async showAround(at: number): Promise<number | undefined> {
    return this.show({ before: at + 1 }, at);
  }

  /** Shows the lines around a time; gives the position of the first one behind it. */
  async showTime(ms: number): Promise<number | undefined> {
    return this.show({ untilMs: ms });
  }

  async loadOlder(): Promise<void> {
    const { first } = this.window;
    if (!first || this.atStart.value || this.loading.value !== '') return;
    await this.attempt('older', async () => {
      const lines = await this.read({ before: first.at, lines: PAGE });
      if (this.window.first !== first) return;
      this.window.prepend(lines);
      this.atStart.value = lines.length < PAGE;
      if (this.window.trimEnd() > 0) this.attached.value = false;
      this.version.value++;
    });
  }

  async loadNewer(): Promise<void> {
    const { last } = this.window;
    if (!last || this.attached.value || this.loading.value !== '') return;
    await this.attempt('newer', async () => {
      const lines = await this.read({ after: last.at, lines: PAGE });
      if (this.window.last !== last) return;
      this.window.append(lines);
      if (this.window.trimStart() > 0) this.atStart.value = false;
      this.version.value++;
      if (lines.length < PAGE) this.attach();
    });
  }

  /** From here on what comes is added to the window: the tail starts behind its last line, so that there is no gap. */
  private attach(): void {
    this.attached.value = true;
    this.waiting = [];
    this.tail.connect(this.window.last?.at ?? this.newest);
  }

  private async show(from: Partial<HistoryQuery>, at?: number): Promise<number | undefined> {
    return this.attempt('all', async () => {
      this.hold();
      const older = await this.read({ ...from, lines: AROUND_BEFORE });
      const newer = await this.read({ after: older.at(-1)?.at ?? at ?? 0, lines: PAGE });
      this.attached.value = false;
      this.replace([...older, ...newer]);
      this.atStart.value = older.length < AROUND_BEFORE;
      if (newer.length < PAGE) this.attach();
      return at ?? (newer[0] ?? older.at(-1))?.at;
    });
  }

  private replace(lines: readonly Line[]): void {
    this.window.clear();
    this.window.append(lines);
    this.version.value++;
  }

  private async read(query: HistoryQuery, filters = this.filters): Promise<Line[]> {
    const lines = await readHistory(this.api, this.app, filters, query, this.stop.signal);
    this.onSeen(lines);
    return lines;
  }

  private async attempt<T>(what: 'all' | 'older' | 'newer', work: () => Promise<T>): Promise<T | undefined> {
    this.loading.value = what;
    this.failure.value = '';
    try {
      return await work();
    } catch (error) {
      if (!this.stop.signal.aborted) this.failure.value = explain(error);
      return undefined;
    } finally {
      this.loading.value = '';
    }
  }

  private take(lines: readonly Line[]): void {
    this.notice.value = '';
    for (const line of lines) this.waiting.push(line);
    if (this.flushing) return;
    this.flushing = true;
    // A hidden page draws no frames.
    if (document.hidden) setTimeout(() => this.flush(), HIDDEN_MS);
    else requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const lines = this.waiting;
    if (lines.length === 0 || this.stop.signal.aborted) return;
    this.waiting = [];
    const unknown = lines.filter(({ at }) => at > this.newest);
    this.newest = unknown.at(-1)?.at ?? this.newest;
    this.rates.add(unknown, Date.now(), true);
    this.onSeen(unknown);
    if (!this.following.value) this.unseen.value += unknown.length;
    if (!this.attached.value) return;
    if (!this.following.value && this.window.isFull) {
      // The rest stays on the server until somebody scrolls there.
      this.attached.value = false;
      return;
    }
    this.window.append(lines);
    if (this.following.value && this.window.trimStart() > 0) this.atStart.value = false;
    this.version.value++;
  }
}

function explain(error: unknown): string {
  if (error instanceof Error && error.name === 'Refusal') return error.message;
  return 'The server doesn’t answer.';
}
