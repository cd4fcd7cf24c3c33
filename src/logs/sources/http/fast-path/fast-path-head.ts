/**
 * Reads the head of a fast-path request: one with lines, whose body has a declared length and is small, of a sender with a token, over a
 * persistent connection (RFC 9112). Anything else, and anything doubtful, is left to Node's own parser.
 */
import { readAuthorization } from '../../../../common/http/authorization.ts';
import { trimOws } from '../../../../common/http/fields.ts';
import { PROGRAM_HEADER } from '../../../../common/text/program-name.ts';
import { BATCH_BYTES } from '../../../syslog/batch.ts';
import { QUICK_PACKED_BYTES } from '../../bodies/read-body.ts';
import { estimateLogplexBatchBytes } from '../../formats/logplex-body.ts';
import {
  BODY_FORMATS,
  type BodyFormat,
  OTLP_FORMATS,
  type OtlpFormat,
  type RefusalForm,
  refusalForm,
} from '../body-formats.ts';

const METHOD = Buffer.from('POST /');
const HEAD_END = Buffer.from('\r\n\r\n');
/** Longer heads are left to Node. */
const HEAD_BYTES_MAX = 8_192;
/** In a query nothing that may mean something else. */
const REQUEST_LINE = /^POST ((\/logs|\/v1\/logs)(?:\?([\w.~=&-]+))?) HTTP\/1\.1\r\n/;
/** Whole lines `name: value`; no folding, no control characters, no tabs (Node refuses them around a length), no line end but CRLF. */
const HEADERS = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\x20-\x7e\x80-\xff]*\r\n)+$/;
const LENGTH = /^\d{1,9}$/;
const LENGTH_DIGITS_MAX = 9;
const DIGIT_ZERO = 0x30;
/** Characters of a frame id that is taken over as it stands there. */
const VISIBLE_MIN = 0x21;
const VISIBLE_MAX = 0x7e;
const UTF8_TYPE = /^([a-z0-9/-]+)(?:; ?charset="?utf-?8"?)?$/;

export interface FastPathHead {
  /** As it came. */
  readonly text: string;
  /** The path, and the query. */
  readonly url: string;
  readonly isOtlp: boolean;
  /** The content type, without its parameters. */
  readonly type: string;
  readonly format: BodyFormat | OtlpFormat;
  readonly isGzip: boolean;
  /** Bytes of the body. */
  readonly length: number;
  /** The sender's. */
  readonly token: string;
  /** `Logplex-Msg-Count`. */
  readonly msgCount: string | undefined;
  /** `Logplex-Frame-Id`. */
  readonly frameId: string | undefined;
  /** `Logplex-Drain-Token`. */
  readonly drainToken: string | undefined;
  /** `?dyno=` */
  readonly dyno: string | undefined;
  /** `?stream=` */
  readonly stream: string | undefined;
  /** `X-Forwarded-For`, which is a proxy's word, or a client's. */
  readonly forwardedFor: string | undefined;
  /** What refusals are written in. */
  readonly refusedIn: RefusalForm;
  /** Which of its values a sender's next request has others of, in the order of their lines. */
  readonly varying: readonly VaryingField[];
  /** What is before, between and behind these. */
  readonly constant: readonly string[];
}

type VaryingField = 'length' | 'msgCount' | 'frameId';

/**
 * The head at the start of `bytes`; undefined when it isn't for the fast path, or isn't there in full.
 * @param before of the connection's last request: most senders send the same again, with another length, count and frame id.
 */
export function readFastPathHead(bytes: Buffer, before?: FastPathHead): FastPathHead | undefined {
  if (!isPost(bytes)) return undefined;
  const end = bytes.indexOf(HEAD_END) + HEAD_END.length;
  if (end < HEAD_END.length || end > HEAD_BYTES_MAX) return undefined;
  const text = bytes.toString('latin1', 0, end);
  if (!before) return parseHead(text);
  return before.text === text ? before : (readAsBefore(text, before) ?? parseHead(text));
}

