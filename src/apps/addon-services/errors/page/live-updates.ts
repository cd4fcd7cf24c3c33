/** Tells browsers which groups have changed, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import type { FastifyReply } from 'fastify';
import { TailraceError } from '../../../../common/errors.ts';

/** Changes within this time are told together. */
const GATHER_MS = 300;
/** What is between here and the browser ends a connection on which nothing comes. */
const KEEP_ALIVE_MS = 15_000;
const CONNECTIONS_MAX = 100;
/** With more of them the browser asks for all it shows anyway. */
const IDS_MAX = 200;

export class LiveUpdates {
  private readonly connections = new Set<NodeJS.WritableStream>();
  private changed = new Set<string>();
  private gathering: NodeJS.Timeout | undefined;
  private readonly keepAlive = setInterval(() => this.send(':\n\n'), KEEP_ALIVE_MS).unref();

  /** The answer stays open. @throws TailraceError when there are too many */
  connect(reply: FastifyReply): void {
    if (this.connections.size >= CONNECTIONS_MAX)
      throw new TailraceError('unavailable', 'Too many pages are open: close some, and load this one again.');
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
    reply.raw.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    reply.raw.write(': connected\n\n');
    this.connections.add(reply.raw);
    reply.raw.on('close', () => this.connections.delete(reply.raw));
    reply.raw.on('error', () => this.connections.delete(reply.raw));
  }

  tell(group: string): void {
    if (this.connections.size === 0) return;
    this.changed.add(group);
    this.gathering ??= setTimeout(() => {
      const groups = [...this.changed].slice(0, IDS_MAX);
      this.gathering = undefined;
      this.changed = new Set();
      this.send(`event: change\ndata: ${JSON.stringify({ groups })}\n\n`);
    }, GATHER_MS);
  }

  close(): void {
    clearInterval(this.keepAlive);
    clearTimeout(this.gathering);
    for (const connection of this.connections) connection.end();
  }

  private send(text: string): void {
    for (const connection of this.connections) connection.write(text);
  }
}
