import { Socket } from 'node:net';

/**
 * Every connection reads into this: what was read is passed on, or copied, before anybody reads again. A buffer for each
 * read, and the stream that it would go through, cost a tenth of the processor time of a small request.
 */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** Takes what was read; the bytes become others when it returns, so what is kept must be copied. */
type OnBytes = (bytes: Buffer) => void;

/** What `connect` and `Socket` of node:net are to do with what they read, instead of a stream's `data` events. */
export function readIntoSharedBuffer(onBytes: OnBytes): { buffer: Buffer; callback(count: number): boolean } {
  return {
    buffer: SHARED_BUFFER,
    callback: (count) => {
      onBytes(SHARED_BUFFER.subarray(0, count));
      return true;
    },
  };
}

/** The same bytes, in memory that stays as it is. */
export function copyIfShared(bytes: Buffer): Buffer {
  return bytes.buffer === SHARED_BUFFER.buffer ? Buffer.from(bytes) : bytes;
}

/**
 * The socket of a connection that a server with `pauseOnConnect` has accepted, read in this way. Servers have no option
 * for it, so the connection is moved to a new socket, made as the server itself makes them. Should a version
 * of Node.js not allow that, the accepted socket serves as well, at a higher price.
 */
export function adoptSocket(accepted: Socket, onBytes: OnBytes): Socket {
  const handle: unknown = '_handle' in accepted ? accepted._handle : undefined;
  const options = { handle, onread: readIntoSharedBuffer(onBytes), readable: true, writable: true };
  const socket = handle ? new Socket(options) : accepted;
  if (!('_handle' in accepted && '_handle' in socket) || socket === accepted || socket._handle !== handle) {
    accepted.on('data', onBytes);
    return accepted;
  }
  accepted._handle = null;
  // The server counts its connections by those that it made.
  socket.on('close', () => accepted.destroy());
  return socket;
}
