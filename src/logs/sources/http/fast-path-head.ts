/**
 * Reads the head of a fast-path request: `POST /logs` of `application/logplex-1`, neither compressed nor chunked, over a
 * persistent connection (RFC 9112). Anything else, and anything doubtful, is left to Node's own parser.
 */
import { trimOws } from '../../../common/http/fields.ts';

const REQUEST_LINE = Buffer.from('POST /logs HTTP/1.1\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
/** Longer heads are left to Node. */
const HEAD_BYTES_MAX = 8_192;
/** Whole lines `name: value`; no folding, no control characters, no tabs (Node refuses them around a length), no line end but CRLF. */
const HEADERS = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\x20-\x7e\x80-\xff]*\r\n)+$/;
const LENGTH = /^\d{1,9}$/;

export interface FastPathHead {
  /** Where the body starts. */
  readonly end: number;
  /** Bytes of the body. */
  readonly length: number;
  readonly authorization: string;
  /** `Logplex-Msg-Count`. */
  readonly msgCount: string | undefined;
  /** `Logplex-Frame-Id`. */
  readonly frameId: string | undefined;
  /** `X-Forwarded-For`, which is a proxy's word, or a client's. */
  readonly forwardedFor: string | undefined;
}

/** The head at the start of `bytes`; undefined when it isn't for the fast path, or isn't there in full. */
export function readFastPathHead(bytes: Buffer): FastPathHead | undefined {
  if (!bytes.subarray(0, REQUEST_LINE.length).equals(REQUEST_LINE)) return undefined;
  const end = bytes.indexOf(HEAD_END, REQUEST_LINE.length - 2) + HEAD_END.length;
  if (end < HEAD_END.length || end > HEAD_BYTES_MAX) return undefined;
  const text = bytes.toString('latin1', REQUEST_LINE.length, end - 2);
  return HEADERS.test(text) ? readHeaders(text, end) : undefined;
}

function readHeaders(text: string, end: number): FastPathHead | undefined {
  let hosts = 0;
  let type: string | undefined;
  let length: string | undefined;
  let authorization: string | undefined;
  let msgCount: string | undefined;
  let frameId: string | undefined;
  let forwardedFor: string | undefined;
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r\n', colon);
    const field = text.slice(at, colon).toLowerCase();
    const value = trimOws(text, colon + 1, lineEnd);
    at = lineEnd + 2;
    switch (field) {
      case 'host':
        hosts++;
        break;
      case 'content-type':
        if (type !== undefined) return undefined;
        type = value;
        break;
      case 'content-length':
        if (length !== undefined) return undefined;
        length = value;
        break;
      case 'authorization':
        if (authorization !== undefined) return undefined;
        authorization = value;
        break;
      case 'logplex-msg-count':
        if (msgCount !== undefined) return undefined;
        msgCount = value;
        break;
      case 'logplex-frame-id':
        if (frameId !== undefined) return undefined;
        frameId = value;
        break;
      case 'x-forwarded-for':
        forwardedFor = forwardedFor === undefined ? value : `${forwardedFor}, ${value}`;
        break;
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined;
        break;
      case 'accept':
        // Errors are in JSON then.
        if (value.includes('json')) return undefined;
        break;
      case 'content-encoding':
      case 'transfer-encoding':
      case 'expect':
      case 'upgrade':
      case 'logplex-drain-token':
        return undefined;
    }
  }
  if (hosts !== 1 || type !== 'application/logplex-1' || authorization === undefined) return undefined;
  if (length === undefined || !LENGTH.test(length)) return undefined;
  return { end, length: Number(length), authorization, msgCount, frameId, forwardedFor };
}
