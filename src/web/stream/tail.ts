/** Lines as they come. After a lost connection it goes on behind the last one: nothing is missed, nothing comes twice. */
import type { Filters } from '../address.ts';
import { type Api, Refusal } from './api.ts';
import { filterValues } from './history.ts';
import { type Line, type LineFields, readLine } from './line.ts';

export type TailState =
  | { readonly name: 'connecting' }
  | { readonly name: 'live' }
  /** The server is away; it is asked again at this time. */
  | { readonly name: 'away'; readonly retryAtMs: number }
  /** The server said no, and asking again would not help. */
  | { readonly name: 'refused'; readonly status: number; readonly message: string };

export interface TailOptions {
  readonly api: Api;
  readonly app: string;
  readonly filters: Filters;
  readonly onLines: (lines: readonly Line[]) => void;
  readonly onState: (state: TailState) => void;
  /** What the server says of the tail itself: the store is away, or back. */
  readonly onNotice: (notice: string) => void;
}

/** One message of the server: some lines, or only how far it has come. */
interface TailMessage {
  readonly position: string;
  /** There when the lines say something about the tail itself, and stand nowhere in the stream. */
  readonly notice?: string;
  readonly lines: readonly LineFields[];
}

const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 10_000;

export class Tail {
  private readonly options: TailOptions;
  private after = 0;
  private attempts = 0;
  private connection: AbortController | undefined;
  private retry: number | undefined;

  constructor(options: TailOptions) {
    this.options = options;
  }

  /** Connects, or connects anew, and gives what is behind this position. */
  connect(after: number): void {
    this.after = after;
    this.renew();
  }

  /** Connects anew, and goes on where it was. */
  renew(): void {
    this.attempts = 0;
    this.options.onState({ name: 'connecting' });
    void this.open();
  }

  /** Connects at once instead of waiting for the next attempt. */
  hurry(): void {
    if (this.retry !== undefined) void this.open();
  }

  close(): void {
    this.connection?.abort();
    this.connection = undefined;
    clearTimeout(this.retry);
    this.retry = undefined;
  }

  private async open(): Promise<void> {
    this.close();
    const connection = new AbortController();
    this.connection = connection;
    try {
      const { api, app } = this.options;
      // A WebSocket of a browser can't show a key: it reads a log session, whose address is the secret.
      const path = await api.session(app, connection.signal);
      if (this.connection === connection) await this.read(path, connection.signal);
    } catch (error) {
      if (this.connection !== connection) return;
      if (error instanceof Refusal && error.status < 500 && error.status !== 429) {
        this.options.onState({ name: 'refused', status: error.status, message: error.message });
        return;
      }
    }
    if (this.connection === connection) this.waitAndRetry();
  }

  /** Reads until the connection is lost or given up. */
  private read(path: string, signal: AbortSignal): Promise<void> {
    const values = filterValues(this.options.filters);
    values.set('format', 'json');
    values.set('tail', 'true');
    values.set('after', String(this.after));
    const url = new URL(`${path}?${values}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        // To close one that isn't open yet would be an error in the browser's console.
        if (socket.readyState !== WebSocket.CONNECTING) socket.close();
      });
      socket.addEventListener('open', () => {
        if (signal.aborted) {
          socket.close();
          return;
        }
        this.attempts = 0;
        this.options.onState({ name: 'live' });
      });
      socket.addEventListener('message', ({ data }) => {
        if (!signal.aborted) this.take(JSON.parse(data));
      });
      socket.addEventListener('close', () => resolve());
    });
  }

  private take({ position, notice, lines }: TailMessage): void {
    this.after = Math.max(this.after, Number(position));
    if (notice !== undefined) this.options.onNotice(notice);
    else if (lines.length > 0) this.options.onLines(lines.map(readLine));
  }

  private waitAndRetry(): void {
    const waitMs = Math.min(RETRY_FIRST_MS * 2 ** this.attempts, RETRY_LONGEST_MS);
    this.attempts++;
    this.options.onState({ name: 'away', retryAtMs: Date.now() + waitMs });
    this.retry = setTimeout(() => void this.open(), waitMs);
  }
}
