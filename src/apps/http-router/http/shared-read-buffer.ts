import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Every connection reads into this: what was read is relayed, or copied, before the next read. A buffer for each read, and
 * the stream that it would go through, take a good part of the processor time of a small request.
 */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** Takes what was read; the bytes are overwritten after it returns, so what is kept must be copied. */
type OnBytes = (bytes: Buffer) => void;

/** The `onread` option of `connect` and `Socket` of node:net, which replaces a stream's `data` events. */
export function readIntoSharedBuffer(onBytes: OnBytes): { buffer: Buffer; callback(count: number): boolean } {
  return {
    buffer: SHARED_BUFFER,
    callback: (count) => {
      onBytes(SHARED_BUFFER.subarray(0, count));
      return true;
    },
  };
}

/** The same bytes, in memory that isn't overwritten. */
export function copyIfShared(bytes: Buffer): Buffer {
  return bytes.buffer === SHARED_BUFFER.buffer ? Buffer.from(bytes) : bytes;
}

/**
 * The socket of a connection that a server with `pauseOnConnect` has accepted, read in this way. Servers have no option
 * for it, so the connection is moved to a new socket, made as the server itself makes them. Should a version
 * of Node.js not allow that, the accepted socket is used, which is slower.
 */
export function adoptSocket(accepted: Socket, onBytes: OnBytes): Socket {
  // Decrypted bytes come in buffers of their own.
  if (accepted instanceof TLSSocket) {
    accepted.on('data', onBytes);
    return accepted;
  }
  const handle: unknown = '_handle' in accepted ? accepted._handle : undefined;
  const options = { handle, onread: readIntoSharedBuffer(onBytes), readable: true, writable: true };
  const socket = handle ? new Socket(options) : accepted;
  if (!('_handle' in accepted && '_handle' in socket) || socket === accepted || socket._handle !== handle) {
    accepted.on('data', onBytes);
    return accepted;
  }
  accepted._handle = null;
  // The server waits for the sockets that it made itself when it closes.
  socket.on('close', () => accepted.destroy());
  return socket;
}
