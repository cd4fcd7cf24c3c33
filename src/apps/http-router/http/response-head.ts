import { type Failure, failures } from '../error-codes.ts';
import { type BodyFraming, LengthBody, noBody, UntilCloseBody } from './body-framing.ts';
import { ChunkedBody } from './chunked-body.ts';
import { parseConnectionHeader } from './connection-header.ts';
import {
  HEADER_LINE_BYTES_MAX,
  HEADER_LINES_MAX,
  HeaderCursor,
  hasForbiddenCharacter,
  withoutHopByHop,
} from './header-cursor.ts';

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const LENGTH = /^\d{1,15}$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[ \t,])timeout=(\d{1,6})/i;

/** The head of a dyno's response. */
export type ResponseHead = {
  failure: Failure | undefined;
  status: number;
  reason: string;
  /** Where the body ends; 'close' for wherever the connection does. */
  body: number | 'chunked' | 'close';
  /** May the dyno's connection be used again? */
  keepAlive: boolean;
  /** How long the dyno keeps it open without a request, in seconds, from its Keep-Alive header. */
  keepAliveS: number | undefined;
  /** Its Upgrade header, '' if there is none. */
  upgrade: string;
  /** Header lines that are relayed as they are. */
  keptLines: string;
};

/**
 * @param text latin-1, the status line and all header lines, without the empty line at the end
 * @param method of the request; a HEAD's response has no body, whatever its headers say
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const found = text.indexOf('\r\n');
  const lineEnd = found === -1 ? text.length : found;
  const line = text.slice(0, lineEnd);
  const parts = STATUS_LINE.exec(line);
  const head: ResponseHead = {
    failure: parts === null || hasForbiddenCharacter(text) ? failures.malformed : undefined,
    status: parts === null ? 0 : Number(parts[2]),
    reason: parts?.[3] ?? '',
    body: 'close',
    keepAlive: false,
    keepAliveS: undefined,
    upgrade: '',
    keptLines: '',
  };
  if (line.length > HEADER_LINE_BYTES_MAX) head.failure = failures.oversizedStatus;
  readHeaders(head, new HeaderCursor(text, lineEnd + 2), parts?.[1] === '1');
  // What it announces may follow all the same, and would be taken for the next response.
  if (head.status === 204 && head.body !== 'close' && head.body !== 0) head.keepAlive = false;
  // RFC 9112 section 6.3, rule 1.
  if (method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304) head.body = 0;
  if (head.body === 'close') head.keepAlive = false;
  return head;
}

function readHeaders(head: ResponseHead, cursor: HeaderCursor, http11: boolean): void {
  let connection = '';
  let length: string | undefined;
  let chunked = false;
  while (cursor.next()) {
    if (cursor.lineBytes > HEADER_LINE_BYTES_MAX) {
      head.failure ??= cursor.name === 'set-cookie' ? failures.oversizedCookie : failures.oversizedHeader;
    }
    if (cursor.lineCount > HEADER_LINES_MAX) {
      head.failure ??= failures.tooManyHeaders;
      break;
    }
    switch (cursor.name) {
      case '':
        head.failure ??= failures.malformed;
        break;
      case 'content-length': {
        const value = cursor.value();
        if (!LENGTH.test(value) || (length !== undefined && length !== value)) {
          head.failure ??= failures.invalidLength;
        }
        // Not with these (RFC 9110 section 8.6), and not twice.
        if (length !== undefined || head.status < 200 || head.status === 204) cursor.dropLine();
        else cursor.setValue(value.startsWith('0') ? String(Number(value)) : value);
        length = value;
        break;
      }
      case 'transfer-encoding':
        if (chunked || cursor.value().toLowerCase() !== 'chunked') head.failure ??= failures.malformed;
        chunked = true;
        // Added again by headForClient, if the client gets chunks.
        cursor.dropLine();
        break;
      case 'connection':
        connection = connection === '' ? cursor.value() : `${connection},${cursor.value()}`;
        cursor.dropLine();
        break;
      case 'upgrade':
        head.upgrade = head.upgrade === '' ? cursor.value() : `${head.upgrade}, ${cursor.value()}`;
        cursor.dropLine();
        break;
      case 'keep-alive': {
        const timeout = KEEP_ALIVE_TIMEOUT.exec(cursor.value());
        if (timeout !== null) head.keepAliveS = Number(timeout[1]);
        cursor.dropLine();
        break;
      }
      case 'proxy-connection':
        cursor.dropLine();
        break;
    }
  }
  // They contradict each other about the end of the body; no honest server sends both (RFC 9112 section 6.3, rule 3).
  if (chunked && length !== undefined) head.failure ??= failures.invalidLength;
  if (chunked) head.body = 'chunked';
  else if (length !== undefined) head.body = Number(length);
  const options = parseConnectionHeader(connection);
  head.keepAlive = http11 ? !options.close : options.keepAlive && !options.close;
  // HTTP/1.0 doesn't know chunks: whoever sends them with it can't be relied on (RFC 9112 section 6.1).
  if (chunked && !http11) head.keepAlive = false;
  head.keptLines =
    options.hopByHopNames.length === 0
      ? cursor.keptLines()
      : withoutHopByHop(cursor.keptLines(), options.hopByHopNames);
}

/** @param dechunked collects the content of chunks one by one, for a client that doesn't know chunks */
export function responseBody(head: ResponseHead, dechunked: Buffer[] | undefined): BodyFraming {
  if (head.body === 'chunked') return new ChunkedBody(dechunked);
  if (head.body === 'close') return new UntilCloseBody();
  return head.body === 0 ? noBody : new LengthBody(head.body);
}

/**
 * The head that is sent to the client.
 * @param chunked does the client get a Transfer-Encoding header?
 * @param connection value of the Connection header, '' for none
 */
export function headForClient(head: ResponseHead, chunked: boolean, connection: string): string {
  const connectionLine = connection === '' ? '' : `Connection: ${connection}\r\n`;
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.keptLines}${chunked ? 'Transfer-Encoding: chunked\r\n' : ''}${connectionLine}Via: 1.1 tailrace\r\n\r\n`;
}
