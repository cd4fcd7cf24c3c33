import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Sequence } from '../store/contract.ts';
import type { FormatName } from './format.ts';
import { textFrame } from './frame.ts';
import type { TailMark, TailSink } from './session.ts';

/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 524_288;
/** A ping this often tells both ends that the other is still there. */
const PING_MS = 20_000;

/** Frames of the same lines, written once for all readers: as they are, and compressed. */
interface Frames {
  plain?: Buffer;
  deflated?: Buffer;
}
const frames = new WeakMap<readonly string[], Frames>();

/**
 * A tail over a WebSocket (RFC 6455): one message for some lines, `{"position":"42","lines":["…"]}`: texts, or objects with
 * every field. Messages without lines bring a position (and, at first, the newest one there is), or say that what comes from
 * here on is `live`. A session without `tail` ends with the close code 1000.
 *
 * Frames are written to the connection's own socket, past `ws`, which would make a header and a copy for each reader.
 */
export class WebSocketSink implements TailSink {
  private readonly connection: WebSocket;
  private readonly socket: Duplex;
  private readonly format: FormatName;
  private readonly deflates: boolean;
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
    this.format = format;
    this.deflates = connection.extensions.includes('permessage-deflate');
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

  lines(lines: readonly string[], last: Sequence): void {
    let made = frames.get(lines);
    if (!made) {
      made = {};
      frames.set(lines, made);
    }
    const which = this.deflates ? 'deflated' : 'plain';
    made[which] ??= this.frame(last, lines);
    this.write(made[which], last);
  }

  mark({ position, newest, live }: TailMark): void {
    const message = { position: String(position), newest: newest?.toString(), live, lines: [] };
    this.write(textFrame(JSON.stringify(message), this.deflates), position);
  }

  ready(): boolean {
    if (this.socket.writableLength > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.connection.close(1000);
  }

  private frame(last: Sequence, lines: readonly string[]): Buffer {
    const list = this.format === 'json' ? `[${lines.join(',')}]` : JSON.stringify(lines);
    return textFrame(`{"position":"${last}","lines":${list}}`, this.deflates);
  }

  private write(frame: Buffer, position: Sequence): void {
    if (this.connection.readyState !== this.connection.OPEN) return;
    this.toldPosition = position;
    this.socket.write(frame);
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
