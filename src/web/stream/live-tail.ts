/** Lines as they come, over a WebSocket, or as server-sent events where a proxy lets no WebSocket through. After a lost connection it resumes behind the last one: nothing is missed, nothing comes twice. */
import { type BackoffRange, backoffMs } from '../../common/backoff.ts';
import { SilenceWatch } from './feed/silence-watch.ts';
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
  /** The last WebSocket didn't open, although the server had answered. */
  private usesEvents = false;
  private connection: AbortController | undefined;
  private retryTimer: number | undefined;

  constructor(options: LiveTailOptions) {
    this.options = options;
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
      if (this.connection === connection) await this.read(path, connection.signal);
    } catch (error) {
      if (this.connection !== connection) return;
      if (error instanceof LineSourceError && error.status < 500 && error.status !== 429) {
        this.options.onState({ name: 'refused', status: error.status, message: error.message });
        return;
      }
    }
    if (this.connection === connection) this.scheduleRetry();
  }

  /** Reads until the connection is lost or given up. */
  private async read(path: string, signal: AbortSignal): Promise<void> {
    const wasOpen = this.usesEvents
      ? await this.readEvents(path, signal)
      : await this.readSocket(path, signal);
    if (wasOpen || signal.aborted) return;
    // Back again, too: when neither comes through, the server was away.
    this.usesEvents = !this.usesEvents;
    if (this.usesEvents) await this.readEvents(path, signal);
  }

  private address(path: string): URL {
    const params = filterParams(this.options.filters);
    params.set('format', 'json');
    params.set('tail', 'true');
    params.set('after', String(this.lastPosition));
    return new URL(`${path}?${params}`, location.href);
  }

  private onOpen(): void {
    this.attempts = 0;
    this.options.onState({ name: 'live' });
  }

  /** @returns was it ever open? */
  private readEvents(path: string, signal: AbortSignal): Promise<boolean> {
    const source = new EventSource(this.address(path));
    let wasOpen = false;
    return new Promise((resolve) => {
      const end = (): void => {
        source.close();
        resolve(wasOpen);
      };
      signal.addEventListener('abort', end);
      source.onopen = () => {
        if (signal.aborted) return;
        wasOpen = true;
        this.onOpen();
      };
      source.onmessage = ({ data, lastEventId }) => {
        if (signal.aborted) return;
        const lines = String(data)
          .split('\n')
          .map((line): LineJson => JSON.parse(line));
        this.onMessage({ position: lastEventId, lines });
      };
      // It would connect again by itself, with a session that may be over.
      source.onerror = end;
    });
  }

  /** @returns was it ever open? */
  private readSocket(path: string, signal: AbortSignal): Promise<boolean> {
    const url = this.address(path);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    let wasOpen = false;
    const silence = new SilenceWatch(() => this.begin(true));
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        silence.stop();
        // To close one that isn't open yet would be an error in the browser's console.
        if (socket.readyState !== WebSocket.CONNECTING) socket.close();
      });
      socket.addEventListener('open', () => {
        if (signal.aborted) {
          socket.close();
          return;
        }
        wasOpen = true;
        silence.heard();
        this.onOpen();
      });
      socket.addEventListener('message', ({ data }) => {
        silence.heard();
        if (!signal.aborted) this.onMessage(JSON.parse(data));
      });
      socket.addEventListener('close', () => {
        silence.stop();
        resolve(wasOpen);
      });
    });
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
