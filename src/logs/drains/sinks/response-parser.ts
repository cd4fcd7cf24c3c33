/** Reads one response of HTTP/1.1 (RFC 9112), in whatever pieces it comes. */

import { trimOws } from '../../../common/http/fields.ts';

const HEAD_BYTES_MAX = 16_384;
/** Of a line with a chunk's size, and of a trailer. */
const LINE_BYTES_MAX = 4_096;
/** Lines around chunks, two for each, and trailers: who sends so many costs more than what is in them. */
const LINES_MAX = 131_072;
/** Responses that only inform, in front of the one that counts. */
const INTERIM_MAX = 100;
/** So many heads are remembered for all connections. */
const RECENT_HEADS_MAX = 4;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const EMPTY = Buffer.alloc(0);
const NO_HEADERS: ReadonlyMap<string, string> = new Map();
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;

type ResponsePart = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'rest' | 'done';

/** What comes isn't a response. */
export class ResponseError extends Error {}

/** What the head of a response says. */
interface ResponseHead {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The connection can be used for another request, unless something else says that it can't. */
  readonly isReusable: boolean;
  /** `timeout` of `Keep-Alive`: the destination closes a connection that isn't used for so many seconds. Undefined: it doesn't say. */
  readonly keepAliveS: number | undefined;
  /** How the body ends, and how many bytes it has, if that is known. */
  readonly bodyPart: ResponsePart;
  readonly bodyBytes: number;
}

/** The bytes of a whole head, and what they say. */
interface KnownHead {
  readonly bytes: Buffer;
  readonly head: ResponseHead;
}

/** Heads that came last on any of some connections, a few of them: many drains lead to the same destination. */
export class RecentHeads {
  private readonly heads: KnownHead[] = [];
  private oldest = 0;

  /** It takes the place of the oldest one. */
  add(head: KnownHead): void {
    this.heads[this.oldest] = head;
    this.oldest = (this.oldest + 1) % RECENT_HEADS_MAX;
  }

  find(chunk: Buffer, at: number): KnownHead | undefined {
    for (const known of this.heads) if (beginsWith(chunk, at, known)) return known;
    return undefined;
  }
}

const processHeads = new RecentHeads();

/** The head that came last on a connection. Within a second (`Date`) most destinations send the same again: it isn't parsed again. */
export class LastHead {
  private readonly recent: RecentHeads;
  private last: KnownHead | undefined;

  /** @param recent of all connections */
  constructor(recent: RecentHeads = processHeads) {
    this.recent = recent;
  }

  /** Takes a copy of the bytes of a whole head. */
  keep(bytes: Buffer, head: ResponseHead): void {
    this.last = { bytes: Buffer.from(bytes), head };
    this.recent.add(this.last);
  }

  /** What begins at `at`, when it is the same, or came last on another connection; else undefined. */
  find(chunk: Buffer, at: number): KnownHead | undefined {
    if (this.last && beginsWith(chunk, at, this.last)) return this.last;
    const known = this.recent.find(chunk, at);
    if (known) this.last = known;
    return known;
  }
}

function beginsWith(chunk: Buffer, at: number, { bytes }: KnownHead): boolean {
  const { length } = bytes;
  return chunk.length - at >= length && chunk.compare(bytes, 0, length, at, at + length) === 0;
}

/** One for each response, fed until {@link isComplete}. Bytes behind the response were asked for by nobody: its connection isn't reusable then. */
export class ResponseParser {
  /** 0 until the head has come. */
  status = 0;
  /** When it came, on the clock of `performance.now()`. */
  headAtMs = 0;
  /** By their names in lower case. */
  headers = NO_HEADERS;
  /** The connection can be used for another request. */
  isReusable = false;
  /** `timeout` of `Keep-Alive`, if the destination says it. */
  keepAliveS: number | undefined;
  /** Responses (1xx) in front of this one that only informed. */
  interim = 0;
  /** Bytes of the body that came and weren't kept. */
  unreadBytes = 0;
  private readonly bytesMax: number;
  private readonly lastHead: LastHead;
  private part: ResponsePart = 'head';
  /** The beginning of a head, or of a line. */
  private kept: Buffer = EMPTY;
  /** Bytes of the body, or of the chunk, that are still to come. */
  private left = 0;
  /** What of the body is kept, and what is free behind it. */
  private bodyMemory: Buffer = EMPTY;
  private bodyLength = 0;
  private lines = 0;

