/** Lines as they come, over a WebSocket, or as server-sent events where a proxy lets no WebSocket through. After a lost connection it resumes behind the last one: nothing is missed, nothing comes twice. */
import { type BackoffRange, backoffMs } from '../../common/backoff.ts';
import { TailConnector, type TailHandlers } from './feed/tail-connection.ts';
import { type Filters, filterParams } from './filters.ts';
import { type LineJson, parseLine } from './line.ts';
import { LineSourceError, type LineTail, type TailListener } from './line-source.ts';
import { endsInThePast } from './search-expression.ts';

export interface LiveTailOptions extends TailListener {
  /** Makes the path of an address that can be read without a key: a WebSocket of a browser can't show one. */
  readonly createSession: (signal: AbortSignal) => Promise<string>;
  readonly filters: Filters;
}

/** One message of the server: some lines, or only how far it has come. */
interface TailMessage {
  /** Left out as long as the server doesn't know it. */
  readonly position?: string;
  /** Present when it is about the tail itself: its lines are not in the stream. */
  readonly notice?: string;
  readonly lines: readonly LineJson[];
}

const RECONNECT: BackoffRange = { firstMs: 500, maxMs: 10_000 };

export class LiveTail implements LineTail {
  private readonly options: LiveTailOptions;
  private lastPosition = 0;
  private attempts = 0;
  private readonly connector = new TailConnector();
  /** As they are when it is made: a time such as 03:00 is another one tomorrow. */
  private readonly params: URLSearchParams;
  private readonly handlers: TailHandlers = {
    onOpen: () => {
      this.attempts = 0;
      this.options.onState({ name: 'live' });
    },
    onMessage: (data, id) => this.onMessage(id === undefined ? JSON.parse(data) : eventMessage(data, id)),
  };
  private connection: AbortController | undefined;
  private retryTimer: number | undefined;

  constructor(options: LiveTailOptions) {
    this.options = options;
    this.params = filterParams(options.filters);
  }

  connect(after: number): void {
    this.lastPosition = after;
    this.reconnect();
  }

  reconnect(): void {
    this.begin(false);
  }

  retryNow(): void {
    if (this.retryTimer !== undefined) void this.openConnection();
  }

  close(): void {
    this.connection?.abort();
    this.connection = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  /** @param resumes was it live, and had no end been seen? */
  private begin(resumes: boolean): void {
    this.attempts = 0;
    if (endsInThePast(this.options.filters.q)) {
      this.options.onState({ name: 'past' });
      return;
    }
    this.options.onState({ name: 'connecting', resumes });
    void this.openConnection();
  }

  private async openConnection(): Promise<void> {
    this.close();
    const connection = new AbortController();
    this.connection = connection;
    try {
      const path = await this.options.createSession(connection.signal);
      if (this.connection !== connection) return;
      const end = await this.connector.read(this.address(path), this.handlers, connection.signal);
      if (this.connection !== connection) return;
      if (end === 'silent') {
        this.begin(true);
        return;
      }
    } catch (error) {
      if (this.connection !== connection) return;
      if (error instanceof LineSourceError && error.status < 500 && error.status !== 429) {
        this.options.onState({ name: 'refused', status: error.status, message: error.message });
        return;
      }
    }
    this.scheduleRetry();
  }

  private address(path: string): URL {
    const params = new URLSearchParams(this.params);
    params.set('format', 'json');
    params.set('tail', 'true');
    params.set('after', String(this.lastPosition));
    return new URL(`${path}?${params}`, location.href);
  }

  private onMessage({ position, notice, lines }: TailMessage): void {
    if (position !== undefined) this.lastPosition = Math.max(this.lastPosition, Number(position));
    if (notice !== undefined) this.options.onNotice(notice);
    else if (lines.length > 0) this.options.onLines(lines.map(parseLine));
  }

  private scheduleRetry(): void {
    const waitMs = backoffMs(++this.attempts, RECONNECT);
    this.options.onState({ name: 'unreachable', retryAtMs: Date.now() + waitMs });
    this.retryTimer = setTimeout(() => void this.openConnection(), waitMs);
  }
}

/** Each `data:` of an event is a line. */
function eventMessage(data: string, id: string): TailMessage {
  return { position: id, lines: data.split('\n').map((line): LineJson => JSON.parse(line)) };
}
