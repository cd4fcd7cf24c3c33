/**
 * A request that isn't complete after a timeout is cut off, so that slow clients can't hold connections. Uploads of sources are exempt
 * while data arrives.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { unlessSomethingCame } from '../limits/deadline.ts';

/** An upload without data for so long is cut off. */
const IDLE_TIMEOUT_MS = 60_000;

const slowUploads = new WeakSet<Duplex>();

/** Exempts a request from the timeout. */
export function allowSlowUpload({ raw }: FastifyRequest): void {
  const { socket } = raw;
  slowUploads.add(socket);
  const onIdle = (): void => unlessSomethingCame(socket, () => socket.destroy());
  socket.setTimeout(IDLE_TIMEOUT_MS, onIdle);
  raw.once('close', () => restoreTimeout(socket, onIdle));
  raw.once('end', () => restoreTimeout(socket, onIdle));
}

function restoreTimeout(socket: Socket, onIdle: () => void): void {
  slowUploads.delete(socket);
  socket.off('timeout', onIdle);
  socket.setTimeout(0);
}

/** Node.js reports a late request once: is it an exempt upload? */
export function isSlowUpload(error: { readonly code?: string }, socket: Duplex): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && slowUploads.has(socket);
}
