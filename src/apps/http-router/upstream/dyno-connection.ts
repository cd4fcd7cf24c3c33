import { connect, type Socket } from 'node:net';
import { readIntoSharedBuffer } from '../http/shared-read-buffer.ts';

/** Whoever is using a connection to a dyno at the moment. */
export type DynoConnectionHandler = {
  dynoConnected(connection: DynoConnection): void;
  /** The bytes are others when it returns: what is kept must be copied. */
  dynoData(bytes: Buffer): void;
  /** The dyno said that it sends nothing more. */
  dynoEnded(): void;
  /** The connection is gone; `code` is the system's (`ECONNREFUSED`, `ECONNRESET`…), '' if it closed orderly. */
  dynoClosed(code: string): void;
  /** The dyno takes bytes again, after a write that it had no room for. */
  dynoDrained(): void;
};

/** One TCP connection to a dyno; it serves one request after the other. */
export class DynoConnection {
  readonly socket: Socket;
  /** undefined while it waits for a request. */
  handler: DynoConnectionHandler | undefined;
  /** True from its second request on: the dyno may have closed it while our request was on its way. */
  reused = false;
  /** Since when it waits, and for how long it may, in ms. */
  idleSinceMs = 0;
  idleMaxMs = 0;
  #errorCode = '';

  /** Starts to connect to 127.0.0.1; the user hears of the result. */
  constructor(port: number, handler: DynoConnectionHandler) {
    this.handler = handler;
    this.socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: readIntoSharedBuffer((bytes) => this.#onBytes(bytes)),
    });
    this.socket.on('connect', () => this.handler?.dynoConnected(this));
    this.socket.on('drain', () => this.handler?.dynoDrained());
    this.socket.on('end', () => this.handler?.dynoEnded());
    this.socket.on('error', (error) => {
      this.#errorCode = 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
    });
    this.socket.on('close', () => this.handler?.dynoClosed(this.#errorCode));
  }

  #onBytes(bytes: Buffer): void {
    // Nobody asked for these: whatever they answer, it isn't the next request.
    if (this.handler === undefined) this.socket.destroy();
    else this.handler.dynoData(bytes);
  }

  /** Can another request be sent? */
  isUsable(): boolean {
    return this.socket.writable && this.socket.readable;
  }

  /** Gives it up; its user hears nothing more. */
  destroy(): void {
    this.handler = undefined;
    this.socket.destroy();
  }
}
