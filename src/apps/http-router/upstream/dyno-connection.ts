import { connect, type Socket } from 'node:net';
import { readIntoSharedBuffer } from '../http/shared-read-buffer.ts';

/** What uses a connection to a dyno at the moment: an exchange. */
export type DynoConnectionHandler = {
  dynoConnected(connection: DynoConnection): void;
  /** The bytes are overwritten after it returns: what is kept must be copied. */
  dynoData(bytes: Buffer): void;
  /** The dyno half-closed the connection. */
  dynoEnded(): void;
  /** The connection is closed; `code` is the system's error (`ECONNREFUSED`, `ECONNRESET`…), '' if there was none. */
  dynoClosed(code: string): void;
  /** The socket is writable again, after a write that filled its buffer. */
  dynoDrained(): void;
};

/** One TCP connection to a dyno; it serves one request after the other. */
export class DynoConnection {
  readonly socket: Socket;
  /** undefined while it is idle. */
  handler: DynoConnectionHandler | undefined;
  /** True from its second request on: the dyno may have closed it while our request was in flight. */
  reused = false;
  /** Since when it is idle, and for how long it may be, in ms. */
  idleSinceMs = 0;
  idleMaxMs = 0;
  private errorCode = '';

  /** Starts to connect to 127.0.0.1; the handler is notified of the result. */
  constructor(port: number, handler: DynoConnectionHandler) {
    this.handler = handler;
    this.socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: readIntoSharedBuffer((bytes) => this.onBytes(bytes)),
    });
    this.socket.on('connect', () => this.handler?.dynoConnected(this));
    this.socket.on('drain', () => this.handler?.dynoDrained());
    this.socket.on('end', () => this.handler?.dynoEnded());
    this.socket.on('error', (error) => {
      this.errorCode = 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
    });
    this.socket.on('close', () => this.handler?.dynoClosed(this.errorCode));
  }

  private onBytes(bytes: Buffer): void {
    // Unsolicited: they can't be the response to the next request.
    if (this.handler === undefined) this.socket.destroy();
    else this.handler.dynoData(bytes);
  }

  /** Can another request be sent? */
  isUsable(): boolean {
    return this.socket.writable && this.socket.readable;
  }

  /** Closes it; its handler isn't called any more. */
  destroy(): void {
    this.handler = undefined;
    this.socket.destroy();
  }
}
