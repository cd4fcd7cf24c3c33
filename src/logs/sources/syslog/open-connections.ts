import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How long connections may take to end when their listener closes. */
const GRACE_MS = 3_000;
/** A peer that was told that the connection ends, and from which nothing came for this long, has nothing on its way. */
const QUIET_MS = 500;
/** How often that is looked at. */
const CHECK_MS = 50;

/**
 * The open connections of a listener. Syslog has no acknowledgments: whatever a sender has written before it knows that the connection
 * is over must be read, or is lost without a word. So a listener that closes ends its own direction, which tells the sender, and goes
 * on reading until the sender has ended the other one.
 */
export class OpenConnections {
  private readonly sockets = new Set<Socket>();
  private readonly pendingWork = new Set<Promise<void>>();
  /** Nothing is waited for any more: what isn't with the router by now never gets there. */
  isOver = false;

  /** Follows a socket until it is closed. */
  add(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
  }

  /** What was read isn't all with the router yet: that is waited for, as connections are. */
  addPending(work: Promise<void>): void {
    this.pendingWork.add(work);
    void work.finally(() => this.pendingWork.delete(work));
  }

  /** Resolves when all have ended, or were cut off since they took too long. */
  async close(): Promise<void> {
    await this.endAll();
    this.isOver = true;
  }

  private async endAll(): Promise<void> {
    const seen = new Map(
      [...this.sockets].map((socket) => [socket, { bytes: socket.bytesRead, sinceMs: 0 }]),
    );
    for (const socket of seen.keys()) socket.end();
    const startedMs = performance.now();
    for (let now = startedMs; now - startedMs < GRACE_MS; now = performance.now()) {
      for (const socket of this.sockets) {
        const last = seen.get(socket);
        // One that was accepted meanwhile; one whose bytes wait for the store.
        if (!last || last.bytes !== socket.bytesRead || socket.isPaused())
          seen.set(socket, { bytes: socket.bytesRead, sinceMs: now });
        else if (now - Math.max(last.sinceMs, startedMs) > QUIET_MS) cut(socket);
      }
      if (this.sockets.size === 0 && this.pendingWork.size === 0) return;
      await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    }
    for (const socket of this.sockets) cut(socket);
  }
}

/** With a reset where that is possible: a sender that hasn't noticed the end notices this before it writes on, not after. */
function cut(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
