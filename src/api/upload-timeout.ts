/**
 * A request has to be there in full after a while, or its connection is cut off: nobody shall hold one for ever. Uploads
 * of sources may take as long as they like, while something comes.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** An upload from which nothing comes for so long is cut off. */
const IDLE_TIMEOUT_MS = 60_000;

const slowUploads = new WeakSet<Duplex>();

/** Lets this request take its time. */
export function allowSlowUpload({ raw }: FastifyRequest): void {
  const { socket } = raw;
  slowUploads.add(socket);
  const onIdle = (): void => void socket.destroy();
  socket.setTimeout(IDLE_TIMEOUT_MS, onIdle);
  raw.once('close', () => restoreTimeout(socket, onIdle));
  raw.once('end', () => restoreTimeout(socket, onIdle));
}

function restoreTimeout(socket: Socket, onIdle: () => void): void {
  slowUploads.delete(socket);
  socket.off('timeout', onIdle);
  socket.setTimeout(0);
}

/** Node.js says once that a request isn't there in time: of an upload it may be. */
export function isSlowUpload(error: { readonly code?: string }, socket: Duplex): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && slowUploads.has(socket);
}
