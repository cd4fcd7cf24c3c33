/**
 * The baseline of many tails: reads bytes from a TCP connection and sends every chunk to every WebSocket client with `ws`, as one
 * text message. It parses nothing and stores nothing. While a client is too far behind, it reads no more.
 */
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { WebSocketServer } from 'ws';

const BUFFERED_BYTES_MAX = 524_288;

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const source = createTcpServer((connection) => {
  connection.on('error', () => connection.destroy());
  connection.on('data', (chunk: Buffer) => {
    let full = false;
    const sent = (): void => {
      if (!connection.isPaused() || behind()) return;
      connection.resume();
    };
    for (const client of sockets.clients) {
      client.send(chunk, { binary: false }, sent);
      if (client.bufferedAmount > BUFFERED_BYTES_MAX) full = true;
    }
    if (full) connection.pause();
  });
});

function behind(): boolean {
  for (const client of sockets.clients) if (client.bufferedAmount > BUFFERED_BYTES_MAX / 2) return true;
  return false;
}

http.listen(0, '127.0.0.1', () => {
  source.listen(0, '127.0.0.1', () => {
    const { port: httpPort } = http.address() as AddressInfo;
    const { port: tcpPort } = source.address() as AddressInfo;
    process.send?.({ httpPort, tcpPort });
  });
});
process.on('disconnect', () => process.exit());
