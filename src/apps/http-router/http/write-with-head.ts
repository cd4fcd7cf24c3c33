import type { Socket } from 'node:net';
import { copyIfShared } from './shared-read-buffer.ts';

/** Up to here copying a body into its head's string is cheaper than a second buffer in the system call. */
const JOIN_BYTES_MAX = 16_384;

/**
 * Writes a head, and the first bytes of its body with it if there are any, in one packet if possible.
 * @returns false when the socket's buffer is full, as `Socket.write` does
 */
export function writeWithHead(socket: Socket, head: string, bytes: Buffer | undefined): boolean {
  if (bytes === undefined || bytes.length === 0) return socket.write(head, 'latin1');
  if (bytes.length <= JOIN_BYTES_MAX) return socket.write(head + bytes.toString('latin1'), 'latin1');
  socket.cork();
  socket.write(head, 'latin1');
  const writable = socket.write(copyIfShared(bytes));
  socket.uncork();
  return writable;
}

/** The part of `bytes` between two positions, without a new object when that is all of it. */
export function subarrayOrWhole(bytes: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}
