/** A client of a tail over a WebSocket, as users write it. */
import { WebSocket } from 'ws';
import type { App, Server } from '../server.ts';
import { until } from '../until.ts';

export interface TailQuery {
  readonly lines?: number;
  readonly after?: string;
  readonly tail?: boolean;
  readonly source?: string;
  readonly dyno?: string;
  readonly since?: string;
  readonly q?: string;
  readonly format?: 'text' | 'json';
}

export class TailClient {
  readonly socket: WebSocket;
  readonly lines: unknown[] = [];
  /** Position of the last line that came. */
  position: string | undefined;
  /** Close code, once it is closed. */
  closeCode: number | undefined;
  /** HTTP status, when the server rejected the upgrade. */
  rejectedStatus: number | undefined;

  /** @param where the app, or any path */
  constructor(server: Server, where: App | string, query: TailQuery = {}, key = server.key) {
    const url = new URL(
      typeof where === 'string' ? where : `/apps/${where.name}/tail`,
      server.url.replace('http', 'ws'),
    );
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    this.socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
    this.socket.on('message', (data) => {
      const { position, lines } = JSON.parse(String(data));
      this.position = position;
      this.lines.push(...lines);
    });
    this.socket.on('error', () => {});
    this.socket.on('unexpected-response', (_request, response) => {
      this.rejectedStatus = response.statusCode;
      response.resume();
    });
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  /** Resolves when the connection is open (or has been). */
  async opened(): Promise<this> {
    await until('the tail’s connection', () => this.socket.readyState !== WebSocket.CONNECTING);
    if (this.rejectedStatus) throw new Error(`the tail was refused: ${this.rejectedStatus}`);
    return this;
  }

  /** The messages that came, without time, source and dyno. */
  messages(): string[] {
    return this.lines.map((line) => String(line).slice(String(line).indexOf(']: ') + 3));
  }

  async waitForLines(count: number): Promise<string[]> {
    await until(`${count} lines at the tail`, () => this.lines.length >= count);
    return this.messages();
  }

  disconnect(): void {
    this.socket.terminate();
  }
}
