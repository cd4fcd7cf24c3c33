/** Lines as they come, of all streams of a selection. After a lost connection it resumes where it was. */
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { ServiceError } from '../../addons/shared/service-client.ts';
import { TailConnector } from '../../stream/feed/tail-connection.ts';
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

const RECONNECT: BackoffRange = { firstMs: 500, maxMs: 10_000 };

export class ViewerTail {
  private readonly options: ViewerTailOptions;
  private resumeAfter: string | undefined;
  private failures = 0;
  private connection: AbortController | undefined;
  private readonly connector: TailConnector;
  private retryTimer: number | undefined;

  constructor(options: ViewerTailOptions) {
    this.options = options;
    // Behind a server that passes only HTTP on, events are sent; a browser allows few of these at once, over all its tabs.
    this.connector = new TailConnector(options.client.session.value?.external);
  }

  /** Connects, or connects anew, and reads what is behind a cursor of the server's. */
  connect(after: string | undefined): void {
    this.resumeAfter = after;
    this.failures = 0;
    void this.open();
  }

  /** Connects at once instead of waiting for the next attempt. */
  retryNow(): void {
    if (this.retryTimer !== undefined) void this.open();
  }

  close(): void {
    this.connection?.abort();
    this.connection = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  private async open(): Promise<void> {
    this.close();
    const params = new URLSearchParams(this.options.params);
    if (this.resumeAfter !== undefined) params.set('after', this.resumeAfter);
    const connection = new AbortController();
    this.connection = connection;
    const url = new URL(`api/tail?${params}`, location.href);
    const onMessage = (data: string): void => this.onMessage(JSON.parse(data) as TailMessageJson);
    const end = await this.connector.read(url, { onMessage }, connection.signal);
    if (this.connection !== connection) return;
    if (end === 'silent') void this.open();
    else await this.retryLater();
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
    this.retryTimer = setTimeout(() => void this.open(), waitMs);
  }
}
