import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Sequence } from '../../store/contract.ts';
import type { TailMark, TailSink } from '../session.ts';
import type { FormatName } from './format.ts';
import { textFrame } from './frame.ts';
import { WEB_SOCKET, WEB_SOCKET_DEFLATED, type Wire } from './wire.ts';

/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 524_288;
/** A ping this often tells both ends that the other is still there. */
const PING_MS = 20_000;

/**
 * A tail over a WebSocket (RFC 6455): one message for some lines, `{"position":"42","lines":["…"]}`: texts, or objects with
 * every field. Messages without lines bring a position (and, at first, the newest one there is), or say that what comes from
 * here on is `live`. What stands in no stream (the store is
 * away) is a `notice`, with a line that says the same. A session without `tail` ends with the close code 1000.
 *
 * Frames are written to the connection's own socket, past `ws`, which would make a header and a copy for each reader.
 */
export class WebSocketSink implements TailSink<Buffer> {
  readonly wire: Wire<Buffer>;
  private readonly connection: WebSocket;
  private readonly socket: Duplex;
  private readonly ping: NodeJS.Timeout;
  private alive = true;
  private paused = false;
  private toldPosition: Sequence = 0;
  /** Called when the socket can take more. */
  onReady: () => void = () => {};
  /** Asked for the session's position, which moves on over lines that don't match. */
  position: () => Sequence = () => 0;

  constructor(connection: WebSocket, socket: Duplex, format: FormatName) {
    this.connection = connection;
    this.socket = socket;
    const deflates = connection.extensions.includes('permessage-deflate');
    this.wire = (deflates ? WEB_SOCKET_DEFLATED : WEB_SOCKET)[format];
    connection.on('pong', () => {
      this.alive = true;
    });
    socket.on('drain', () => {
      if (!this.paused) return;
      this.paused = false;
      this.onReady();
    });
    this.ping = setInterval(() => this.beat(), PING_MS);
    connection.on('close', () => clearInterval(this.ping));
  }

  take(frame: Buffer, last: Sequence): void {
    if (this.connection.readyState !== this.connection.OPEN) return;
    this.toldPosition = last;
    this.socket.write(frame);
  }

  mark({ position, newest, live }: TailMark): void {
    const message = { position: String(position), newest: newest?.toString(), live, lines: [] };
    this.take(textFrame(JSON.stringify(message)), position);
  }

  notice(message: string, line: string, position: Sequence): void {
    const shown: unknown = this.wire.format === 'text' ? line : JSON.parse(line);
    const frame = { position: String(position), notice: message, lines: [shown] };
    this.take(textFrame(JSON.stringify(frame)), position);
  }

  ready(): boolean {
    if (this.socket.writableLength > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.connection.close(1000);
  }

  private beat(): void {
    if (!this.alive) {
      // A reader that took nothing for so long is gone, or can come back to where it was.
      this.connection.terminate();
      return;
    }
    this.alive = false;
    this.connection.ping();
    const position = this.position();
    if (position > this.toldPosition) this.mark({ position });
  }
}
