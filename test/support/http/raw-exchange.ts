/** One TCP connection on which bytes are written, and everything is read that comes back. */
import { connect } from 'node:net';

/** What nobody answers or closes ends with an error. */
const GIVE_UP_MS = 20_000;

/** Writes `bytes` (latin-1), and gives what came back (latin-1) until the other side closed the connection. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`port ${port} keeps the connection open: ${JSON.stringify(bytes.slice(0, 300))}`));
    }, GIVE_UP_MS);
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
