/** Reads `GET /api/tail` as a page does: server-sent events, whose `id` is where to go on. */
import type { Viewer, ViewerLine } from './viewer.ts';
import { VIEWER_KEY } from './viewer.ts';

export class TailReader {
  readonly lines: ViewerLine[] = [];
  readonly notices: string[] = [];
  /** Takes lines as they come, instead of {@link lines}: for more than fit into memory. */
  onLine: ((line: ViewerLine) => void) | undefined;
  after: string | undefined;
  isLive = false;
  status = 0;
  /** Resolves when the connection has ended. */
  ended: Promise<void> = Promise.resolve();
  private abort = new AbortController();
  private readonly viewer: Pick<Viewer, 'url'>;
  private readonly query: string;

  constructor(viewer: Pick<Viewer, 'url'>, query = '', after?: string) {
    this.viewer = viewer;
    this.query = query;
    this.after = after;
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }

  /** Connects; resolves when the answer has begun. Called again, it goes on where it was. */
  async connect(viewer = this.viewer): Promise<this> {
    this.abort = new AbortController();
    this.isLive = false;
    const after = this.after === undefined ? '' : `&after=${this.after}`;
    const response = await fetch(`${viewer.url}/api/tail?${this.query}${after}`, {
      headers: { authorization: `Bearer ${VIEWER_KEY}`, accept: 'text/event-stream' },
      signal: this.abort.signal,
    });
    this.status = response.status;
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    this.ended = this.read(response).catch(() => undefined);
    return this;
  }

  async close(): Promise<void> {
    this.abort.abort();
    await this.ended;
  }

  private async read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) this.take(event);
    }
  }

  private take(event: string): void {
    for (const row of event.split('\n')) {
      if (row.startsWith('id: ')) this.after = row.slice(4);
      if (!row.startsWith('data: ')) continue;
      const { lines, live, notice } = JSON.parse(row.slice(6)) as {
        lines: ViewerLine[];
        live?: boolean;
        notice?: string;
      };
      if (this.onLine) lines.forEach(this.onLine);
      else this.lines.push(...lines);
      if (live) this.isLive = true;
      if (notice !== undefined) this.notices.push(notice);
    }
  }
}
