/** Server-sent events to all open pages of a service (WHATWG HTML, section 9.2). */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { onResponseClosed } from '../../../common/http/response-closed.ts';

const PING_INTERVAL_MS = 20_000;
const CLIENTS_MAX = 200;
/** One that reads slower than this is cut off: its page reads everything again. */
const BUFFERED_BYTES_MAX = 1_000_000;

export class EventStream<Event> {
  private readonly clients = new Set<ServerResponse>();
  private readonly timer = setInterval(() => this.write(':\n\n'), PING_INTERVAL_MS);

  /** Answers a request with events until it is closed. @throws TailraceError `unavailable` when too many listen */
  open(_request: FastifyRequest, reply: FastifyReply): void {
    if (this.clients.size >= CLIENTS_MAX)
      throw new TailraceError('unavailable', 'Too many pages of this add-on are open: close some.');
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'Content-Type': 'text/event-stream; charset=utf-8',
      // nginx, say, would keep them until it has a buffer full.
      'X-Accel-Buffering': 'no',
    });
    raw.on('error', () => undefined);
    this.clients.add(raw);
    onResponseClosed(raw, () => this.clients.delete(raw));
    raw.write(':\n\n');
  }

  /** Sends an event to all pages that listen, as JSON (HTML Living Standard, section 9.2). */
  send(event: Event): void {
    this.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  close(): void {
    clearInterval(this.timer);
    for (const client of this.clients) client.destroy();
  }

  private write(text: string): void {
    for (const client of this.clients) {
      if (client.writableLength > BUFFERED_BYTES_MAX) client.destroy();
      else client.write(text);
    }
  }
}
