/**
 * Which fields of a JSON object are a line's message, time, level, host and dyno: the names of pino, bunyan, Winston, zap, fluent-bit, GELF,
 * structlog, journald, agents of containers, OpenTelemetry, Google Cloud, Serilog, .NET, Monolog, ECS, Rust's tracing, HashiCorp's programs, MongoDB, Log4j and Splunk. What is taken is taken out; the rest stays data.
 */
import { isJsonObject, scalarText } from '../../../common/json-object.ts';
import { parseTimestamp, type StructuredLine, textOrJson } from './structured-line.ts';

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
  ['dpanic', 2],
  ['err', 3],
  ['error', 3],
  ['severe', 3],
  ['warn', 4],
  ['warning', 4],
  ['notice', 5],
  ['info', INFO],
  ['information', INFO],
  ['informational', INFO],
  ['default', INFO],
  ['log', INFO],
  ['http', INFO],
  ['debug', 7],
  ['fine', 7],
  ['finer', 7],
  ['finest', 7],
  ['config', 7],
  ['trace', 7],
  ['verbose', 7],
  ['silly', 7],
]);

/** Beside `time`, `timestamp`, `ts` and `@timestamp`, these are times when they can be read as such; else they are data. */
const MORE_TIMES = [
  '@t',
  'date',
  'datetime',
  'Timestamp',
  'eventTime',
  'timeUnixNano',
  '_SOURCE_REALTIME_TIMESTAMP',
  '__REALTIME_TIMESTAMP',
  'asctime',
  'instant',
  'timestampSeconds',
];
/** Beside `level` and `severity`, these are levels when they are known ones. */
const MORE_LEVELS = [
  'log.level',
  'severityText',
  'severity_text',
  'level_name',
  'levelname',
  'loglevel',
  'logLevel',
  'LogLevel',
  'Level',
  'lvl',
  '@l',
  '@level',
  'PRIORITY',
];
/** Messages, when they are texts. */
const MORE_MESSAGES = [
  'MESSAGE',
  '@m',
  '@message',
  'RenderedMessage',
  'Message',
  'textPayload',
  'event',
  'log',
  'body',
  'Body',
  'text',
];

type Fields = Record<string, unknown>;
/** What {@link readFields} finds; `data` is all else. */
export type JsonFields = Pick<StructuredLine, 'severity' | 'time' | 'hostname' | 'dyno' | 'data'> & {
  /** Undefined when none of the fields is one. */
  readonly message: string | undefined;
};

/** Syslog's severity for the name of a level, in any case; undefined when it is none. */
export function namedSeverity(level: string): number | undefined {
  return LEVELS.get(level.toLowerCase());
}

/** Reads an object that is one line; it isn't changed. Values that can't be read as what they are called stay in `data`. */
export function readFields(value: Fields): JsonFields {
  const rest: Fields = { ...value };
  const pick = (...names: string[]): unknown => {
    for (const name of names) {
      const found = rest[name];
      if (found === undefined || found === null) continue;
      delete rest[name];
      return found;
    }
    return undefined;
  };
  const message = pickMessage(rest, pick);
  // MongoDB's time says that its level is one.
  const severity = pickSeverity(rest, pick);
  const rawTime = pick('time', 'timestamp', 'ts', '@timestamp');
  let time = readFieldTime(rawTime);
  if (rawTime === undefined)
    time =
      pickFirst(rest, MORE_TIMES, readFieldTime) ??
      (isJsonObject(rest.t) ? pickFirst(rest, ['t'], readFieldTime) : undefined);
  else if (time === undefined) rest.time = rawTime; // no time, or an impossible one: kept as a field
  const hostname =
    pickText(rest, ['hostname', 'host', 'host.name', '_HOSTNAME']) ?? nestedText(rest.host, 'name');
  const dyno = pickText(rest, ['dyno']);
  return {
    severity,
    time,
    hostname,
    dyno: dyno ?? journaldUnit(rest, pick) ?? containerName(rest, pick),
    data: rest,
    message,
  };
}

