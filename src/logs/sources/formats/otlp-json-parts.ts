/** The records of an OTLP request in JSON by themselves, where the request as a whole is too much, or isn't JSON: one record costs no other one. */
import { TailraceError } from '../../../common/errors.ts';
import { assertJsonWithinLimits, JSON_LIMITS, JsonScanner } from '../../../common/limits/json-scanner.ts';
import { parseExactJson } from './exact-json.ts';
import { parseJsonAt } from './json-lines.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** The request, its list of resources, one of these, its list of scopes, one of these, its list of records. */
const LIST_DEPTH = 6;
/** By the depth of the object that has them, in JSON and in the .proto file. */
const LIST_NAMES: readonly (readonly string[])[] = [
  [],
  ['resourceLogs', 'resource_logs'],
  [],
  ['scopeLogs', 'scope_logs'],
  [],
  ['logRecords', 'log_records'],
];

/**
 * Parses a request with the places of its records held by their numbers, each in a list: `"logRecords":[[0],[1]]`.
 * @returns it, and the records, an error in the place of each that can't be read
 * @throws TailraceError `bad_request` when what is around the records is too much; `too_large` for too many records or objects;
 * SyntaxError when it isn't JSON
 */
export function parseOtlpJsonParts(body: Buffer): { request: unknown; records: readonly unknown[] } {
  const { frame, places } = separateRecords(body);
  assertJsonWithinLimits(frame, JSON_LIMITS);
  const scanner = new JsonScanner(body, { ...JSON_LIMITS, depth: JSON_LIMITS.depth - LIST_DEPTH });
  const records = places.map(([start, end]) => {
    try {
      scanner.setRange(start, end);
      scanner.next();
      return parseJsonAt(body, start, end, 'a record');
    } catch (error) {
      if (error instanceof TailraceError && error.code === 'bad_request') return error;
      throw error;
    }
  });
  return { request: parseExactJson(frame.toString()), records };
}

/**
 * Looks at what is around the records of a request.
 * @throws TailraceError `bad_request`, `too_large` when it is too much
 */
export function assertOtlpJsonFrameWithinLimits(body: Buffer): void {
  assertJsonWithinLimits(separateRecords(body).frame, JSON_LIMITS);
}

/** The request with numbers in the places of its records, and where these are. Brackets and strings are all that is looked at. */
function separateRecords(body: Buffer): { frame: Buffer; places: [start: number, end: number][] } {
  const pieces: Buffer[] = [];
  const places: [number, number][] = [];
  /** Of the objects around: the name whose value is next. */
  const names: string[] = [];
  let name = '';
  let depth = 0;
  let copied = 0;
  let start = 0;
  for (let i = 0; i < body.length; i++)
    switch (body[i]) {
      case QUOTE: {
        const end = endOfString(body, i);
        if (depth < LIST_DEPTH) name = body.toString('latin1', i + 1, Math.min(end, i + 20));
        i = end;
        break;
      }
      case COLON:
        if (depth < LIST_DEPTH) names[depth] = name;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (depth === LIST_DEPTH) start = i;
        depth++;
        // What is within an object before its first name is of none.
        if (depth < LIST_DEPTH) names[depth] = '';
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--;
        if (depth !== LIST_DEPTH || !isListOfRecords(names)) break;
        if (places.length === LINES_MAX) throw tooManyLines();
        pieces.push(body.subarray(copied, start), Buffer.from(`[${places.length}]`));
        places.push([start, i + 1]);
        copied = i + 1;
    }
  pieces.push(body.subarray(copied));
  return { frame: Buffer.concat(pieces), places };
}

function isListOfRecords(names: readonly string[]): boolean {
  return LIST_NAMES.every((known, depth) => known.length === 0 || known.includes(names[depth]));
}

/** Where its closing quote is, or the end. */
function endOfString(body: Buffer, start: number): number {
  let i = start + 1;
  while (i < body.length && body[i] !== QUOTE) i += body[i] === BACKSLASH ? 2 : 1;
  return i;
}
