/** Reads what {@link LineHistoryState} decides, from history and from the live tail, and shows it to the list as signals. */

import { signal } from '@preact/signals';
import { ServiceError } from '../../addons/shared/service-client.ts';
import { FeedSignals } from '../../stream/feed/feed-signals.ts';
import { FrameQueue } from '../../stream/feed/frame-queue.ts';
import type { LineWindow } from '../../stream/line-window.ts';
import { endsInThePast } from '../../stream/search-expression.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import type { LineFeed } from '../../view/list/list-host.ts';
import type { ViewerClient } from '../api/viewer-client.ts';
import type { SearchJson, ViewerLineJson } from '../api/viewer-json.ts';
import {
  HISTORY_PAGE_LINES,
  type HistoryEdge,
  type HistoryPage,
  LineHistoryState,
} from './line-history-state.ts';
import { lineParams, type TimeLimits, type ViewerSelection } from './line-selection.ts';
import { parseLineKey, parseViewerLine, type ViewerLine } from './viewer-line.ts';
import { ViewerTail } from './viewer-tail.ts';

/** Lines before a place that is shown. */
const LINES_BEFORE = 300;
/** A search that has found fewer goes on by itself: there is room for more on the screen. */
const LINES_WANTED = 100;
/** Around a line among many of the same millisecond. */
const CONTEXT_LINES = 500;

export class ViewerFeed extends FeedSignals implements LineFeed {
  /** Until when a search that goes on has looked, milliseconds since 1970; undefined when none does. */
  readonly searchedToMs = signal<number | undefined>(undefined);

  readonly filters: ViewerSelection;
  private readonly client: ViewerClient;
  private readonly streamName: (id: string) => string | undefined;
  protected readonly state = new LineHistoryState();
  /** Undefined when nothing that is still to come can match. */
  private readonly tail: ViewerTail | undefined;
  private readonly pending = new FrameQueue<ViewerLine>((lines) => {
    this.state.addLive(lines);
    this.publish();
  }, this.abortController.signal);

  /** @param streamName what a stream is called, when lines say it */
  constructor(
    client: ViewerClient,
    selection: ViewerSelection,
    streamName: (id: string) => string | undefined,
  ) {
    super();
    this.client = client;
    this.filters = selection;
    this.streamName = streamName;
    if (selection.to !== '' || endsInThePast(selection.q)) this.tailState.value = { name: 'past' };
    else
      this.tail = new ViewerTail({
        client,
        params: lineParams({ ...selection, from: '', to: '' }),
        onLines: (lines) => {
          this.notice.value = '';
          this.pending.push(this.parse(lines));
        },
        onNotice: (notice) => {
          this.notice.value = notice;
        },
        onState: (state) => {
          this.notice.value = '';
          this.tailState.value = state;
        },
      });
  }

  get window(): LineWindow {
    return this.state.window;
  }

  /** Lines that are held, those within events as well. */
  get lineCount(): number {
    return this.state.lineCount;
  }

  /** Where a line of a key stands in the list, when it is there. */
  placeOf(key: string): number | undefined {
    return this.state.placeOf(key);
  }

  lineAt(at: number): ViewerLine | undefined {
    return this.state.lineAt(at);
  }

  /** Starts at the live end, or at the line with this key; gives where that is in the list. */
  async open(key?: string): Promise<number | undefined> {
    if (key) return this.showLine(key);
    await this.load('all', () => this.readNewest());
    return undefined;
  }

  close(): void {
    this.abortController.abort();
    this.tail?.close();
  }

  retry(): void {
    this.tail?.retryNow();
    this.error.value = '';
    if (this.window.lines.length === 0) void this.load('all', () => this.readNewest());
    else this.version.value++;
  }

  pause(): void {
    this.state.pause();
    this.publish();
  }

  async follow(): Promise<void> {
    if (!this.state.atLiveEnd) await this.load('all', () => this.readNewest());
    this.state.follow();
    this.publish();
  }

  /** Shows the lines around a time; gives where the first one behind it is. */
  showTime(ms: number): Promise<number | undefined> {
    return this.load('all', async () => {
      const { behind } = await this.readAround(ms);
      const line = behind ?? this.window.last;
      return line?.at;
    });
  }

  async loadOlder(): Promise<void> {
    const { older } = this.state;
    if (!older || this.loading.value !== '') return;
    await this.load('older', async () => {
      const page = await this.read('before', older, HISTORY_PAGE_LINES);
      // Meanwhile the window may have become another.
      if (this.state.older === older) this.state.addOlder(page);
    });
  }

  async loadNewer(): Promise<void> {
    const { newer } = this.state;
    if (!newer || this.loading.value !== '') return;
    await this.load('newer', async () => {
      const page = await this.read('after', newer, HISTORY_PAGE_LINES);
      if (this.state.newer === newer && this.state.addNewer(page)) this.startTail(page.tail);
    });
  }

