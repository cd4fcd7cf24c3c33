/** Lines as they come, of all streams of a selection. After a lost connection it resumes where it was. */
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { ServiceError } from '../../addons/shared/service-client.ts';
import { SilenceWatch } from '../../stream/feed/silence-watch.ts';
import type { TailState } from '../../stream/line-source.ts';
import type { ViewerClient } from '../api/viewer-client.ts';
import type { ViewerLineJson } from '../api/viewer-json.ts';

interface TailMessageJson {
  /** Where to resume. */
  readonly after?: string;
  readonly lines?: readonly ViewerLineJson[];
  /** About the tail itself: it is in no stream. */
  readonly notice?: string;
}

export interface ViewerTailOptions {
  readonly client: ViewerClient;
  /** Of the selection; the tail adds where to resume. */
  readonly params: URLSearchParams;
  readonly onLines: (lines: readonly ViewerLineJson[]) => void;
  readonly onState: (state: TailState) => void;
  readonly onNotice: (notice: string) => void;
}

interface TailConnection {
  close(): void;
}

const RECONNECT: BackoffRange = { firstMs: 500, maxMs: 10_000 };

export class ViewerTail {
  private readonly options: ViewerTailOptions;
  private resumeAfter: string | undefined;
  private failures = 0;
  private connection: TailConnection | undefined;
  private retryTimer: number | undefined;

  constructor(options: ViewerTailOptions) {
    this.options = options;
  }

  /** Connects, or connects anew, and reads what is behind a cursor of the server's. */
  connect(after: string | undefined): void {
    this.resumeAfter = after;
    this.failures = 0;
    this.open();
  }

  /** Connects at once instead of waiting for the next attempt. */
  retryNow(): void {
    if (this.retryTimer !== undefined) this.open();
  }

  close(): void {
    this.connection?.close();
    this.connection = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  private open(): void {
    this.close();
    const params = new URLSearchParams(this.options.params);
    if (this.resumeAfter !== undefined) params.set('after', this.resumeAfter);
    let isLost = false;
    const path = `api/tail?${params}`;
    const handlers: ConnectionHandlers = {
      onMessage: (text) => this.onMessage(JSON.parse(text) as TailMessageJson),
      onLost: () => {
        if (!isLost && this.connection === connection) void this.retryLater();
        isLost = true;
      },
      onSilence: () => {
        if (this.connection === connection) this.open();
      },
    };
    // Behind a server that passes only HTTP on, events are sent; a browser allows few of these at once, over all its tabs.
    const connection = this.options.client.session.value?.external
      ? openEvents(path, handlers)
      : openSocket(path, handlers);
    this.connection = connection;
  }

  private onMessage({ after, lines = [], notice }: TailMessageJson): void {
    this.failures = 0;
    this.options.onState({ name: 'live' });
    if (after !== undefined) this.resumeAfter = after;
    if (notice !== undefined) this.options.onNotice(notice);
    if (lines.length > 0) this.options.onLines(lines);
  }

  private async retryLater(): Promise<void> {
    const { connection } = this;
    // A browser doesn't say what such a connection was answered with.
    const refusal = await this.options.client.get('api/session').then(
      () => undefined,
      (error: unknown) => (error instanceof ServiceError && error.status === 401 ? error : undefined),
    );
    if (this.connection !== connection) return;
    if (refusal) {
      this.options.onState({ name: 'refused', status: refusal.status, message: refusal.message });
      return;
    }
    const waitMs = backoffMs(++this.failures, RECONNECT);
    this.options.onState({ name: 'unreachable', retryAtMs: Date.now() + waitMs });
    this.retryTimer = setTimeout(() => this.open(), waitMs);
  }
}

interface ConnectionHandlers {
  readonly onMessage: (text: string) => void;
  readonly onLost: () => void;
  /** Nothing comes any more, and no end either. */
  readonly onSilence: () => void;
}

function openSocket(path: string, { onMessage, onLost, onSilence }: ConnectionHandlers): TailConnection {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const silence = new SilenceWatch(onSilence);
  let isClosed = false;
  socket.addEventListener('open', () => {
    if (isClosed) socket.close();
  });
  socket.addEventListener('message', ({ data }) => {
    silence.heard();
    if (!isClosed) onMessage(String(data));
  });
  socket.addEventListener('close', () => {
    silence.stop();
    if (!isClosed) onLost();
  });
  return {
    close: () => {
      isClosed = true;
      silence.stop();
      // To close one that isn't open yet would be an error in the browser's console.
      if (socket.readyState === WebSocket.OPEN) socket.close();
    },
  };
}

function openEvents(path: string, { onMessage, onLost }: ConnectionHandlers): TailConnection {
  const source = new EventSource(path);
  source.onmessage = ({ data }) => onMessage(String(data));
  source.onerror = () => {
    source.close();
    onLost();
  };
  return { close: () => source.close() };
}