function pickMessage(rest: Fields, pick: (...names: string[]) => unknown): string | undefined {
  const own = pick('message', 'msg');
  if (own !== undefined) return textOrJson(own);
  if (typeof rest.short_message === 'string') return gelfMessage(rest);
  for (const name of PAYLOADS) unwrapPayload(rest, name);
  const unwrapped = rest.message ?? rest.msg;
  if (unwrapped !== undefined && unwrapped !== null) return textOrJson(pick('message', 'msg'));
  const bytes = journaldText(rest.MESSAGE);
  if (bytes !== undefined) rest.MESSAGE = bytes;
  const text = pickText(rest, MORE_MESSAGES) ?? renderTemplate(rest);
  // Serilog's exception, with its stack.
  if (text === undefined || typeof rest['@x'] !== 'string') return text;
  return `${text}\n${textOrJson(pick('@x'))}`;
}

/** GELF: the long message when it has the short one in it; the underscores of additional fields are no part of their names. */
function gelfMessage(rest: Fields): string {
  const { short_message: short, full_message: full, version } = rest;
  const message = String(short);
  delete rest.short_message;
  if (version === '1.0' || version === '1.1') delete rest.version;
  for (const name of Object.keys(rest)) {
    const bare = name.slice(1);
    if (name[0] !== '_' || bare === '' || Object.hasOwn(rest, bare)) continue;
    setField(rest, bare, rest[name]);
    delete rest[name];
  }
  if (typeof full !== 'string' || !full.startsWith(message)) return message;
  delete rest.full_message;
  return full;
}

/** Objects whose fields are the line's own, but for those that it has already: of Google Cloud, Rust's tracing, and Splunk's collector. */
const PAYLOADS = ['jsonPayload', 'fields', 'event'];

function unwrapPayload(rest: Fields, payloadName: string): void {
  const payload = rest[payloadName];
  if (!isJsonObject(payload)) return;
  if (payloadName !== 'jsonPayload' && typeof (payload.message ?? payload.msg) !== 'string') return;
  delete rest[payloadName];
  const taken: Fields = {};
  for (const name of Object.keys(payload))
    setField(Object.hasOwn(rest, name) ? taken : rest, name, payload[name]);
  if (Object.keys(taken).length > 0) rest[payloadName] = taken;
}

/** `__proto__` is a name as others: assigned, it would be none. */
function setField(fields: Fields, name: string, value: unknown): void {
  if (name !== '__proto__') fields[name] = value;
  else Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
}

/** A text that isn't UTF-8 is a list of bytes in journald's JSON. */
function journaldText(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const isBytes = value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  return isBytes ? Buffer.from(value).toString('utf8') : undefined;
}

/** `backup.99` of the unit `backup`, process 99. */
function journaldUnit(rest: Fields, pick: (...names: string[]) => unknown): string | undefined {
  if (typeof rest.SYSLOG_IDENTIFIER !== 'string') return undefined;
  const identifier = pick('SYSLOG_IDENTIFIER');
  const pid = pick('SYSLOG_PID', '_PID');
  return pid === undefined ? String(identifier) : `${identifier}.${textOrJson(pid)}`;
}

