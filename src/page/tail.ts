/** Lines as they come. After a lost connection it goes on behind the last one: nothing is missed, nothing comes twice. */
import type { Filters } from './address.ts';
import { type Api, appPath, Refusal } from './api.ts';
import { EventReader } from './event-reader.ts';
import { filterValues } from './history.ts';
import { type Line, readLine } from './line.ts';

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
}

const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 10_000;
/** The server says something every 15 s; after this long it is gone. */
const SILENCE_MS = 40_000;

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
      await this.read(connection);
    } catch (error) {
      if (error instanceof Refusal && error.status < 500 && error.status !== 429) {
        if (this.connection === connection)
          this.options.onState({ name: 'refused', status: error.status, message: error.message });
        return;
      }
    }
    if (this.connection === connection) this.waitAndRetry();
  }

  private async read(connection: AbortController): Promise<void> {
    const { api, app, filters } = this.options;
    const values = filterValues(filters);
    values.set('format', 'json');
    values.set('tail', 'true');
    values.set('after', String(this.after));
    const answer = await api.send(`${appPath(app)}/logs?${values}`, {
      headers: { accept: 'text/event-stream' },
      signal: connection.signal,
    });
    if (this.connection !== connection || !answer.body) return;
    this.attempts = 0;
    this.options.onState({ name: 'live' });
    const reader = answer.body.getReader();
    const events = new EventReader();
    const decoder = new TextDecoder();
    for (;;) {
      const silence = setTimeout(() => connection.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done || this.connection !== connection) return;
      for (const { id, data } of events.read(decoder.decode(value, { stream: true }))) {
        if (data.length > 0) this.options.onLines(data.map((text) => readLine(JSON.parse(text))));
        if (id) this.after = Number(id);
      }
    }
  }

  private waitAndRetry(): void {
    const waitMs = Math.min(RETRY_FIRST_MS * 2 ** this.attempts, RETRY_LONGEST_MS);
    this.attempts++;
    this.options.onState({ name: 'away', retryAtMs: Date.now() + waitMs });
    this.retry = setTimeout(() => void this.open(), waitMs);
  }
}
