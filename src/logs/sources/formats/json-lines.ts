/** Lines in JSON: one object a line (NDJSON), or an array of them, with the field names of pino, bunyan and others. */
import { TailraceError } from '../../../common/errors.ts';
import { JsonScanner } from '../../../common/limits/json-scanner.ts';
import { maskTokensInText } from '../../syslog/fields/token-text.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';
import { formatStructuredLine, parseTimestamp, textOrJson } from './structured-line.ts';

const NEWLINE = 0x0a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const ELEMENT = 'json@32473';
const INFO = 6;

/** Names of levels, as syslog's severities. */
const LEVELS: ReadonlyMap<string, number> = new Map([
  ['emerg', 0],
  ['emergency', 0],
  ['panic', 0],
  ['alert', 1],
  ['crit', 2],
  ['critical', 2],
  ['fatal', 2],
  ['err', 3],
  ['error', 3],
  ['severe', 3],
  ['warn', 4],
  ['warning', 4],
  ['notice', 5],
  ['info', INFO],
  ['information', INFO],
  ['log', INFO],
  ['debug', 7],
  ['fine', 7],
  ['trace', 7],
  ['verbose', 7],
]);

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
    scanner.setRange(start, end);
    start = end + 1;
    if (!scanner.next()) continue;
    if (values.length === LINES_MAX) throw tooManyLines();
    const from = scanner.start;
    const to = scanner.end;
    if (scanner.next()) throw noJson(`line ${number} of the body`);
    values.push(parse(body, from, to, `line ${number} of the body`));
  }
  return values;
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
  const value = parse(body, start, end, 'the body');
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
    values.push(parse(body, scanner.start, scanner.end, 'the body'));
  }
  return values;
}

/** The lines that an object holds under one of the usual names; undefined when it is a line itself. */
function listInside(value: unknown): readonly unknown[] | undefined {
  if (!isRecord(value)) return undefined;
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
  return Array.isArray(value) && value.every((line) => typeof line === 'string' || isRecord(line));
}

/**
 * One value as an RFC 5424 line, without a token.
 * @param dyno the dyno's name, for values without one.
 */
export function jsonToSyslogLine(value: unknown, dyno: string | undefined): string {
  if (isRecord(value)) return objectToSyslogLine(value, dyno);
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

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectToSyslogLine(value: Record<string, unknown>, dyno: string | undefined): string {
  const rest = { ...value };
  const pick = (...names: string[]): unknown => {
    for (const name of names) {
      const found = rest[name];
      if (found === undefined || found === null) continue;
      delete rest[name];
      return found;
    }
    return undefined;
  };
  const message = pick('message', 'msg');
  const rawTime = pick('time', 'timestamp', 'ts', '@timestamp');
  const time = parseTimestamp(rawTime);
  if (rawTime !== undefined && time === undefined) rest.time = rawTime; // no time, or an impossible one: kept as a field
  const severity = severityOf(pick('level'), pick('severity'));
  const hostname = pick('hostname', 'host');
  const ownDyno = pick('dyno');
  return formatStructuredLine({
    severity,
    time,
    hostname: typeof hostname === 'string' ? hostname : undefined,
    dyno: typeof ownDyno === 'string' ? ownDyno : dyno,
    element: ELEMENT,
    data: message === undefined ? {} : rest,
    message: message === undefined ? maskTokensInText(textOrJson(rest)) : textOrJson(message),
  });
}

/** `level` is a name or a number of pino's and bunyan's (10 to 60); `severity` a name or syslog's number. */
function severityOf(level: unknown, severity: unknown): number {
  for (const value of [level, severity])
    if (typeof value === 'string') {
      const known = namedSeverity(value);
      if (known !== undefined) return known;
    }
  const number = typeof level === 'number' ? level : undefined;
  if (number !== undefined && number >= 10) {
    if (number >= 60) return 2;
    if (number >= 50) return 3;
    if (number >= 40) return 4;
    return number >= 30 ? INFO : 7;
  }
  for (const value of [severity, level])
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 7) return value;
  return INFO;
}

function parse(body: Buffer, start: number, end: number, what: string): unknown {
  try {
    return JSON.parse(body.toString('utf8', start, end));
  } catch (error) {
    throw noJson(what, error);
  }
}

/** Syslog's severity for the name of a level, in any case; undefined when it is none. */
export function namedSeverity(level: string): number | undefined {
  return LEVELS.get(level.toLowerCase());
}

function noJson(what: string, cause?: unknown): TailraceError {
  return new TailraceError('bad_request', `Bad request: ${what} is not valid JSON.`, { cause });
}