function isPost(bytes: Buffer): boolean {
  for (let i = 0; i < METHOD.length; i++) if (bytes[i] !== METHOD[i]) return false;
  return true;
}

/** The head whose text differs from the one before in {@link FastPathHead.varying} alone; undefined when it has to be parsed. */
function readAsBefore(text: string, before: FastPathHead): FastPathHead | undefined {
  const { varying, constant, format, isGzip } = before;
  let { length, msgCount, frameId } = before;
  let at = 0;
  // Character by character: each request of most senders comes here.
  for (let i = 0; i < varying.length; i++) {
    if (!text.startsWith(constant[i], at)) return undefined;
    at += constant[i].length;
    const start = at;
    if (varying[i] === 'frameId') {
      for (let code = text.charCodeAt(at); code >= VISIBLE_MIN && code <= VISIBLE_MAX; )
        code = text.charCodeAt(++at);
      if (at === start) return undefined;
      frameId = text.slice(start, at);
      continue;
    }
    let number = 0;
    for (let code = text.charCodeAt(at); code >= DIGIT_ZERO && code < DIGIT_ZERO + 10; ) {
      number = number * 10 + code - DIGIT_ZERO;
      code = text.charCodeAt(++at);
    }
    if (at === start || at - start > LENGTH_DIGITS_MAX) return undefined;
    if (varying[i] === 'length') length = number;
    else msgCount = text.slice(start, at);
  }
  const rest = constant[varying.length];
  if (text.length - at !== rest.length || !text.endsWith(rest)) return undefined;
  if (!isSmall(length, isGzip, format, msgCount)) return undefined;
  // As in parseHead.
  return {
    text,
    url: before.url,
    isOtlp: before.isOtlp,
    type: before.type,
    format,
    isGzip,
    length,
    token: before.token,
    msgCount,
    frameId,
    drainToken: before.drainToken,
    dyno: before.dyno,
    stream: before.stream,
    forwardedFor: before.forwardedFor,
    refusedIn: before.refusedIn,
    varying,
    constant,
  };
}

function parseHead(text: string): FastPathHead | undefined {
  const [line, url, path, query] = REQUEST_LINE.exec(text) ?? [];
  if (line === undefined) return undefined;
  const fields = text.slice(line.length, -2);
  const parameters = readQuery(query);
  if (!parameters || !HEADERS.test(fields)) return undefined;
  const { dyno, stream } = parameters;
  const isOtlp = path !== '/logs';
  const places: FieldPlace[] = [];
  const read = readHeaders(fields, isOtlp, places);
  if (!read) return undefined;
  const constant: string[] = [];
  let at = 0;
  for (const { start, end } of places) {
    constant.push(text.slice(at, line.length + start));
    at = line.length + end;
  }
  constant.push(text.slice(at));
  // Field by field, in the order of readAsBefore: V8 gives an object of two spread ones a shape of its own, and looks all of its fields up anew.
  return {
    text,
    url,
    isOtlp,
    type: read.type,
    format: read.format,
    isGzip: read.isGzip,
    length: read.length,
    token: read.token,
    msgCount: read.msgCount,
    frameId: read.frameId,
    drainToken: read.drainToken,
    dyno,
    stream,
    forwardedFor: read.forwardedFor,
    refusedIn: read.refusedIn,
    varying: places.map(({ field }) => field),
    constant,
  };
}

type HeaderFields = Omit<
  FastPathHead,
  'text' | 'url' | 'isOtlp' | 'dyno' | 'stream' | 'varying' | 'constant'
>;

/** Where a value stands. */
interface FieldPlace {
  readonly field: VaryingField;
  readonly start: number;
  readonly end: number;
}

