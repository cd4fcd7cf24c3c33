/** Responses to connections that send no HTTP, or send it too slowly: before there is a request. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RequestsBefore } from './one-at-a-time.ts';

const TLS_HANDSHAKE_RECORD = 0x16;

/** An error of Node's HTTP parser, with the bytes that it was reading. */
export interface ClientError extends Error {
  readonly code?: string;
  readonly rawPacket?: unknown;
}

const NO_PROXY =
  'This is no proxy, and makes no tunnels (CONNECT): send requests to it as to any server, and leave it out of what goes through a proxy (NO_PROXY).';

/** The status and sentence for it. */
function explainClientError({ code, rawPacket }: ClientError): [status: string, sentence: string] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return ['431 Request Header Fields Too Large', 'The header is over 16 KB: send fewer or shorter fields.'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['408 Request Timeout', 'The request took too long: send it in one go.'];
  if (rawPacket instanceof Uint8Array && rawPacket[0] === TLS_HANDSHAKE_RECORD)
    return [
      '400 Bad Request',
      'This port speaks HTTP, not HTTPS: use http://, the port for HTTPS if the server has a certificate, or a proxy that ends TLS in front of it.',
    ];
  return ['400 Bad Request', 'That was no HTTP request.'];
}

/** Connections that end: Node.js says so again whenever more comes. */
const broken = new WeakSet<Socket>();

/** Responds with the reason, behind the answers to the requests that came before, and closes the connection. */
export function answerClientError(error: ClientError, socket: Socket, before: RequestsBefore): void {
  // Reset by the peer: nothing can be sent.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  if (broken.has(socket)) return;
  broken.add(socket);
  before.afterAnswers(socket, () => respond(explainClientError(error), socket));
}

/**
 * Responds to a request for a tunnel (CONNECT), behind the answers to the requests that came before, and closes the connection: Node.js would
 * close it without an answer.
 */
export function answerConnect(socket: Duplex, before: RequestsBefore): void {
  socket.on('error', () => socket.destroy());
  before.afterAnswers(socket, () => respond(['405 Method Not Allowed', NO_PROXY], socket));
}

function respond([status, sentence]: [status: string, sentence: string], socket: Duplex): void {
  // The answer before was the connection's last one.
  if (!socket.writable) return;
  const body = JSON.stringify({ id: 'bad_request', message: sentence });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}
