import type { Failure } from '../failure.ts';

/** What one router line tells about one request. Times are in milliseconds, negative when there is none. */
export type RequestFacts = {
  method: string;
  path: string;
  host: string;
  requestId: string;
  /** The chain of addresses, as sent to the dyno in X-Forwarded-For. */
  forwardedFor: string;
  dyno: string;
  connectMs: number;
  serviceMs: number;
  status: number;
  /** Body bytes of the app's response that were passed on; the proxy's own error pages count nothing. */
  byteCount: number;
};

/**
 * The text of a router line, in the form Heroku gives it: keys, order and quotes are what log parsers expect.
 * @param failure what went wrong, if something did
 */
export function routerLine(facts: RequestFacts, failure?: Failure): string {
  return `${failure === undefined ? 'at=info' : prefix(failure)} method=${visible(facts.method)} path="${visible(facts.path)}" host=${visible(facts.host)} request_id=${facts.requestId} fwd="${facts.forwardedFor === '' ? '' : visibleSpaced(facts.forwardedFor)}" dyno=${facts.dyno} connect=${duration(facts.connectMs)} service=${duration(facts.serviceMs)} status=${facts.status} bytes=${facts.byteCount} protocol=http`;
}

function prefix(failure: Failure): string {
  const sock = failure.sock === undefined ? '' : `sock=${failure.sock} `;
  const cause = failure.cause === undefined ? '' : ` cause="${failure.cause}"`;
  return `${sock}at=${failure.at} code=${failure.code} desc="${failure.desc}"${cause}`;
}

function duration(ms: number): string {
  return ms < 0 ? '' : `${Math.round(ms)}ms`;
}

// A quote would end the value, a backslash would hide the quote that does, a control character could start
// a new line. Bytes over 127 are UTF-8 as often as not: written as %XX they are what a browser would have sent.
const UNSAFE = /["\\\x00-\x20\x7f-\xff]/;
const UNSAFE_ALL = /["\\\x00-\x20\x7f-\xff]/g;
const UNSAFE_SPACED = /["\\\x00-\x1f\x7f-\xff]/;
const UNSAFE_SPACED_ALL = /["\\\x00-\x1f\x7f-\xff]/g;

function visible(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, percent) : text;
}

function visibleSpaced(text: string): string {
  return UNSAFE_SPACED.test(text) ? text.replace(UNSAFE_SPACED_ALL, percent) : text;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
