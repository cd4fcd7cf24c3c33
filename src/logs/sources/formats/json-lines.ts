/** Lines in JSON: one object a line (NDJSON), or an array of them, with the field names of pino, bunyan and others. */
import { TailraceError } from '../../../common/errors.ts';
import { maskTokensInText } from '../../syslog/fields/token-text.ts';
import { formatStructuredLine, parseTimestamp, textOrJson } from './structured-line.ts';

/** Lines in one request: an array of digits has millions of elements. */
const LINES_MAX = 100_000;
const NEWLINE = 0x0a;
const ELEMENT = 'json@32473';
const INFO = 6;

/** Names of levels, as syslog's severities. */
const LEVELS: Readonly<Record<string, number>> = {
  emerg: 0,
  emergency: 0,
  panic: 0,
  alert: 1,
  crit: 2,
  critical: 2,
  fatal: 2,
  err: 3,
  error: 3,
  severe: 3,
  warn: 4,
  warning: 4,
  notice: 5,
  info: INFO,
  information: INFO,
  log: INFO,
  debug: 7,
  fine: 7,
  trace: 7,
  verbose: 7,
};

/**
 * Reads a body of NDJSON.
 * @throws TailraceError `bad_request` with the number of the first line that isn't JSON; `too_large` for too many lines.
 */
export function readNdjson(body: Buffer): unknown[] {
  const values: unknown[] = [];
  for (let start = 0, number = 1; start < body.length; number++) {
    const at = body.indexOf(NEWLINE, start);
    const end = at === -1 ? body.length : at;
    const text = body.toString('utf8', start, end).trim();
    start = end + 1;
    if (text === '') continue;
    if (values.length === LINES_MAX) throw tooManyLines();
    values.push(parse(text, `line ${number} of the body`));
  }
  return values;
}

/**
 * Reads a body that is a JSON array, or one object (or, as some senders do under this name, one object a line).
 * @throws TailraceError `bad_request` when it isn't JSON; `too_large` for too many.
 */
export function readJson(body: Buffer): unknown[] {
  const text = body.toString('utf8').trim();
  if (text === '') return [];
  if (text.startsWith('{') && /\}\s*\n\s*\{/.test(text.slice(0, 100_000))) {
    try {
      return readNdjson(body);
    } catch {
      // One object with several inside: read as JSON, which it is declared as.
    }
  }
  const value = parse(text, 'the body');
  if (!Array.isArray(value)) return [value];
  if (value.length > LINES_MAX) throw tooManyLines();
  return value;
}

/**
 * One value as an RFC 5424 line, without a token.
 * @param dyno the dyno's name, for values without one.
 * @throws TailraceError `bad_request` for values that are nested too deep.
 */
export function jsonToSyslogLine(value: unknown, dyno: string | undefined): Buffer {
  try {
    return isRecord(value)
      ? objectToSyslogLine(value, dyno)
      : formatStructuredLine({
          severity: INFO,
          time: undefined,
          hostname: undefined,
          dyno,
          element: ELEMENT,
          data: {},
          message: textOrJson(value),
        });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TailraceError('bad_request', 'Bad request: the JSON is nested too deep.', { cause: error });
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectToSyslogLine(value: Record<string, unknown>, dyno: string | undefined): Buffer {
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
      const known = LEVELS[value.toLowerCase()];
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

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TailraceError('bad_request', `Bad request: ${what} is not valid JSON.`, { cause: error });
  }
}

function tooManyLines(): TailraceError {
  return new TailraceError(
    'too_large',
    `The body has over ${LINES_MAX} lines: send them in several requests.`,
  );
}
