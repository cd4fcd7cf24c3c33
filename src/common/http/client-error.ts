/** Responses to connections that send no HTTP, or send it too slowly: before there is a request. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RequestsBefore } from './request-pipelining.ts';

const TLS_HANDSHAKE_RECORD = 0x16;

/** An error of Node's HTTP parser, with the bytes that it was reading. */
export interface ClientError extends Error {
  readonly code?: string;
  /** In words. */
  readonly reason?: unknown;
  readonly rawPacket?: unknown;
}

/** Codes of errors in what is HTTP otherwise: `reason` says what. Of others not even the first line is. */
const IN_HTTP =
  /^HPE_(INVALID_(CONTENT_LENGTH|TRANSFER_ENCODING|CHUNK_SIZE|HEADER_TOKEN|VERSION|URL|CONSTANT)|UNEXPECTED_CONTENT_LENGTH|UNEXPECTED_SPACE|CR_EXPECTED|LF_EXPECTED|STRICT)$/;

const NO_PROXY =
  'This is no proxy, and makes no tunnels (CONNECT): send requests to it as to any server, and leave it out of what goes through a proxy (NO_PROXY).';

/** The status and sentence for it. */
function explainClientError({ code, reason, rawPacket }: ClientError): [status: string, sentence: string] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return ['431 Request Header Fields Too Large', 'The header is over 16 KB: send fewer or shorter fields.'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['408 Request Timeout', 'The request took too long: send it in one go.'];
  if (rawPacket instanceof Uint8Array && rawPacket[0] === TLS_HANDSHAKE_RECORD)
    return [
      '400 Bad Request',
      'This port speaks HTTP, not HTTPS: use http://, the port for HTTPS if the server has a certificate, or a proxy that ends TLS in front of it.',
    ];
  if (code === 'HPE_INVALID_EOF_STATE')
    return ['400 Bad Request', 'The request ended before all of it was there: nothing of it was taken.'];
  if (code === 'HPE_PAUSED_H2_UPGRADE')
    return ['400 Bad Request', "That was HTTP/2, which isn't spoken here: use HTTP/1.1."];
  if (code !== undefined && IN_HTTP.test(code) && typeof reason === 'string')
    return ['400 Bad Request', `The request can't be read: ${reason}.`];
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
  // A connection that was opened ahead, as browsers do: whoever sends a request on it now would take a 408 for its answer.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) {
    socket.destroy();
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

/** Responds to a request that expects something else than `100-continue`: Node.js would do so without a sentence. */
export function answerExpectation(request: IncomingMessage, response: ServerResponse): void {
  const message = `Expect: ${request.headers.expect} can't be met: only 100-continue can.`;
  response.writeHead(417, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ id: 'bad_request', message }));
}

function respond([status, sentence]: [status: string, sentence: string], socket: Duplex): void {
  // The answer before was the connection's last one.
  if (!socket.writable) return;
  const body = JSON.stringify({ id: 'bad_request', message: sentence });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}
