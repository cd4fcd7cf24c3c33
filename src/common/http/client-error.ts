/** Responses to connections that send no HTTP, or send it too slowly: before there is a request. */
import type { Socket } from 'node:net';

const TLS_HANDSHAKE_RECORD = 0x16;

/** An error of Node's HTTP parser, with the bytes that it was reading. */
export interface ClientError extends Error {
  readonly code?: string;
  readonly rawPacket?: unknown;
}

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

/** Responds with the reason, and closes the connection. */
export function sendClientErrorResponse(error: ClientError, socket: Socket): void {
  // Reset by the peer, or in the middle of a response: nothing can be sent.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy(error);
    return;
  }
  const [status, sentence] = explainClientError(error);
  const body = JSON.stringify({ id: 'bad_request', message: sentence });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}
