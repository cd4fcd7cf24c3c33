/**
 * A request has to be there in full after a while, or its connection is cut off: nobody shall hold one for ever. Uploads
 * of sources may take as long as they like, while something comes.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** An upload from which nothing comes for so long is cut off. */
const SILENCE_MS = 60_000;

const uploads = new WeakSet<Duplex>();

/** Lets this request take its time. */
export function mayBeSlow({ raw }: FastifyRequest): void {
  const { socket } = raw;
  uploads.add(socket);
  const silent = (): void => void socket.destroy();
  socket.setTimeout(SILENCE_MS, silent);
  raw.once('close', () => forget(socket, silent));
  raw.once('end', () => forget(socket, silent));
}

function forget(socket: Socket, silent: () => void): void {
  uploads.delete(socket);
  socket.off('timeout', silent);
  socket.setTimeout(0);
}

/** Node.js says once that a request isn't there in time: of an upload it may be. */
export function isSlowUpload(error: { readonly code?: string }, socket: Duplex): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && uploads.has(socket);
}