/** @param places gets those of values that vary, unless they are empty */
function readHeaders(text: string, isOtlp: boolean, places: FieldPlace[]): HeaderFields | undefined {
  let hosts = 0;
  let contentType: string | undefined;
  let length: string | undefined;
  let encoding: string | undefined;
  let authorization: string | undefined;
  let msgCount: string | undefined;
  let frameId: string | undefined;
  let drainToken: string | undefined;
  let forwardedFor: string | undefined;
  let acceptsJson = false;
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
        if (contentType !== undefined) return undefined;
        contentType = value;
        break;
      case 'content-length':
        if (length !== undefined) return undefined;
        length = value;
        notePlace(places, 'length', text, colon, value);
        break;
      case 'content-encoding':
        if (encoding !== undefined) return undefined;
        encoding = value.toLowerCase();
        break;
      case 'authorization':
        if (authorization !== undefined) return undefined;
        authorization = value;
        break;
      case 'logplex-msg-count':
        if (msgCount !== undefined) return undefined;
        msgCount = value;
        notePlace(places, 'msgCount', text, colon, value);
        break;
      case 'logplex-frame-id':
        if (frameId !== undefined) return undefined;
        frameId = value;
        notePlace(places, 'frameId', text, colon, value);
        break;
      case 'logplex-drain-token':
        if (drainToken !== undefined) return undefined;
        drainToken = value;
        break;
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined;
        break;
      case 'accept':
        acceptsJson ||= value.includes('json');
        break;
      case 'x-forwarded-for':
        forwardedFor = forwardedFor === undefined ? value : `${forwardedFor}, ${value}`;
        break;
      case 'user-agent':
        // Sentences are in other words for it.
        if (value.startsWith('heroku-cli/')) return undefined;
        break;
      case PROGRAM_HEADER:
      // A page of a browser, which may read the answer only if that says so.
      case 'origin':
      case 'transfer-encoding':
      case 'expect':
      case 'upgrade':
        return undefined;
    }
  }
  if (hosts !== 1 || contentType === undefined) return undefined;
  const isGzip = encoding !== undefined;
  if (isGzip && encoding !== 'gzip' && encoding !== 'x-gzip') return undefined;
  const type = UTF8_TYPE.exec(contentType.toLowerCase())?.[1] ?? '';
  const format = (isOtlp ? OTLP_FORMATS : BODY_FORMATS).get(type);
  if (format === undefined || (format === 'logplex' && type.length !== contentType.length)) return undefined;
  const credentials = readAuthorization(authorization);
  if (credentials.kind !== 'token' || length === undefined || !LENGTH.test(length)) return undefined;
  const bytes = Number(length);
  if (!isSmall(bytes, isGzip, format, msgCount)) return undefined;
  return {
    type,
    format,
    isGzip,
    length: bytes,
    token: credentials.token,
    msgCount,
    frameId,
    drainToken,
    forwardedFor,
    refusedIn: refusalForm(format, acceptsJson),
  };
}

/** @param colon in front of the value, with white space alone in between */
function notePlace(
  places: FieldPlace[],
  field: VaryingField,
  text: string,
  colon: number,
  value: string,
): void {
  if (value === '') return;
  const start = text.indexOf(value, colon + 1);
  places.push({ field, start, end: start + value.length });
}

function isSmall(
  bytes: number,
  isGzip: boolean,
  format: FastPathHead['format'],
  msgCount: string | undefined,
): boolean {
  if (isGzip) return bytes <= QUICK_PACKED_BYTES;
  return (format === 'logplex' ? estimateLogplexBatchBytes(bytes, msgCount) : bytes) <= BATCH_BYTES;
}

/** What a query says; undefined when it says something else, or one thing twice. */
function readQuery(query: string | undefined): Pick<FastPathHead, 'dyno' | 'stream'> | undefined {
  let dyno: string | undefined;
  let stream: string | undefined;
  for (const part of query?.split('&') ?? []) {
    const [name, value, more] = part.split('=', 3);
    if (value === undefined || more !== undefined) return undefined;
    if (name === 'dyno' && dyno === undefined) dyno = value;
    else if (name === 'stream' && stream === undefined) stream = value;
    else return undefined;
  }
  return { dyno, stream };
}
