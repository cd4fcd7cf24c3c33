/** Lines as they come, of all streams of a selection. After a lost connection it resumes where it was. */
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { ServiceError } from '../../addons/shared/service-client.ts';
import type { TailState } from '../../stream/live-tail.ts';
import type { ViewerClient } from '../api/viewer-client.ts';
import type { ViewerLineJson } from '../api/viewer-json.ts';

interface TailMessageJson {
  /** Where to resume. */
  readonly after?: string;
  readonly lines?: readonly ViewerLineJson[];
  /** About the tail itself: its lines are in no stream. */
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

const RECONNECT: BackoffRange = { firstMs: 500, maxMs: 10_000 };

export class ViewerTail {
  private readonly options: ViewerTailOptions;
  private readonly opened: Promise<void>;
  private resolveOpened = (): void => {};
  private resumeAfter: string | undefined;
  private failures = 0;
  private socket: WebSocket | undefined;
  private retryTimer: number | undefined;
  private isClosed = false;

  constructor(options: ViewerTailOptions) {
    this.options = options;
    this.opened = new Promise((resolve) => {
      this.resolveOpened = resolve;
    });
  }

  /** Resolves when lines that come from now on are brought, or when that can't be had at present. */
  open(): Promise<void> {
    this.connect();
    return this.opened;
  }

  retryNow(): void {
    if (this.retryTimer !== undefined) this.connect();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    // To close one that isn't open yet would be an error in the browser's console.
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.close();
    this.resolveOpened();
  }

  private connect(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    const params = new URLSearchParams(this.options.params);
    if (this.resumeAfter !== undefined) params.set('after', this.resumeAfter);
    const url = new URL(`api/tail?${params}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.hash = '';
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.addEventListener('open', () => {
      if (this.isClosed) socket.close();
    });
    socket.addEventListener('message', ({ data }) => {
      if (!this.isClosed) this.onMessage(JSON.parse(data) as TailMessageJson);
    });
    socket.addEventListener('close', () => {
      if (!this.isClosed) void this.retryLater();
    });
  }

  private onMessage({ after, lines = [], notice }: TailMessageJson): void {
    if (this.failures >= 0) this.options.onState({ name: 'live' });
    this.failures = 0;
    if (after !== undefined) this.resumeAfter = after;
    if (notice !== undefined) this.options.onNotice(notice);
    if (lines.length > 0) this.options.onLines(lines);
    this.resolveOpened();
  }

  private async retryLater(): Promise<void> {
    const waitMs = backoffMs(++this.failures, RECONNECT);
    // A browser doesn't say what a WebSocket was answered with.
    const refusal = await this.options.client.get('api/session').then(
      () => undefined,
      (error: unknown) => (error instanceof ServiceError && error.status === 401 ? error : undefined),
    );
    this.resolveOpened();
    if (this.isClosed) return;
    if (refusal) {
      this.options.onState({ name: 'refused', status: refusal.status, message: refusal.message });
      return;
    }
    this.options.onState({ name: 'unreachable', retryAtMs: Date.now() + waitMs });
    this.retryTimer = setTimeout(() => this.connect(), waitMs);
  }
}
