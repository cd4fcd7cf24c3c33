import type { Failure } from '../error-codes.ts';

/** The values of one router line. Times are in milliseconds, negative when there is none. */
type AccessLogEntry = {
  method: string;
  path: string;
  host: string;
  requestId: string;
  /** The chain of addresses, as sent to the dyno in X-Forwarded-For. */
  forwardedFor: string;
  protocol: 'http' | 'https';
  dyno: string;
  connectMs: number;
  serviceMs: number;
  status: number;
  /** Body bytes of the app's response that were relayed; the router's own error pages count nothing. */
  byteCount: number;
};

/**
 * The text of a router line, in the form Heroku gives it: keys, order and quotes are what log parsers expect.
 * @param failure what went wrong, if something did
 */
export function routerLogLine(entry: AccessLogEntry, failure?: Failure): string {
  return `${failure === undefined ? 'at=info' : errorFields(failure)} method=${escapeUnsafe(entry.method)} path="${escapeUnsafe(entry.path)}" host=${escapeUnsafe(entry.host)} request_id=${entry.requestId} fwd="${entry.forwardedFor === '' ? '' : escapeUnsafeExceptSpaces(entry.forwardedFor)}" dyno=${entry.dyno} connect=${formatMs(entry.connectMs)} service=${formatMs(entry.serviceMs)} status=${entry.status} bytes=${entry.byteCount} protocol=${entry.protocol}`;
}

function errorFields(failure: Failure): string {
  const sock = failure.sock === undefined ? '' : `sock=${failure.sock} `;
  const cause = failure.cause === undefined ? '' : ` cause="${failure.cause}"`;
  return `${sock}at=${failure.at} code=${failure.code} desc="${failure.desc}"${cause}`;
}

function formatMs(ms: number): string {
  return ms < 0 ? '' : `${Math.round(ms)}ms`;
}

// A quote would end the value, a backslash would hide the quote that does, a control character could start
// a new line. Bytes over 127 are UTF-8 as often as not: written as %XX they are what a browser would have sent.
const UNSAFE = /["\\\x00-\x20\x7f-\xff]/;
const UNSAFE_ALL = /["\\\x00-\x20\x7f-\xff]/g;
const UNSAFE_SPACED = /["\\\x00-\x1f\x7f-\xff]/;
const UNSAFE_SPACED_ALL = /["\\\x00-\x1f\x7f-\xff]/g;

function escapeUnsafe(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, percentEncode) : text;
}

function escapeUnsafeExceptSpaces(text: string): string {
  return UNSAFE_SPACED.test(text) ? text.replace(UNSAFE_SPACED_ALL, percentEncode) : text;
}

function percentEncode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