  evictLines(oldest: boolean): void {
    this.state.evict(oldest);
    this.publish();
  }

  /** The newest lines; when few have been found, further back until the screen is full. */
  private async readNewest(): Promise<void> {
    const newest = await this.read('before', undefined, HISTORY_PAGE_LINES);
    this.state.showNewest(newest);
    this.startTail(newest.tail);
    this.publish();
    while (this.state.older && this.window.lines.length < LINES_WANTED) {
      const page = await this.read('before', this.state.older, HISTORY_PAGE_LINES);
      this.state.addOlder(page);
      this.publish();
    }
  }

  private showLine(key: string): Promise<number | undefined> {
    return this.load('all', async () => {
      const { stream = '', position = '' } = parseLineKey(key) ?? {};
      const path = `api/streams/${encodeURIComponent(stream)}/lines/${position}/context`;
      const context = (around: number): Promise<ViewerLine[]> =>
        this.client
          .get<SearchJson>(`${path}?before=${around}&after=${around}`, this.abortController.signal)
          .then(({ lines }) => this.parse(lines));
      const [line] = await context(0).catch((error: unknown) => {
        if (error instanceof ServiceError && error.status === 404) return [];
        throw error;
      });
      if (!line) {
        await this.readNewest();
        return undefined;
      }
      this.pause();
      await this.readAround(line.ms);
      if (this.placeOf(key) === undefined) {
        const lines = await context(CONTEXT_LINES);
        const [first, last] = [lines[0] ?? line, lines.at(-1) ?? line];
        this.state.showPlace({ lines, next: { ms: first.ms } }, { lines: [], next: { ms: last.ms } });
      }
      return this.placeOf(key);
    });
  }

  /** Shows the lines before and behind a time, both of it among the former. */
  private async readAround(ms: number): Promise<{ readonly behind: ViewerLine | undefined }> {
    const before = await this.read('before', { ms }, LINES_BEFORE);
    const after = await this.read('after', { ms: ms + 1 }, HISTORY_PAGE_LINES);
    // Also when there is more in between: how much comes is counted.
    this.state.showPlace(before, after);
    this.startTail(after.tail);
    const at = before.lines.length > 0 ? undefined : this.window.first?.at;
    const behind = after.lines[0] && this.lineAtKeyOf(after.lines[0]);
    return { behind: behind ?? (at === undefined ? undefined : this.lineAt(at)) };
  }

  private lineAtKeyOf(line: ViewerLine): ViewerLine | undefined {
    const at = this.placeOf(`${line.stream}.${line.position}`);
    return at === undefined ? undefined : this.lineAt(at);
  }

  /** One page of history, oldest first. */
  private async read(
    direction: 'before' | 'after',
    edge: HistoryEdge | undefined,
    limit: number,
  ): Promise<HistoryPage & { readonly tail: string | undefined }> {
    const limits: TimeLimits =
      edge && 'ms' in edge ? (direction === 'before' ? { toMs: edge.ms + 1 } : { fromMs: edge.ms }) : {};
    const params = lineParams(this.filters, limits);
    params.set('limit', String(limit));
    if (edge && 'cursor' in edge) params.set(direction, edge.cursor);
    else if (direction === 'after') params.set('after', '');
    const answer = await this.client.get<SearchJson>(`api/search?${params}`, this.abortController.signal);
    const cursor = direction === 'before' ? answer.before : answer.after;
    this.searchedToMs.value = answer.searchedTo && cursor ? Date.parse(answer.searchedTo) : undefined;
    const lines = direction === 'before' ? [...answer.lines].reverse() : answer.lines;
    const parsed = this.parse(lines);
    let next: HistoryEdge | undefined = cursor ? { cursor } : undefined;
    // Only an answer that says where the tail goes on leads to the live end: that is asked for from the last line's time on.
    if (!next && direction === 'after' && answer.tail === undefined && this.tail)
      next = {
        ms:
          parsed[lines.findLastIndex(({ matches }) => matches !== false)]?.ms ||
          this.window.last?.ms ||
          serverNowMs(),
      };
    return { lines: parsed, next, tail: answer.tail };
  }

  /** From now on what comes behind a search's answer is brought. */
  private startTail(after: string | undefined): void {
    this.pending.clear();
    this.tail?.connect(after);
  }

  private parse(lines: readonly ViewerLineJson[]): ViewerLine[] {
    return lines.map((line) => parseViewerLine(line, this.streamName(line.stream)));
  }

  /** Does some reading; undefined when it failed. */
  private load<T>(part: 'all' | 'older' | 'newer', work: () => Promise<T>): Promise<T | undefined> {
    return this.withLoading<T | undefined>(
      part,
      () =>
        work().finally(() => {
          this.searchedToMs.value = undefined;
        }),
      (error) => {
        if (!this.abortController.signal.aborted)
          this.error.value = error instanceof ServiceError ? error.message : String(error);
        return undefined;
      },
    );
  }
}
