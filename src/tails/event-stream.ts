import type { ServerResponse } from 'node:http';
import type { Sequence } from '../store/contract.ts';
import type { TailSink } from './session.ts';

/** A comment this often keeps proxies and readers from giving the connection up. */
const HEARTBEAT_MS = 15_000;
const events = new WeakMap<readonly string[], string>();

/** What live readers over plain HTTP have in common: a response that is written to as long as it takes it. */
abstract class ResponseSink implements TailSink {
  protected readonly response: ServerResponse;
  private readonly heartbeat: NodeJS.Timeout;
  /** Called when the response can take more. */
  onReady: () => void = () => {};

  constructor(response: ServerResponse, contentType: string, heartbeat: string) {
    this.response = response;
    response.writeHead(200, {
      'Content-Type': contentType,
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    response.flushHeaders();
    response.on('drain', () => this.onReady());
    this.heartbeat = setInterval(() => {
      if (heartbeat) response.write(heartbeat);
    }, HEARTBEAT_MS);
    response.on('close', () => clearInterval(this.heartbeat));
  }

  abstract lines(lines: readonly string[], last: Sequence): void;

  ready(): boolean {
    return !this.response.writableNeedDrain;
  }

  end(): void {
    this.response.end();
  }
}

/**
 * A tail as server-sent events (HTML Living Standard, section 9.2): one event for the lines of a batch, its `id` the
 * position to resume after, one `data:` a line.
 */
export class EventStreamSink extends ResponseSink {
  constructor(response: ServerResponse) {
    super(response, 'text/event-stream; charset=utf-8', ':\n\n');
  }

  lines(lines: readonly string[], last: Sequence): void {
    let event = events.get(lines);
    if (event === undefined) {
      const data = lines.map((line) => `data: ${line.replaceAll('\n', '\ndata: ')}\n`).join('');
      event = `id: ${last}\n${data}\n`;
      events.set(lines, event);
    }
    this.response.write(event);
  }
}

/** A tail as plain text, for `curl -N`. */
export class TextStreamSink extends ResponseSink {
  constructor(response: ServerResponse) {
    super(response, 'text/plain; charset=utf-8', '');
  }

  lines(lines: readonly string[]): void {
    this.response.write(`${lines.join('\n')}\n`);
  }
}
