/**
 * TLS handshakes share the turns of the event loop: each takes a signature, up to a millisecond and more, and those of all connections that had sent
 * their first bytes were one turn.
 */
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { Deadline } from '../limits/deadline.ts';
import { eventLoopBudget } from '../limits/turns.ts';

/** The first bytes of a connection have to be there after this time, and the handshake so long after them, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Gives a connection to a server for its handshake, once its first bytes are there and it is its turn.
 * @param isHandshake says whether they begin one; otherwise it has answered, and the connection is its own
 */
export function beginHandshake(
  socket: Socket,
  secure: Server,
  isHandshake: (first: Buffer) => boolean = () => true,
): void {
  const abandon = (): void => void socket.destroy();
  const deadline = new Deadline(HANDSHAKE_TIMEOUT_MS, abandon);
  socket.on('error', abandon);
  socket.once('close', () => deadline.clear());
  socket.once('data', (first: Buffer) => {
    deadline.clear();
    socket.pause();
    if (!isHandshake(first)) return;
    socket.unshift(first);
    eventLoopBudget.run(() => {
      socket.off('error', abandon);
      if (!socket.destroyed) secure.emit('connection', socket);
    });
  });
  socket.resume();
}
