/**
 * A request has to be there in full after a while, or its connection is cut off: nobody shall hold one for ever. Uploads
 * of sources may take as long as they like, while something comes.
 */
import { STATUS_CODES } from 'node:http';
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

/** Answers what is no request, or isn't there in time: Node.js says so once for each. */
export function refuseClient(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && uploads.has(socket)) return;
  const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
  const id = status === 408 ? 'request_timeout' : 'bad_request';
  const body = JSON.stringify({ id, message: `${STATUS_CODES[status]}.` });
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Length: ${body.length}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${body}`,
    );
  socket.destroy(error);
}