  /**
   * @param bytesMax of the body that are kept
   * @param lastHead of the connection
   */
  constructor(bytesMax: number, lastHead: LastHead = new LastHead()) {
    this.bytesMax = bytesMax;
    this.lastHead = lastHead;
  }

  /** The beginning of the body. */
  get body(): Buffer {
    return this.bodyMemory.subarray(0, this.bodyLength);
  }

  /** All of the response has come; one that ends with its connection is only complete by {@link finish}. */
  get isComplete(): boolean {
    return this.part === 'done';
  }

  /** All that comes up to the end of the connection is its body: nothing says where that ends. */
  get endsWithConnection(): boolean {
    return this.part === 'rest';
  }

  /**
   * Takes what came next.
   * @throws ResponseError
   */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length || (this.part === 'length' && this.left === 0))
      switch (this.part) {
        case 'head':
          at = this.readHead(chunk, at);
          break;
        case 'length':
          at = this.readData(chunk, at);
          if (this.left === 0) this.part = 'done';
          break;
        case 'chunk':
          at = this.readData(chunk, at);
          if (this.left === 0) this.part = 'chunk-end';
          break;
        case 'rest':
          this.keepBody(chunk, at, chunk.length);
          at = chunk.length;
          break;
        case 'done':
          // Nobody asked for more.
          this.isReusable = false;
          return;
        default:
          at = this.readLine(chunk, at);
      }
  }

  /** The connection was closed. Is the response complete by that, or was before? */
  finish(): boolean {
    this.isReusable = false;
    if (this.part === 'rest') this.part = 'done';
    return this.isComplete;
  }

  private readData(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.left);
    this.keepBody(chunk, at, end);
    this.left -= end - at;
    return end;
  }

  private keepBody(chunk: Buffer, start: number, end: number): void {
    const { bodyLength, bytesMax } = this;
    const kept = Math.min(end - start, bytesMax - bodyLength);
    this.unreadBytes += end - start - kept;
    if (kept <= 0) return;
    const length = bodyLength + kept;
    if (length > this.bodyMemory.length) {
      // Twice as much each time: it may come byte by byte.
      const memory = Buffer.allocUnsafeSlow(Math.min(bytesMax, Math.max(length, bodyLength * 2)));
      this.bodyMemory.copy(memory, 0, 0, bodyLength);
      this.bodyMemory = memory;
    }
    chunk.copy(this.bodyMemory, bodyLength, start, start + kept);
    this.bodyLength = length;
  }

  private readHead(chunk: Buffer, at: number): number {
    const start = this.kept.length;
    const known = start === 0 ? this.lastHead.find(chunk, at) : undefined;
    if (known) {
      this.onHead(known.head);
      return at + known.bytes.length;
    }
    const all = start === 0 ? chunk.subarray(at) : Buffer.concat([this.kept, chunk.subarray(at)]);
    const end = headEnd(all);
    if ((end === -1 ? all.length : end) > HEAD_BYTES_MAX)
      throw new ResponseError(`the destination answers with more than ${HEAD_BYTES_MAX} bytes of headers`);
    if (end === -1) {
      this.kept = Buffer.from(all);
      return chunk.length;
    }
    this.kept = EMPTY;
    const head = parseHead(all.toString('latin1', 0, end));
    // One that only informs (1xx): the response comes behind it.
    if (head.status < 200) {
      if (++this.interim > INTERIM_MAX)
        throw new ResponseError(`the destination answers ${head.status} more than ${INTERIM_MAX} times`);
    } else {
      this.lastHead.keep(all.subarray(0, end), head);
      this.onHead(head);
    }
    return at + end - start;
  }

  private onHead({ status, headers, isReusable, keepAliveS, bodyPart, bodyBytes }: ResponseHead): void {
    this.status = status;
    this.headers = headers;
    this.keepAliveS = keepAliveS;
    this.headAtMs = performance.now();
    this.isReusable = isReusable;
    this.part = bodyPart;
    this.left = bodyBytes;
  }

  /** A line of the chunked coding (RFC 9112 section 7.1). */
  private readLine(chunk: Buffer, at: number): number {
    const newline = chunk.indexOf(NEWLINE, at);
    const end = newline === -1 ? chunk.length : newline + 1;
    if (this.kept.length + end - at > LINE_BYTES_MAX)
      throw new ResponseError("the destination answers with a chunk that isn't one");
    if (newline === -1) this.kept = Buffer.concat([this.kept, chunk.subarray(at)]);
    else {
      if (++this.lines > LINES_MAX)
        throw new ResponseError('the destination answers with more chunks than anybody reads');
      const line = this.kept.toString('latin1') + chunk.toString('latin1', at, newline);
      this.kept = EMPTY;
      this.onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    return end;
  }

  private onLine(line: string): void {
    if (this.part === 'trailers') {
      if (line === '') this.part = 'done';
      return;
    }
    const size = this.part === 'chunk-size' ? /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line) : undefined;
    if (this.part === 'chunk-end' ? line !== '' : !size)
      throw new ResponseError("the destination answers with a chunk that isn't one");
    if (!size) this.part = 'chunk-size';
    else {
      this.left = Number.parseInt(size[1], 16);
      this.part = this.left === 0 ? 'trailers' : 'chunk';
    }
  }
}

