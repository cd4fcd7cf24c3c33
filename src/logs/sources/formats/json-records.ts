/**
 * Lines of JSON without `JSON.parse`, for the records that the WebAssembly fast path understands; each of the others is read as
 * `json-lines.ts` does. What a body as a whole is, and what is refused of it, is up to `json-lines.ts`.
 */
import { isUtf8 } from 'node:buffer';
import { JSON_LIMITS, JsonScanner } from '../../../common/limits/json-scanner.ts';
import { jsonToSyslogLine, parseJsonAt, readJsonLine } from './json-lines.ts';
import type { LinePacker } from './packed-lines.ts';
import { headerWord } from './structured-line.ts';
import { type RecordForm, RecordKind, RecordScanner } from './wasm/wasm-records.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** The beginning of an object that has nothing but a list of lines: see `json-lines.ts`. */
const LIST = /^\{[ \t\r\n]*"(?:logs|events|records|lines|entries|messages)"[ \t\r\n]*:[ \t\r\n]*\[/;
const LIST_BYTES_MAX = 128;

/** How much may be read of the records that the fast path doesn't understand. */
export class OddRecords {
  private bytesLeft: number;
  private recordsLeft: number;

  constructor(bytes = Number.POSITIVE_INFINITY, records = Number.POSITIVE_INFINITY) {
    this.bytesLeft = bytes;
    this.recordsLeft = records;
  }

  /** False when one of so many bytes is too much. */
  spend(bytes: number): boolean {
    this.bytesLeft -= bytes;
    return this.bytesLeft >= 0 && --this.recordsLeft >= 0;
  }
}

/**
 * Packs the lines of a body; false, or an error, when that isn't possible: then nothing that was packed counts.
 *
 * @param dyno the dyno's name, for records without one
 * @param form lines are records rather than frames, where that is possible
 */
export function packJsonRecords(
  body: Buffer,
  isNdjson: boolean,
  dyno: string | undefined,
  packer: LinePacker,
  odd: OddRecords,
  form?: RecordForm,
): boolean {
  if (!isUtf8(body)) return false;
  const scanner = new RecordScanner(body, packer, form);
  if (!scanner.setDyno(headerWord(dyno))) return false;
  if (isNdjson) return packLines(body, scanner, dyno, packer, odd);
  const start = skipJsonSpace(body, hasByteOrderMark(body) ? 3 : 0);
  if (body[start] === OPEN_BRACKET)
    return packElements(body, start + 1, 1, scanner, dyno, packer, odd) && isEnd(body, scanner.position);
  if (body[start] !== OPEN_BRACE) return false;
  const list = LIST.exec(body.toString('latin1', start, start + LIST_BYTES_MAX));
  if (!list) return scanner.scan(RecordKind.objects, start, body.length) && isWithinLimits(scanner);
  if (!packElements(body, start + list[0].length, 2, scanner, dyno, packer, odd)) return false;
  const end = skipJsonSpace(body, scanner.position);
  return body[end] === CLOSE_BRACE && isEnd(body, end + 1);
}

function packLines(
  body: Buffer,
  scanner: RecordScanner,
  dyno: string | undefined,
  packer: LinePacker,
  odd: OddRecords,
): boolean {
  let others: JsonScanner | undefined;
  for (let at = 0; !scanner.scan(RecordKind.lines, at, body.length); ) {
    const { position } = scanner;
    const found = body.indexOf(NEWLINE, position);
    at = found === -1 ? body.length : found;
    if (!odd.spend(at - position)) return false;
    others ??= new JsonScanner(body);
    const value = readJsonLine(others, body, lineStart(body, position), at, 'the line');
    if (value !== undefined) packer.add(jsonToSyslogLine(value, dyno));
  }
  return isWithinLimits(scanner, others);
}

/**
 * Packs the lines of a list whose elements begin at `from`; {@link RecordScanner.position} is behind it then.
 * @param depth of objects and arrays around its elements
 */
function packElements(
  body: Buffer,
  from: number,
  depth: number,
  scanner: RecordScanner,
  dyno: string | undefined,
  packer: LinePacker,
  odd: OddRecords,
): boolean {
  let others: JsonScanner | undefined;
  for (let at = from; !scanner.scan(RecordKind.elements, at, body.length); ) {
    let start = skipJsonSpace(body, scanner.position);
    if (scanner.isBehind) {
      if (body[start] !== COMMA) return false;
      start = skipJsonSpace(body, start + 1);
    }
    const byte = body[start];
    // What else may be in a list isn't found by its brackets.
    if (byte !== OPEN_BRACE && byte !== QUOTE) return false;
    others ??= new JsonScanner(body, { ...JSON_LIMITS, depth: JSON_LIMITS.depth - depth });
    others.setRange(start, body.length);
    others.next();
    at = others.end;
    if (!odd.spend(at - start)) return false;
    packer.add(jsonToSyslogLine(parseJsonAt(body, start, at, 'the body'), dyno));
    scanner.isBehind = true;
  }
  return isWithinLimits(scanner, others);
}

function isWithinLimits(scanner: RecordScanner, others?: JsonScanner): boolean {
  // Those around the records, too.
  return scanner.containers + (others?.containers ?? 0) + 2 <= JSON_LIMITS.containers;
}

function hasByteOrderMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function isEnd(body: Buffer, at: number): boolean {
  return skipJsonSpace(body, at) === body.length;
}

/** Where the line begins of which only white space is in front of `at`: a byte order mark may stand there, and not behind that. */
function lineStart(body: Buffer, at: number): number {
  let i = at;
  while (i > 0 && body[i - 1] !== NEWLINE) i--;
  return i;
}

/** Where something else than white space is, from `at` on. */
export function skipJsonSpace(body: Buffer, at: number): number {
  let i = at;
  for (let byte = body[i]; byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB; )
    byte = body[++i];
  return i;
}
