/** Lines in JSON: one object a line (NDJSON), or an array of them, with the field names of pino, bunyan and others. */
import { TailraceError } from '../../../common/errors.ts';
import { isJsonObject } from '../../../common/json-object.ts';
import { JsonScanner } from '../../../common/limits/json-scanner.ts';
import { maskTokensInText } from '../../syslog/fields/token-text.ts';
import { parseExactJson } from './exact-json.ts';
import { readFields } from './json-fields.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';
import { formatStructuredLine, textOrJson } from './structured-line.ts';

const NEWLINE = 0x0a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const ELEMENT = 'json@32473';
const INFO = 6;

/** An object with nothing but a list under one of these names holds lines, rather than being one. */
const LIST_NAMES = ['logs', 'events', 'records', 'lines', 'entries', 'messages'];
/** Under this one others may be beside it, and belong to each of the lines; when they are longer, as JSON, the object is one line. */
const SHARING_NAME = 'logs';
const SHARED_LENGTH_MAX = 1_000;

/**
 * Reads a body of NDJSON.
 * @throws TailraceError `bad_request` with the number of the first line that isn't JSON; `too_large` for too many lines, and as
 * {@link JsonScanner}.
 */
export function readNdjson(body: Buffer): readonly unknown[] {
  const scanner = new JsonScanner(body);
  const values: unknown[] = [];
  for (let start = 0, number = 1; start < body.length; number++) {
    const at = body.indexOf(NEWLINE, start);
    const end = at === -1 ? body.length : at;
    const value = readJsonLine(scanner, body, start, end, `line ${number} of the body`);
    start = end + 1;
    if (value === undefined) continue;
    if (values.length === LINES_MAX) throw tooManyLines();
    values.push(value);
  }
  return values;
}

/**
 * Reads the line `[start, end)`; undefined when it is blank.
 * @throws TailraceError as {@link readNdjson}; `what` names the line.
 */
export function readJsonLine(
  scanner: JsonScanner,
  body: Buffer,
  start: number,
  end: number,
  what: string,
): unknown {
  scanner.setRange(start, end);
  if (!scanner.next()) return undefined;
  const from = scanner.start;
  const to = scanner.end;
  if (scanner.next()) throw noJson(what);
  return parseJsonAt(body, from, to, what);
}

/**
 * Reads a body that is a JSON array, one object, or an object with a list of lines (or, as some senders do under this name, objects
 * with a newline between them).
 * @throws TailraceError `bad_request` when it isn't JSON; `too_large` for too many lines, and as {@link JsonScanner}.
 */
export function readJson(body: Buffer): readonly unknown[] {
  const scanner = new JsonScanner(body);
  if (!scanner.next()) return [];
  const { start, end, elements } = scanner;
  if (scanner.next()) return readJsonObjects(body);
  const isArray = body[start] === OPEN_BRACKET;
  if (isArray && elements > LINES_MAX) throw tooManyLines();
  const value = parseJsonAt(body, start, end, 'the body');
  const lines = Array.isArray(value) ? value : (listInside(value) ?? [value]);
  if (lines.length > LINES_MAX) throw tooManyLines();
  return lines;
}

/** How many lines readJson or readNdjson would look at, about; it may stop counting behind `max`. */
export function countJsonLines(body: Buffer, isNdjson: boolean, max: number): number {
  let count = 0;
  if (isNdjson) {
    for (let at = -1; count <= max && at < body.length; count++) {
      at = body.indexOf(NEWLINE, at + 1);
      if (at === -1) at = body.length;
    }
    return count;
  }
  const scanner = new JsonScanner(body);
  for (let before = 0; count <= max && scanner.next(); before = scanner.containers) {
    // An object may have a list of lines, with one object for each, and others in them.
    const isObject = body[scanner.start] === OPEN_BRACE;
    count += 1 + (isObject ? (scanner.containers - before - 1) / 2 : scanner.elements);
  }
  return count;
}

function readJsonObjects(body: Buffer): unknown[] {
  const scanner = new JsonScanner(body);
  const values: unknown[] = [];
  while (scanner.next()) {
    const isFirst = values.length === 0;
    if (isFirst ? body[scanner.start] !== OPEN_BRACE : !scanner.isOnNewLine) throw noJson('the body');
    if (values.length === LINES_MAX) throw tooManyLines();
    values.push(parseJsonAt(body, scanner.start, scanner.end, 'the body'));
  }
  return values;
}

/** The lines that an object holds under one of the usual names; undefined when it is a line itself. */
function listInside(value: unknown): readonly unknown[] | undefined {
  if (!isJsonObject(value)) return undefined;
  const keys = Object.keys(value);
  const name = keys.length === 1 ? keys[0] : SHARING_NAME;
  const list = LIST_NAMES.includes(name) ? value[name] : undefined;
  if (!isListOfLines(list)) return undefined;
  if (keys.length === 1) return list;
  const { [SHARING_NAME]: _list, ...shared } = value;
  const isLine = list.length === 0 || shared.message !== undefined || shared.msg !== undefined;
  if (isLine || JSON.stringify(shared).length > SHARED_LENGTH_MAX) return undefined;
  return list.map((line) => ({ ...shared, ...(typeof line === 'string' ? { message: line } : line) }));
}

function isListOfLines(value: unknown): value is readonly (string | Record<string, unknown>)[] {
  return Array.isArray(value) && value.every((line) => typeof line === 'string' || isJsonObject(line));
}

/**
 * One value as an RFC 5424 line, without a token.
 * @param dyno the dyno's name, for values without one.
 */
export function jsonToSyslogLine(value: unknown, dyno: string | undefined): string {
  if (isJsonObject(value)) return objectToSyslogLine(value, dyno);
  return formatStructuredLine({
    severity: INFO,
    time: undefined,
    hostname: undefined,
    dyno,
    element: ELEMENT,
    data: {},
    message: textOrJson(value),
  });
}

function objectToSyslogLine(value: Record<string, unknown>, dyno: string | undefined): string {
  const fields = readFields(value);
  const { message, data } = fields;
  return formatStructuredLine({
    ...fields,
    dyno: fields.dyno ?? dyno,
    element: ELEMENT,
    data: message === undefined ? {} : data,
    message: message ?? maskTokensInText(textOrJson(data)),
  });
}

/** A value as {@link parseExactJson} reads it. @throws TailraceError `bad_request` when it isn't JSON; `what` names it. */
export function parseJsonAt(body: Buffer, start: number, end: number, what: string): unknown {
  try {
    return parseExactJson(body.toString('utf8', start, end));
  } catch (error) {
    throw noJson(what, error);
  }
}

function noJson(what: string, cause?: unknown): TailraceError {
  return new TailraceError('bad_request', `Bad request: ${what} is not valid JSON.`, { cause });
}
