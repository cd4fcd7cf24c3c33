/** The two ways in which a tail is read: server-sent events (HTML Living Standard, section 9.2) and WebSocket (RFC 6455). */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { TailConnection } from './merged-tail.ts';

/** Bytes that may wait in a reader's socket before the tail pauses. */
const BUFFERED_BYTES_MAX = 524_288;

/** One event a message, whose `id` is the position to go on from. */
export class EventStreamConnection implements TailConnection {
  private readonly response: ServerResponse;
  private isPaused = false;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.response = response;
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      // nginx, say, would keep them until it has a buffer full.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
  }

  send(message: string, after: string): void {
    if (!this.response.writableEnded) this.response.write(`id: ${after}\ndata: ${message}\n\n`);
  }

  canWrite(): boolean {
    if (this.response.writableLength > BUFFERED_BYTES_MAX) this.isPaused = true;
    return !this.isPaused;
  }

  onReady(listener: () => void): void {
    this.response.on('drain', () => {
      if (!this.isPaused) return;
      this.isPaused = false;
      listener();
    });
  }

  /** A sign of life, with the position when that has moved on: an id without data is no event. */
  keepAlive(after: string | undefined): void {
    if (!this.response.writableEnded) this.response.write(after === undefined ? ':\n\n' : `id: ${after}\n\n`);
  }

  end(): void {
    this.response.end();
  }
}

/** A tail over WebSocket: each message is a JSON text frame. It is paused while the socket's buffer is full, and cut when a ping isn't answered. */
export class WebSocketConnection implements TailConnection {
  private readonly socket: WebSocket;
  private readonly stream: Duplex;
  private isPaused = false;
  private isAlive = true;

  constructor(socket: WebSocket, stream: Duplex) {
    this.socket = socket;
    this.stream = stream;
    socket.on('pong', () => {
      this.isAlive = true;
    });
  }

  send(message: string): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.send(message);
  }

  canWrite(): boolean {
    if (this.stream.writableLength > BUFFERED_BYTES_MAX) this.isPaused = true;
    return !this.isPaused;
  }

  onReady(listener: () => void): void {
    this.stream.on('drain', () => {
      if (!this.isPaused) return;
      this.isPaused = false;
      listener();
    });
  }

  /** A reader that didn't answer since the last time is gone, or can go on at its position. */
  keepAlive(after: string | undefined): void {
    if (!this.isAlive) {
      this.socket.terminate();
      return;
    }
    this.isAlive = false;
    this.socket.ping();
    // A page of a browser sees no pings.
    this.send(after === undefined ? '{"lines":[]}' : `{"after":"${after}","lines":[]}`);
  }

  end(): void {
    this.socket.close(1000);
  }
}
