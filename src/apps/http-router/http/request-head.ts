import { REQUEST_ID_PATTERN } from '../../../common/http/fields.ts';
import { type Failure, failures } from '../error-codes.ts';
import { parseConnectionHeader } from './connection-header.ts';
import { isRouterFieldInDisguise } from './field-names.ts';
import {
  HEAD_BYTES_MAX,
  HEADER_LINE_BYTES_MAX,
  HEADER_LINES_MAX,
  HeaderCursor,
  hasForbiddenByte,
  hasForbiddenCharacter,
  withoutHopByHop,
} from './header-cursor.ts';
import { offeredProtocols } from './upgrade-header.ts';

// Methods are case-sensitive (RFC 9110 section 9.1), and all that are registered are in capitals: some servers take `get` for GET.
const REQUEST_LINE = /^([A-Z][A-Z0-9_-]*) ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const METHOD_BEGINNING = /^[A-Z][A-Z0-9_-]*(?: |$)/;
/** No method is longer. */
const METHOD_BYTES = 32;
const CRLF = Buffer.from('\r\n');
const ABSOLUTE = /^https?:\/\/([^/?]+)(.*)/is;
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const PORT_MAX = 65_535;
const LENGTH = /^\d{1,15}$/;
/** Methods that may be sent twice without doing more than once (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
/** Methods whose requests have no body in HTTP/1.0 (RFC 1945 section 7.2). */
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE']);
/** A tunnel isn't what a dyno is for, and TRACE would show the sender what only dynos may see (RFC 9110 sections 9.3.6, 9.3.8). */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** Cookies know no ports: those that sign browsers in to this server come here too, where both have one host name. No app may have them. */
const OWN_COOKIE = /(?:^|[;\s])tailrace_(?:session|page|oidc)=/;

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
  /** Protocols that the client asks to switch to, and may, with commas between them. */
  upgrade: string | undefined;
  /** The client's own request id, if it is a valid one. */
  requestId: string | undefined;
  /** The client's own X-Forwarded-For, '' if none. */
  forwardedFor: string;
  /** `X-Forwarded-Proto` and `-Port`, as they came: a proxy's word counts, a client's does not. */
  forwardedProto: string;
  forwardedPort: string;
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
    forwardedProto: '',
    forwardedPort: '',
    acceptsHtml: false,
    keptLines: '',
  };
  const authority = readRequestLine(head, requestLine);
  const hosts = readHeaders(head, cursor);
  if (!complete || text.length > HEAD_BYTES_MAX) head.failure ??= failures.longHeader;
  // HTTP/1.0 needs none, but an empty one is as invalid there.
  if (hosts > 0) readHost(head);
  if (authority !== undefined) {
    head.hostHeader = authority;
    readHost(head);
  }
  return head;
}

/**
 * Can `bytes`, the beginning of a request without the end of its head, still become one? If not there is no need to wait for the rest.
 * @param from where those begin that are new
 */
export function isRequestBeginning(bytes: Buffer, from: number): boolean {
  if (hasForbiddenByte(bytes, Math.max(0, from - 1))) return false;
  // The first half of an empty line before the request.
  if (bytes.length === 1 && bytes[0] === CRLF[0]) return true;
  const lineEnd = bytes.indexOf(CRLF);
  if (lineEnd === -1) return METHOD_BEGINNING.test(bytes.toString('latin1', 0, METHOD_BYTES));
  // It has been looked at when it came.
  return lineEnd + CRLF.length <= from || REQUEST_LINE.test(bytes.toString('latin1', 0, lineEnd));
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
  if (!head.idempotent && REFUSED_METHODS.has(head.method)) head.failure ??= failures.method;
  if (head.target.startsWith('/') || (head.target === '*' && head.method === 'OPTIONS')) return undefined;
  const absolute = ABSOLUTE.exec(head.target);
  if (absolute === null) {
    head.failure ??= failures.badRequestLine;
    return undefined;
  }
  // RFC 9112 section 3.2.4
  if (absolute[2] === '' && head.method === 'OPTIONS') head.target = '*';
  else head.target = absolute[2].startsWith('/') ? absolute[2] : `/${absolute[2]}`;
  return absolute[1];
}

