import type { WebSocket } from 'ws';
import type { Sequence } from '../store/contract.ts';
import type { FormatName } from './format.ts';
import type { TailSink } from './session.ts';

/** Bytes that may wait in a reader's socket before the session pauses. */
const BUFFERED_BYTES_MAX = 1_048_576;
/** A ping this often tells both ends that the other is still there. */
const PING_MS = 20_000;
/** Frames are written once for all readers of the same lines. */
const frames = new WeakMap<readonly string[], string>();

/**
 * A tail over a WebSocket (RFC 6455): one message for the lines of a batch,
 * `{"position":"42","lines":["…"]}`: texts, or objects with every field. A session without `tail` ends with
 * the close code 1000.
 */
export class WebSocketSink implements TailSink {
  private readonly socket: WebSocket;
  private readonly format: FormatName;
  private readonly ping: NodeJS.Timeout;
  private alive = true;
  private paused = false;
  /** Called when the socket can take more. */
  onReady: () => void = () => {};

  constructor(socket: WebSocket, format: FormatName) {
    this.socket = socket;
    this.format = format;
    socket.on('pong', () => {
      this.alive = true;
    });
    this.ping = setInterval(() => {
      if (!this.alive) return socket.terminate();
      this.alive = false;
      socket.ping();
    }, PING_MS);
    socket.on('close', () => clearInterval(this.ping));
  }

  lines(lines: readonly string[], last: Sequence): void {
    let frame = frames.get(lines);
    if (frame === undefined) {
      const list = this.format === 'json' ? `[${lines.join(',')}]` : JSON.stringify(lines);
      frame = `{"position":"${last}","lines":${list}}`;
      frames.set(lines, frame);
    }
    this.socket.send(frame, () => {
      if (!this.paused || this.socket.bufferedAmount > BUFFERED_BYTES_MAX / 2) return;
      this.paused = false;
      this.onReady();
    });
  }

  ready(): boolean {
    if (this.socket.bufferedAmount > BUFFERED_BYTES_MAX) this.paused = true;
    return !this.paused;
  }

  end(): void {
    this.socket.close(1000);
  }
}
