import type { ServerResponse } from 'node:http';
import type { Sequence } from '../../store/contract.ts';
import type { TailMark, TailSink } from '../session.ts';
import type { FormatName } from './format.ts';
import { EVENTS, PLAIN, type Wire } from './wire.ts';

/** A sign of life this often keeps proxies and readers from giving the connection up. */
const HEARTBEAT_MS = 15_000;
const COMMENT = Buffer.from(':\n\n');
/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 524_288;

/** What live readers over plain HTTP have in common: a response that is written to as long as it takes it. */
abstract class ResponseSink implements TailSink<Buffer> {
  readonly wire: Wire<Buffer>;
  protected readonly response: ServerResponse;
  private readonly heartbeat: NodeJS.Timeout;
  private paused = false;
  /** Called when the response can take more. */
  onReady: () => void = () => {};
  /** Asked for the session's position, which moves on over lines that don't match. */
  position: () => Sequence = () => 0;

  constructor(response: ServerResponse, contentType: string, wire: Wire<Buffer>) {
    this.response = response;
    this.wire = wire;
    response.writeHead(200, {
      'Content-Type': contentType,
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    response.flushHeaders();
    // Plain text has no room for signs of life: the system looks whether the reader is still there.
    response.socket?.setKeepAlive(true, HEARTBEAT_MS);
    response.on('drain', () => {
      if (!this.paused) return;
      this.paused = false;
      this.onReady();
    });
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS);
    response.on('close', () => clearInterval(this.heartbeat));
  }

  take(lines: Buffer, _last: Sequence): void {
    // Its end may be decided elsewhere, in the middle of what was being sent.
    if (!this.response.writableEnded) this.response.write(lines);
  }

  ready(): boolean {
    if (this.response.writableLength > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.response.end();
  }

  protected beat(): void {}
}

/**
 * A tail as server-sent events (HTML Living Standard, section 9.2): one event for some lines, its `id` the position to
 * resume after, one `data:` a line. An id without data moves the reader's position on and is no event for them.
 */
export class EventStreamSink extends ResponseSink {
  private toldPosition: Sequence = 0;

  constructor(response: ServerResponse, format: FormatName) {
    super(response, 'text/event-stream; charset=utf-8', EVENTS[format]);
  }

  override take(event: Buffer, last: Sequence): void {
    this.toldPosition = last;
    super.take(event, last);
  }

  mark({ position }: TailMark): void {
    this.take(Buffer.from(`id: ${position}\n\n`), position);
  }

  protected override beat(): void {
    const position = this.position();
    if (position > this.toldPosition) this.mark({ position });
    else this.take(COMMENT, this.toldPosition);
  }
}

/** A tail as plain text, for `curl -N`; with the format `json`, one object a line (NDJSON). */
export class TextStreamSink extends ResponseSink {
  constructor(response: ServerResponse, format: FormatName) {
    const type = format === 'json' ? 'application/x-ndjson' : 'text/plain';
    super(response, `${type}; charset=utf-8`, PLAIN[format]);
  }
}
