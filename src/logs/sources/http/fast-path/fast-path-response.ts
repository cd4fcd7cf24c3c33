/** Responses to senders of lines, as written to a connection (RFC 9112): plain text, as Logplex's are. */
import { STATUS_CODES } from 'node:http';
import { TailraceError } from '../../../../common/errors.ts';

/** The lines are stored. A connection that isn't kept alive (0 ms) is closed after the response. */
export function acceptedResponse(keepAliveMs: number): string {
  return `HTTP/1.1 204 No Content\r\n${generalHeaders(keepAliveMs)}\r\n`;
}

/** They aren't. Unexpected errors are not explained to the sender. */
export function rejectedResponse(error: unknown, keepAliveMs: number): string {
  const expected = error instanceof TailraceError ? error : undefined;
  const status = expected?.status ?? 500;
  const sentence = expected?.message ?? 'Internal server error.';
  const retry = expected?.retryAfter === undefined ? '' : `Retry-After: ${expected.retryAfter}\r\n`;
  const content = `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(sentence)}\r\n`;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${content}${retry}${generalHeaders(keepAliveMs)}\r\n${sentence}`;
}

function generalHeaders(keepAliveMs: number): string {
  const connection =
    keepAliveMs > 0 ? `keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1_000)}` : 'close';
  return `Date: ${httpDate()}\r\nConnection: ${connection}\r\n`;
}

let second = 0;
let date = '';

/** Made once a second. */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1_000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1_000).toUTCString();
  }
  return date;
}
