/** Responses to senders of lines, as written to a connection in latin-1 (RFC 9112). */
import { STATUS_CODES } from 'node:http';
import { TailraceError } from '../../../../common/errors.ts';
import { encodeOtlpStatus } from '../../formats/otlp-schema.ts';
import type { RefusalForm } from '../body-formats.ts';
import type { FastPathHead } from './fast-path-head.ts';

/** What a sender gets when its lines are stored. */
const Acceptance = {
  /** No content, as Logplex has it. */
  none: 'HTTP/1.1 204 No Content\r\n',
  /** Winston's HTTP transport, for one, takes anything but 200 for a failure. */
  json: 'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n',
  /** An ExportLogsServiceResponse without a partial success: no bytes at all. */
  protobuf: 'HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n',
} as const;
export type Acceptance = (typeof Acceptance)[keyof typeof Acceptance];

const REFUSAL_TYPES: Readonly<Record<RefusalForm, string>> = {
  text: 'text/plain',
  json: 'application/json; charset=utf-8',
  protobuf: 'application/x-protobuf',
};

/** Which answer the sender of a format takes for success. */
export function acceptanceOf({ format }: Pick<FastPathHead, 'format'>): Acceptance {
  if (format === 'json' || format === 'otlp-json') return Acceptance.json;
  return format === 'otlp-protobuf' ? Acceptance.protobuf : Acceptance.none;
}

/** The lines are stored. A connection that isn't kept alive (0 ms) is closed after the response. */
export function acceptedResponse(acceptance: Acceptance, keepAliveMs: number): string {
  const content = acceptance === Acceptance.json ? '{}' : '';
  return `${acceptance}${generalHeaders(keepAliveMs)}\r\n${content}`;
}

/** They aren't. Unexpected errors are not explained to the sender. */
export function rejectedResponse(error: unknown, form: RefusalForm, keepAliveMs: number): string {
  const expected = error instanceof TailraceError ? error : undefined;
  const status = expected?.status ?? 500;
  const sentence = expected?.message ?? 'Internal server error.';
  const retry = expected?.retryAfter === undefined ? '' : `Retry-After: ${expected.retryAfter}\r\n`;
  const id = expected?.code ?? 'internal_server_error';
  const body =
    form === 'protobuf'
      ? encodeOtlpStatus(sentence)
      : Buffer.from(form === 'json' ? JSON.stringify({ id, message: sentence }) : sentence);
  const content = `Content-Type: ${REFUSAL_TYPES[form]}\r\nContent-Length: ${body.length}\r\n`;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${content}${retry}${generalHeaders(keepAliveMs)}\r\n${body.toString('latin1')}`;
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
