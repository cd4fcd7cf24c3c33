import type { ServerResponse } from 'node:http';
import { onResponseClosed } from '../../../common/http/response-closed.ts';
import type { Sequence } from '../../store/contract.ts';
import type { PositionReport, TailSink } from '../tail-session.ts';
import { PLAIN_TEXT_ENCODINGS, SSE_ENCODINGS, type TailEncoding } from './encodings.ts';
import type { TailFormat } from './line-format.ts';

/** A heartbeat this often keeps proxies and readers from closing the connection. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_COMMENT = Buffer.from(':\n\n');
/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 524_288;

/** What sinks over plain HTTP have in common: a response that is written to as long as it isn't full. */
abstract class ResponseSink implements TailSink<Buffer> {
  readonly encoding: TailEncoding<Buffer>;
  protected readonly response: ServerResponse;
  private readonly heartbeatTimer: NodeJS.Timeout;
  private paused = false;
  /** Called when the response can take more. */
  onReady: () => void = () => {};
  /** Gives the session's position, which advances over lines that don't match. */
  position: () => Sequence = () => 0;

  constructor(response: ServerResponse, contentType: string, encoding: TailEncoding<Buffer>) {
    this.response = response;
    this.encoding = encoding;
    response.writeHead(200, {
      'Content-Type': contentType,
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    response.flushHeaders();
    // Plain text has no heartbeat: TCP keep-alive finds out whether the reader is still there.
    response.socket?.setKeepAlive(true, HEARTBEAT_MS);
    response.on('drain', () => {
      if (!this.paused) return;
      this.paused = false;
      this.onReady();
    });
    this.heartbeatTimer = setInterval(() => this.sendHeartbeat(), HEARTBEAT_MS);
    onResponseClosed(response, () => clearInterval(this.heartbeatTimer));
  }

  write(lines: Buffer, _last: Sequence): void {
    const { response } = this;
    // The response may be ended elsewhere, while lines are being sent.
    if (response.writableEnded) return;
    // At once: Node.js would keep the parts of a chunk together until the end of this piece of work, where nobody sees how long that takes.
    const { socket } = response;
    socket?.cork();
    response.write(lines);
    socket?.uncork();
  }

  canWrite(): boolean {
    if (this.response.writableLength > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.response.end();
  }

  protected sendHeartbeat(): void {}
}

/**
 * A tail as server-sent events (HTML Living Standard, section 9.2): one event for some lines, its `id` the position to
 * resume after, one `data:` a line. An id without data advances the reader's position and is no event.
 */
export class EventStreamSink extends ResponseSink {
  private sentPosition: Sequence = 0;

  constructor(response: ServerResponse, format: TailFormat) {
    super(response, 'text/event-stream; charset=utf-8', SSE_ENCODINGS[format]);
  }

  override write(event: Buffer, last: Sequence): void {
    this.sentPosition = last;
    super.write(event, last);
  }

  /** What comes after a comment `live` is new. */
  reportPosition({ position, live }: PositionReport): void {
    this.write(Buffer.from(`${live ? ': live\n' : ''}id: ${position}\n\n`), position);
  }

  protected override sendHeartbeat(): void {
    const position = this.position();
    if (position > this.sentPosition) this.reportPosition({ position });
    else this.write(HEARTBEAT_COMMENT, this.sentPosition);
  }
}

/** A tail as plain text, for `curl -N`; with the format `json`, one object a line (NDJSON). */
export class TextStreamSink extends ResponseSink {
  constructor(response: ServerResponse, format: TailFormat) {
    const type = format === 'json' ? 'application/x-ndjson' : 'text/plain';
    super(response, `${type}; charset=utf-8`, PLAIN_TEXT_ENCODINGS[format]);
  }
}
