/** Reading streams as clients do: WebSockets, server-sent events, plain text. */
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { App, Server } from '../server.ts';
import { until } from '../until.ts';

interface TailMessage {
  readonly position: string;
  readonly newest?: string;
  readonly live?: boolean;
  readonly notice?: string;
  readonly lines: readonly (string | Record<string, unknown>)[];
}

export interface OpenOptions {
  readonly headers?: Record<string, string>;
  readonly deflate?: boolean;
}

/** A tail over a WebSocket, and all it has received. */
export class WebSocketTail {
  readonly socket: WebSocket;
  readonly messages: TailMessage[] = [];
  closeCode: number | undefined;

  constructor(url: string, { headers = {}, deflate = false }: OpenOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: deflate });
    this.socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
    this.socket.on('error', () => {});
  }

  get lines(): TailMessage['lines'] {
    return this.messages.flatMap(({ lines }) => lines);
  }

  /** The messages of the lines, in either format. */
  get messageTexts(): string[] {
    return this.lines.map((line) =>
      typeof line === 'string' ? line.slice(line.indexOf(']: ') + 3) : String(line.message),
    );
  }

  get position(): string {
    return this.messages.at(-1)?.position ?? '';
  }

  untilLive(): Promise<boolean> {
    return until('the end of the history', () => this.messages.some(({ live }) => live));
  }

  untilClosed(): Promise<number> {
    return until('the end of the tail', () => this.closeCode);
  }
}

/** `GET /apps/:app/tail?query` for one test. */
export function openWebSocketTail(
  server: Server,
  app: App,
  query = '',
  options: OpenOptions = {},
): WebSocketTail {
  const headers = { authorization: `Bearer ${server.key}`, ...options.headers };
  const tail = new WebSocketTail(`${server.url}/apps/${app.name}/tail?${query}`, { ...options, headers });
  onTestFinished(() => tail.socket.terminate());
  return tail;
}

/** The status and the body with which an upgrade to a WebSocket is rejected. */
export async function rejectedUpgrade(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  socket.terminate();
  return { status: response.statusCode, body };
}

/** Server-sent events, as an `EventSource` takes them (HTML Living Standard, section 9.2.6). */
export class EventStreamTail {
  lastEventId = '';
  readonly events: string[] = [];
  status = 0;
  hasEnded = false;
  private readonly aborter = new AbortController();
  private partialLine = '';
  private data: string[] = [];

  async open(url: string, headers: Record<string, string> = {}): Promise<this> {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: this.aborter.signal,
    });
    this.status = response.status;
    void this.read(response).catch(() => {
      this.hasEnded = true;
    });
    return this;
  }

  close(): void {
    this.aborter.abort();
  }

  get lines(): string[] {
    return this.events.flatMap((event) => event.split('\n'));
  }

  private async read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      this.partialLine += decoder.decode(chunk, { stream: true });
      const lines = this.partialLine.split('\n');
      this.partialLine = lines.pop() ?? '';
      for (const line of lines) this.take(line);
    }
    this.hasEnded = true;
  }

  private take(line: string): void {
    if (line === '') {
      if (this.data.length > 0) this.events.push(this.data.join('\n'));
      this.data = [];
    } else if (line.startsWith('id: ')) this.lastEventId = line.slice(4);
    else if (line.startsWith('data: ')) this.data.push(line.slice(6));
  }
}