/** Of a container, where its agent (fluent-bit, Vector, Docker's GELF) says nothing else: the pod's name, or its own, which Docker begins with a slash. */
function containerName(rest: Fields, pick: (...names: string[]) => unknown): string | undefined {
  const pod = nestedText(rest.kubernetes, 'pod_name');
  if (pod !== undefined) return pod;
  if (typeof rest.container_name !== 'string') return undefined;
  return String(pick('container_name')).replace(/^\//, '');
}

/** Serilog's `@mt` or `MessageTemplate`, with the values that it names; it stays among the data, too. */
function renderTemplate(rest: Fields): string | undefined {
  const template = rest['@mt'] ?? rest.MessageTemplate;
  if (typeof template !== 'string') return undefined;
  const values = isJsonObject(rest.Properties) ? rest.Properties : rest;
  return template.replace(/\{[@$]?(\w{1,100})[^{}\n]{0,40}\}/g, (hole, name: string) =>
    Object.hasOwn(values, name) ? textOrJson(values[name]) : hole,
  );
}

/**
 * `level` is a name or a number of pino's and bunyan's (10 to 60); `severity` a name or syslog's number; under other names it has to be one
 * of these.
 */
function pickSeverity(rest: Fields, pick: (...names: string[]) => unknown): number {
  const level = pick('level');
  const severity = pick('severity');
  const own = severityOf(level, severity);
  // What nobody knows as a level is kept.
  if (level !== undefined && severityOf(level, undefined) === undefined) rest.level = level;
  if (severity !== undefined && severityOf(undefined, severity) === undefined) rest.severity = severity;
  if (own !== undefined) return own;
  const other = pickFirst(rest, MORE_LEVELS, (value) => severityOf(value, undefined));
  if (other !== undefined) return other;
  const initial = pickFirst(rest, isJsonObject(rest.t) ? ['level', 's'] : ['level'], initialSeverity);
  if (initial !== undefined) return initial;
  const nested = nestedText(rest.log, 'level');
  const fromNested = nested === undefined ? undefined : namedSeverity(nested);
  if (fromNested !== undefined) return fromNested;
  return openTelemetrySeverity(rest.severityNumber ?? rest.severity_number) ?? INFO;
}

/** MongoDB's `s`, and levels that are shortened: `E`, `D2`. */
function initialSeverity(value: unknown): number | undefined {
  const initial = typeof value === 'string' ? /^([FCEWID])\d?$/.exec(value) : null;
  return initial ? { F: 2, C: 2, E: 3, W: 4, I: INFO, D: 7 }[initial[1]] : undefined;
}

/** A time as {@link parseTimestamp} reads it, or an object with one: of Protocol Buffers, Log4j, MongoDB, PHP. */
function readFieldTime(value: unknown): string | undefined {
  if (!isJsonObject(value)) return parseTimestamp(value);
  const seconds = value.seconds ?? value.epochSecond;
  const nanos = value.nanos ?? value.nanoOfSecond ?? 0;
  const [wholeSeconds, fraction] = [scalarText(seconds) ?? '', scalarText(nanos) ?? ''];
  if (/^\d{9,10}$/.test(wholeSeconds) && /^\d{1,9}$/.test(fraction))
    return parseTimestamp(`${wholeSeconds}${fraction.padStart(9, '0')}`);
  const { timezone } = value;
  if (
    typeof value.date === 'string' &&
    typeof timezone === 'string' &&
    /^(?:UTC|Z|[+-]\d\d:\d\d)$/.test(timezone)
  )
    return parseTimestamp(`${value.date} ${timezone}`);
  const { $date: date } = value;
  return parseTimestamp(isJsonObject(date) ? date.$numberLong : date);
}

function severityOf(level: unknown, severity: unknown): number | undefined {
  for (const value of [level, severity])
    if (typeof value === 'string') {
      const known = namedSeverity(value);
      if (known !== undefined) return known;
    }
  const number = typeof level === 'string' && /^\d{1,3}$/.test(level) ? Number(level) : level;
  if (typeof number === 'number' && number >= 10) {
    // Monolog's begin at 100.
    if (number >= 100)
      return number >= 500 ? 2 : number >= 400 ? 3 : number >= 300 ? 4 : number >= 200 ? INFO : 7;
    if (number >= 60) return 2;
    if (number >= 50) return 3;
    if (number >= 40) return 4;
    return number >= 30 ? INFO : 7;
  }
  for (const value of [severity, number])
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 7) return value;
  return undefined;
}

/** 1 to 24, in steps of four: trace, debug, info, warn, error, fatal. */
function openTelemetrySeverity(value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 1 && value <= 24)) return undefined;
  return [7, 7, INFO, 4, 3, 2][Math.floor((value - 1) / 4)];
}

/** The first field that can be read; it is taken out. */
function pickFirst<T>(
  rest: Fields,
  names: readonly string[],
  read: (value: unknown) => T | undefined,
): T | undefined {
  for (const name of names) {
    if (rest[name] === undefined) continue;
    const found = read(rest[name]);
    if (found === undefined) continue;
    delete rest[name];
    return found;
  }
  return undefined;
}

function pickText(rest: Fields, names: readonly string[]): string | undefined {
  return pickFirst(rest, names, (value) => (typeof value === 'string' ? value : undefined));
}

function nestedText(value: unknown, name: string): string | undefined {
  if (!isJsonObject(value)) return undefined;
  const text = value[name];
  return typeof text === 'string' ? text : undefined;
}