/** @returns how many Host headers there are */
function readHeaders(head: RequestHead, cursor: HeaderCursor): number {
  let connection = '';
  let upgrade = '';
  let hosts = 0;
  let lengths = 0;
  let chunked = false;
  while (cursor.next()) {
    if (cursor.lineBytes > HEADER_LINE_BYTES_MAX) head.failure ??= failures.longHeader;
    if (cursor.lineCount > HEADER_LINES_MAX) {
      head.failure ??= failures.manyHeaders;
      break;
    }
    if (cursor.isUnusual && isRouterFieldInDisguise(cursor.name)) {
      cursor.dropLine();
      continue;
    }
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
        else {
          head.body = Number(value);
          cursor.setValue(String(head.body));
        }
        break;
      }
      case 'transfer-encoding':
        if (chunked || cursor.value().toLowerCase() !== 'chunked') head.failure ??= failures.badHeader;
        chunked = true;
        cursor.setValue('chunked');
        break;
      case 'connection':
        connection = connection === '' ? cursor.value() : `${connection},${cursor.value()}`;
        cursor.dropLine();
        break;
      case 'upgrade':
        upgrade = upgrade === '' ? cursor.value() : `${upgrade},${cursor.value()}`;
        cursor.dropLine();
        break;
      case 'expect':
        // HTTP/1.0 clients can't mean it (RFC 9110 section 10.1.1).
        if (!head.http11) cursor.dropLine();
        else if (cursor.value().toLowerCase() !== '100-continue') head.failure ??= failures.expect;
        else cursor.setValue('100-continue');
        break;
      case 'cookie': {
        const value = cursor.value();
        if (!OWN_COOKIE.test(value)) break;
        const left = withoutOwnCookies(value);
        if (left === '') cursor.dropLine();
        else cursor.setValue(left);
        break;
      }
      case 'accept':
        head.acceptsHtml = cursor.value().includes('text/html');
        break;
      case 'x-request-id': {
        const value = cursor.value();
        if (REQUEST_ID_PATTERN.test(value)) head.requestId = value;
        cursor.dropLine();
        break;
      }
      case 'x-forwarded-for': {
        const value = cursor.value();
        head.forwardedFor = head.forwardedFor === '' ? value : `${head.forwardedFor}, ${value}`;
        cursor.dropLine();
        break;
      }
      case 'x-forwarded-proto':
        head.forwardedProto = cursor.value();
        cursor.dropLine();
        break;
      case 'x-forwarded-port':
        head.forwardedPort = cursor.value();
        cursor.dropLine();
        break;
      // Set by the router, whatever the client claims.
      case 'x-request-start':
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
  // Old servers don't expect it, and would take it for the next request.
  if (!head.http11 && head.body !== 0 && WITHOUT_BODY.has(head.method)) head.failure ??= failures.badHeader;
  if (chunked) head.body = 'chunked';
  const options = parseConnectionHeader(connection);
  head.keepAlive = head.http11 ? !options.close : options.keepAlive && !options.close;
  head.keptLines =
    options.hopByHopNames.length === 0
      ? cursor.keptLines()
      : withoutHopByHop(cursor.keptLines(), options.hopByHopNames);
  if (head.http11 && options.upgrade) head.upgrade = offeredProtocols(upgrade);
  return hosts;
}

function withoutOwnCookies(value: string): string {
  const pairs = value.split(';').map((pair) => pair.trim());
  return pairs.filter((pair) => !OWN_COOKIE.test(pair)).join('; ');
}

function readHost(head: RequestHead): void {
  const parts = HOST.exec(head.hostHeader);
  if (parts === null || Number(parts[2] ?? 0) > PORT_MAX) {
    head.failure ??= failures.badHeader;
    head.hostHeader = '';
    head.host = '';
  } else {
    head.host = parts[1].toLowerCase();
  }
}

/** What the router itself adds to a request: what is known of its client, and when it came (Unix time in ms). */
type ForwardingInfo = {
  client: { chain: string; protocol: string; port: number };
  requestId: string;
  startedMs: number;
};

/** The head that is sent to the dyno. */
export function headForDyno(head: RequestHead, { client, requestId, startedMs }: ForwardingInfo): string {
  const upgrade = head.upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  return `${head.method} ${head.target} HTTP/1.1\r\nHost: ${head.hostHeader}\r\n${head.keptLines}${upgrade}X-Request-Id: ${requestId}\r\nX-Forwarded-For: ${client.chain}\r\nX-Forwarded-Proto: ${client.protocol}\r\nX-Forwarded-Port: ${client.port}\r\nX-Request-Start: ${startedMs}\r\nVia: 1.1 tailrace\r\n\r\n`;
}
