/** One TCP connection on which bytes are written, and everything is read that comes back. */
import { connect } from 'node:net';

/** Some peers keep a connection open on which they wait for nothing. */
const GIVE_UP_MS = 6_000;

/** Writes `bytes` (latin-1), and gives what came back (latin-1) until the other side closed the connection, or for 6 s. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const timer = setTimeout(() => socket.destroy(), GIVE_UP_MS);
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    // A reset is an answer too.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.write(bytes, 'latin1');
  });
}
