import { type Failure, failures } from '../error-codes.ts';
import { parseConnectionHeader } from './connection-header.ts';
import {
  HEAD_BYTES_MAX,
  HEADER_LINE_BYTES_MAX,
  HeaderCursor,
  hasForbiddenCharacter,
  withoutHopByHop,
} from './header-cursor.ts';

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i;
const HOST = /^([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const LENGTH = /^\d{1,15}$/;
/** Methods that may be sent twice without doing more than once (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const REQUEST_ID = /^[A-Za-z0-9-]{20,200}$/;

/**
 * The head of a request, parsed once. When it is rejected `failure` says why, and the rest holds what could be parsed
 * nevertheless, for the log line about it.
 */
export type RequestHead = {
  failure: Failure | undefined;
  method: string;
  /** May it be sent a second time when the first attempt failed? */
  idempotent: boolean;
  /** The request target in origin form (or `*`), as forwarded to the dyno. */
  target: string;
  /** False for HTTP/1.0. */
  http11: boolean;
  /** The Host header as it was sent, with its port. */
  hostHeader: string;
  /** Host in lower case, without a port. */
  host: string;
  /** Length of the body in bytes, or 'chunked'. */
  body: number | 'chunked';
  /** May the connection to the client stay open afterwards? */
  keepAlive: boolean;
  /** Protocol that the client asks to switch to. */
  upgrade: string | undefined;
  /** The client's own request id, if it is a valid one. */
  requestId: string | undefined;
  /** The client's own X-Forwarded-For, '' if none. */
  forwardedFor: string;
  /** Does the client accept an HTML page? */
  acceptsHtml: boolean;
  /** Header lines that are forwarded as they are. */
  keptLines: string;
};

/**
 * @param text latin-1, the request line and all header lines, without the empty line at the end
 * @param complete false if this is only the beginning of a head that is too long
 */
export function parseRequestHead(text: string, complete: boolean): RequestHead {
  const found = text.indexOf('\r\n');
  const lineEnd = found === -1 ? text.length : found;
  const requestLine = text.slice(0, lineEnd);
  const cursor = new HeaderCursor(text, lineEnd + 2);
  const head: RequestHead = {
    failure: hasForbiddenCharacter(text) ? failures.badHeader : undefined,
    method: '',
    idempotent: false,
    target: '',
    http11: true,
    hostHeader: '',
    host: '',
    body: 0,
    keepAlive: false,
    upgrade: undefined,
    requestId: undefined,
    forwardedFor: '',
    acceptsHtml: false,
    keptLines: '',
  };
  const authority = readRequestLine(head, requestLine);
  readHeaders(head, cursor);
  if (!complete || text.length > HEAD_BYTES_MAX) head.failure ??= failures.longHeader;
  if (authority !== undefined) head.hostHeader = authority;
  readHost(head);
  return head;
}

/** Parses the request line; gives the authority of an absolute target, which overrides Host (RFC 9112 section 3.2.2). */
function readRequestLine(head: RequestHead, line: string): string | undefined {
  if (line.length > HEADER_LINE_BYTES_MAX) {
    head.failure = failures.longRequestLine;
    return undefined;
  }
  const parts = REQUEST_LINE.exec(line);
  if (parts === null) {
    head.failure ??= failures.badRequestLine;
    return undefined;
  }
  head.method = parts[1];
  head.idempotent = IDEMPOTENT.has(head.method);
  head.target = parts[2];
  head.http11 = parts[3] === '1';
  if (head.target.startsWith('/') || (head.target === '*' && head.method === 'OPTIONS')) return undefined;
  const absolute = ABSOLUTE.exec(head.target);
  if (absolute === null) {
    head.failure ??= failures.badRequestLine;
    return undefined;
  }
  head.target = absolute[2].startsWith('/') ? absolute[2] : `/${absolute[2]}`;
  return absolute[1];
}

function readHeaders(head: RequestHead, cursor: HeaderCursor): void {
  let connection = '';
  let upgrade = '';
  let hosts = 0;
  let lengths = 0;
  let chunked = false;
  while (cursor.next()) {
    if (cursor.lineBytes > HEADER_LINE_BYTES_MAX) head.failure ??= failures.longHeader;
    switch (cursor.name) {
      case '':
        head.failure ??= failures.badHeader;
        break;
      case 'host':
        head.hostHeader = cursor.value();
        if (++hosts > 1) head.failure ??= failures.badHeader;
        cursor.dropLine();
        break;
      case 'content-length': {
        const value = cursor.value();
        if (++lengths > 1 || !LENGTH.test(value)) head.failure ??= failures.badHeader;
        else head.body = Number(value);
        break;
      }
      case 'transfer-encoding':
        if (chunked || cursor.value().toLowerCase() !== 'chunked') head.failure ??= failures.badHeader;
        chunked = true;
        break;
      case 'connection':
        connection = connection === '' ? cursor.value() : `${connection},${cursor.value()}`;
        cursor.dropLine();
        break;
      case 'upgrade':
        upgrade = cursor.value();
        cursor.dropLine();
        break;
      case 'expect':
        // HTTP/1.0 clients can't mean it (RFC 9110 section 10.1.1).
        if (!head.http11) cursor.dropLine();
        else if (cursor.value().toLowerCase() !== '100-continue') head.failure ??= failures.expect;
        break;
      case 'accept':
        head.acceptsHtml = cursor.value().includes('text/html');
        break;
      case 'x-request-id': {
        const value = cursor.value();
        if (REQUEST_ID.test(value)) head.requestId = value;
        cursor.dropLine();
        break;
      }
      case 'x-forwarded-for': {
        const value = cursor.value();
        head.forwardedFor = head.forwardedFor === '' ? value : `${head.forwardedFor}, ${value}`;
        cursor.dropLine();
        break;
      }
      // Set by the router, whatever the client claims.
      case 'x-forwarded-proto':
      case 'x-forwarded-port':
      case 'x-request-start':
      // CGI-like servers can't tell these from the ones with hyphens.
      case 'x_forwarded_for':
      case 'x_forwarded_proto':
      case 'x_forwarded_port':
      case 'x_request_start':
      case 'x_request_id':
      case 'content_length':
      case 'transfer_encoding':
      // Becomes HTTP_PROXY, which programs obey ("httpoxy").
      case 'proxy':
      // For this hop only.
      case 'keep-alive':
      case 'proxy-connection':
      case 'proxy-authorization':
      case 'te':
      case 'http2-settings':
        cursor.dropLine();
        break;
    }
  }
  // Both at once, or chunks in HTTP/1.0: as request smuggling begins (RFC 9112 section 6.1).
  if (chunked && (lengths > 0 || !head.http11)) head.failure ??= failures.badHeader;
  if (hosts === 0 && head.http11) head.failure ??= failures.badHeader;
  if (chunked) head.body = 'chunked';
  const options = parseConnectionHeader(connection);
  head.keepAlive = head.http11 ? !options.close : options.keepAlive && !options.close;
  head.keptLines =
    options.hopByHopNames.length === 0
      ? cursor.keptLines()
      : withoutHopByHop(cursor.keptLines(), options.hopByHopNames);
  // HTTP/2 inside a tunnel would be requests without a log line; a server may ignore the Upgrade header, so it is.
  if (head.http11 && options.upgrade && upgrade !== '' && !/^h2c?$/i.test(upgrade)) head.upgrade = upgrade;
}

function readHost(head: RequestHead): void {
  const parts = HOST.exec(head.hostHeader);
  if (parts === null) {
    head.failure ??= failures.badHeader;
    head.hostHeader = '';
  } else {
    head.host = parts[1].toLowerCase();
  }
}

/** What the router itself adds to a request. */
type ForwardingInfo = { address: string; port: number; requestId: string; startedMs: number };

/**
 * The head that is sent to the dyno.
 * @param hop the client's address, the port it connected to, and when (Unix time in ms)
 */
export function headForDyno(head: RequestHead, hop: ForwardingInfo): string {
  const upgrade = head.upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  return `${head.method} ${head.target} HTTP/1.1\r\nHost: ${head.hostHeader}\r\n${head.keptLines}${upgrade}X-Request-Id: ${hop.requestId}\r\nX-Forwarded-For: ${forwardedFor(head, hop.address)}\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: ${hop.port}\r\nX-Request-Start: ${hop.startedMs}\r\nVia: 1.1 tailrace\r\n\r\n`;
}

/** The chain of addresses a request came through, the last one being the client of this connection. */
export function forwardedFor(head: RequestHead, address: string): string {
  return head.forwardedFor === '' ? address : `${head.forwardedFor}, ${address}`;
}
