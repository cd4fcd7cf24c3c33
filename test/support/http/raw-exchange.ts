/** One TCP connection on which bytes are written, and everything is read that comes back. */
import { connect } from 'node:net';

/** Some peers keep a connection open on which they wait for nothing. */
const GIVE_UP_MS = 6_000;
const PIECES_MAX = 150;

/** Writes `bytes` (latin-1), and gives what came back (latin-1) until the other side closed the connection, or for so long: on a busy machine an answer takes its time. */
export function exchangeBytes(port: number, bytes: string, giveUpMs = GIVE_UP_MS): Promise<string> {
  return exchangePieces(port, [bytes], giveUpMs);
}

/** All bytes of a short text alone, of a long one some together. */
export function cutIntoPieces(bytes: string): string[] {
  const length = Math.max(1, Math.ceil(bytes.length / PIECES_MAX));
  return bytes.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? [];
}

/** As `exchangeBytes`, with the bytes in pieces that are read one by one, if nothing delays that. */
export function exchangePieces(
  port: number,
  pieces: readonly string[],
  giveUpMs = GIVE_UP_MS,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const timer = setTimeout(() => socket.destroy(), giveUpMs);
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    // A reset is an answer too.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.setNoDelay(true);
    const write = (index: number): void => {
      if (index >= pieces.length || socket.destroyed) return;
      socket.write(pieces[index], 'latin1', () => setImmediate(write, index + 1));
    };
    write(0);
  });
}
