import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { PeriodicCheck } from '../../../common/limits/deadline.ts';
import type { Sequence } from '../../store/contract.ts';
import type { PositionReport, TailSink } from '../tail-session.ts';
import { type TailEncoding, WEBSOCKET_DEFLATED_ENCODINGS, WEBSOCKET_ENCODINGS } from './encodings.ts';
import type { TailFormat } from './line-format.ts';
import { webSocketTextFrame } from './websocket-frame.ts';

/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 524_288;
/** A ping this often lets both ends detect a dead connection. A page of a browser sees none: it gets a message, too. */
const PING_MS = 20_000;
const ALIVE = webSocketTextFrame('{"lines":[]}');

/**
 * A tail over a WebSocket (RFC 6455): one message for some lines, `{"position":"42","lines":["…"]}`: texts, or objects with
 * every field. Messages without lines carry a position (at first also the newest one of the stream), and `live` when what comes from
 * here on is new. A `notice` (the store is unavailable) is stored in no stream, and comes with a line of the same text, and
 * without a position as long as that isn't known. A session
 * without `tail` ends with the close code 1000.
 *
 * Frames are written to the connection's own socket, past `ws`, which would make a header and a copy for each reader.
 */
export class WebSocketSink implements TailSink<Buffer> {
  readonly encoding: TailEncoding<Buffer>;
  private readonly connection: WebSocket;
  private readonly socket: Duplex;
  private alive = true;
  private paused = false;
  private sentPosition: Sequence = 0;
  /** Called when the socket can take more. */
  onReady: () => void = () => {};
  /** Gives the session's position, which advances over lines that don't match. */
  position: () => Sequence = () => 0;

  constructor(connection: WebSocket, socket: Duplex, format: TailFormat) {
    this.connection = connection;
    this.socket = socket;
    const deflates = connection.extensions.includes('permessage-deflate');
    this.encoding = (deflates ? WEBSOCKET_DEFLATED_ENCODINGS : WEBSOCKET_ENCODINGS)[format];
    connection.on('pong', () => {
      this.alive = true;
    });
    socket.on('drain', () => {
      if (!this.paused) return;
      this.paused = false;
      this.onReady();
    });
    const check = new PeriodicCheck(PING_MS, () => this.checkAlive());
    connection.on('close', () => check.stop());
  }

  write(frame: Buffer, last: Sequence): void {
    if (this.connection.readyState !== this.connection.OPEN) return;
    this.sentPosition = last;
    this.socket.write(frame);
  }

  reportPosition({ position, newest, live }: PositionReport): void {
    const message = { position: String(position), newest: newest?.toString(), live, lines: [] };
    this.write(webSocketTextFrame(JSON.stringify(message)), position);
  }

  notice(message: string, line: string, position: Sequence | undefined): void {
    const shown: unknown = this.encoding.format === 'text' ? line : JSON.parse(line);
    const frame = { position: position?.toString(), notice: message, lines: [shown] };
    this.write(webSocketTextFrame(JSON.stringify(frame)), position ?? this.sentPosition);
  }

  canWrite(): boolean {
    if (this.socket.writableLength > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.connection.close(1000);
  }

  private checkAlive(): void {
    if (!this.alive) {
      // A reader that didn't answer for so long is gone, or can resume at its position.
      this.connection.terminate();
      return;
    }
    this.alive = false;
    this.connection.ping();
    const position = this.position();
    if (position > this.sentPosition) this.reportPosition({ position });
    else this.write(ALIVE, this.sentPosition);
  }
}