/** @throws ResponseError */
function parseHead(text: string): ResponseHead {
  // A field may go on in the next line (RFC 9112 section 5.2).
  const [first, ...lines] = text
    .trim()
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/);
  const found = STATUS_LINE.exec(first);
  if (!found) throw new ResponseError("the destination answers with what isn't HTTP/1.1");
  const status = Number(found[2]);
  if (status === 101) throw new ResponseError('the destination switches to another protocol');
  const headers = new Map<string, string>();
  // It only informs.
  if (status < 200)
    return { status, headers, isReusable: true, keepAliveS: undefined, bodyPart: 'head', bodyBytes: 0 };
  for (const line of lines) {
    const field = FIELD.exec(line);
    if (!field) throw new ResponseError("the destination answers with a header that isn't one");
    const name = field[1].toLowerCase();
    const value = trimOws(field[2]);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const connection = tokensOf(headers.get('connection'));
  const mayBeReused = found[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  const keepAlive = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(headers.get('keep-alive') ?? '')?.[1];
  const keepAliveS = keepAlive === undefined ? undefined : Number(keepAlive);
  return { status, headers, keepAliveS, ...bodyEnd(status, headers, mayBeReused) };
}

/** How the body ends (RFC 9112 section 6.3). */
function bodyEnd(
  status: number,
  headers: ReadonlyMap<string, string>,
  isReusable: boolean,
): Pick<ResponseHead, 'bodyPart' | 'bodyBytes' | 'isReusable'> {
  const length = headers.get('content-length');
  const coding = tokensOf(headers.get('transfer-encoding'));
  if (status === 204 || status === 304) return { bodyPart: 'done', bodyBytes: 0, isReusable };
  if (coding.length > 0)
    return coding.at(-1) === 'chunked'
      ? { bodyPart: 'chunk-size', bodyBytes: 0, isReusable: isReusable && length === undefined }
      : { bodyPart: 'rest', bodyBytes: 0, isReusable: false };
  if (length === undefined) return { bodyPart: 'rest', bodyBytes: 0, isReusable: false };
  // The same several times is once.
  const [first, ...more] = length.split(',').map((text) => trimOws(text));
  if (!/^\d{1,15}$/.test(first) || more.some((other) => other !== first))
    throw new ResponseError("the destination answers with a Content-Length that isn't one");
  return { bodyPart: 'length', bodyBytes: Number(first), isReusable };
}

/** Where a head ends, behind its empty line; -1 when it isn't complete. */
function headEnd(bytes: Buffer): number {
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
    const next = bytes[at + 1] === RETURN ? at + 2 : at + 1;
    if (bytes[next] === NEWLINE) return next + 1;
  }
  return -1;
}

function tokensOf(value: string | undefined): string[] {
  return (value ?? '')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}
