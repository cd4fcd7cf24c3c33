/** OpenTelemetry's logs protocol, OTLP/HTTP: the log records of a request become RFC 5424 lines. */

import { TailraceError } from '../../../common/errors.ts';
import { isJsonObject, scalarNumber, scalarText } from '../../../common/json-object.ts';
import { assertJsonWithinLimits, JSON_LIMITS, JsonScanner } from '../../../common/limits/json-scanner.ts';
import { parseExactJson } from './exact-json.ts';
import { namedSeverity } from './json-fields.ts';
import { assertOtlpJsonFrameWithinLimits, parseOtlpJsonParts } from './otlp-json-parts.ts';
import {
  assertOtlpFrameWithinLimits,
  assertOtlpRecordWithinLimits,
  assertOtlpWithinLimits,
  hasFewOtlpMessages,
  notOtlp,
} from './otlp-scanner.ts';
import { decodeOtlp } from './otlp-schema.ts';
import type { LinePacker } from './packed-lines.ts';
import {
  type CommonData,
  commonData,
  formatStructuredLine,
  parseTimestamp,
  textOrJson,
} from './structured-line.ts';

const ELEMENT = 'otlp@32473';
const INFO = 6;
/** Severity numbers that are told by the severity of syslog alone: debug, info, warn, error, as their loggers call them. */
const PLAIN_SEVERITIES = new Set([5, 9, 13, 17]);
/** Resource attributes that identify the instance of a service; the first that is there counts. */
const INSTANCES = [
  'heroku.dyno.name',
  'dyno',
  'k8s.pod.name',
  'container.name',
  'service.instance.id',
  'process.pid',
];
/** Names of severity numbers in JSON (the enum SeverityNumber): `SEVERITY_NUMBER_WARN`, `SEVERITY_NUMBER_WARN2` … */
const SEVERITY_NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const SEVERITY_NAME = /^SEVERITY_NUMBER_([A-Z]{4,5})([2-4]?)$/;

/** Whose lines a request has. */
export interface OtlpSource {
  /** The name of the token's source; `service.name` becomes part of the dyno's name when it is another one. */
  readonly source: string | undefined;
  /** The token is valid for any source: `service.name` is the source. */
  readonly keepService: boolean;
}

/**
 * Does a request have so many messages (records, attributes, values) at the most?
 * @throws TailraceError as {@link packOtlpLines}
 */
export function isSmallOtlpRequest(body: Buffer, isJson: boolean, max: number): boolean {
  try {
    if (!isJson) return hasFewOtlpMessages(body, max);
    const scanner = new JsonScanner(body);
    while (scanner.containers <= max && scanner.next());
    return scanner.containers <= max;
  } catch (error) {
    if (!isBadRequest(error)) throw error;
    // Records beside those that can't be read may be many, and are counted by nobody.
    if (isJson) assertOtlpJsonFrameWithinLimits(body);
    else assertOtlpFrameWithinLimits(body);
    return false;
  }
}

/** Records of a request that can't be read, while others can: its partial success. */
export interface RejectedRecords {
  readonly count: number;
  /** Of the first of them, a sentence. */
  readonly reason: string;
}

/**
 * Packs the lines of a request, without a token. A record that can't be read costs no other one.
 * @returns what of it was left out; undefined: nothing
 * @throws TailraceError `bad_request` when the body isn't an ExportLogsServiceRequest, or none of its records can be read; `too_large` for too many lines.
 */
export function packOtlpLines(
  body: Buffer,
  isJson: boolean,
  source: OtlpSource,
  packer: LinePacker,
): RejectedRecords | undefined {
  const { request, records } = decode(body, isJson);
  let rejected = 0;
  let first: TailraceError | undefined;
  for (const resourceLogs of listOf(request, 'resourceLogs')) {
    const sender = otlpSender(field(resourceLogs, 'resource'), source);
    for (const scopeLogs of listOf(resourceLogs, 'scopeLogs', 'resource', 'schemaUrl')) {
      const scope = otlpScope(field(scopeLogs, 'scope'));
      for (const record of entriesOf(scopeLogs, 'logRecords', 'scope', 'schemaUrl')) {
        let line: string;
        try {
          // Of those that are apart, their numbers are here.
          const apart = records && Array.isArray(record) ? records[record[0]] : record;
          line = otlpToSyslogLine(readRecord(apart), sender, scope);
        } catch (error) {
          if (!(error instanceof TailraceError)) throw error;
          rejected++;
          first ??= error;
          continue;
        }
        packer.add(line);
      }
    }
  }
  if (first && packer.count === 0) throw first;
  return first && { count: rejected, reason: first.message };
}

/** A request; its records apart, see {@link parseOtlpJsonParts}, or left where they are. */
interface DecodedRequest {
  readonly request: Readonly<Record<string, unknown>>;
  readonly records?: readonly unknown[];
}

function decode(body: Buffer, isJson: boolean): DecodedRequest {
  try {
    const { request, records } = isJson
      ? decodeJson(body)
      : { request: decodeProtobuf(body), records: undefined };
    if (isJsonObject(request)) return { request, records };
  } catch (error) {
    throw error instanceof TailraceError ? error : notOtlp('', error);
  }
  throw notOtlp();
}

/** @throws TailraceError, or SyntaxError, when what is around the records can't be read, or is too much */
function decodeJson(body: Buffer): { request: unknown; records?: readonly unknown[] } {
  try {
    assertJsonWithinLimits(body, JSON_LIMITS);
    return { request: parseExactJson(body.toString('utf8')) };
  } catch (error) {
    if (error instanceof TailraceError && !isBadRequest(error)) throw error;
    return parseOtlpJsonParts(body);
  }
}

/**
 * Where a record can't be read, all of them are left as bytes.
 * @throws TailraceError, or an error of the decoder, when what is around them can't be read, or is too much
 */
function decodeProtobuf(body: Buffer): unknown {
  try {
    assertOtlpWithinLimits(body);
    return decodeOtlp(body);
  } catch (error) {
    if (error instanceof TailraceError && !isBadRequest(error)) throw error;
    assertOtlpFrameWithinLimits(body);
    return decodeOtlp(body, 'RequestOfBytes');
  }
}

function isBadRequest(error: unknown): boolean {
  return error instanceof TailraceError && error.code === 'bad_request';
}

/** @throws TailraceError `bad_request` when it is no record */
function readRecord(record: unknown): Readonly<Record<string, unknown>> {
  if (record instanceof TailraceError) throw record;
  if (Buffer.isBuffer(record)) {
    assertOtlpRecordWithinLimits(record);
    try {
      return decodeOtlp(record, 'LogRecord') as Readonly<Record<string, unknown>>;
    } catch (error) {
      throw notOtlp('', error);
    }
  }
  if (!isJsonObject(record)) throw noObject('logRecords');
  return record;
}

/** What a record's resource says of its sender. */
export interface OtlpSender {
  readonly hostname: string | undefined;
  readonly source: string | undefined;
  readonly dyno: string | undefined;
}

/** Reads a resource, or what is in its place. */
export function otlpSender(resource: unknown, { source, keepService }: OtlpSource): OtlpSender {
  const known = attributes(resource);
  const service = textOf(known['service.name']);
  const instance = INSTANCES.map((name) => textOf(known[name])).find((text) => text !== undefined);
  const names = keepService || service === source ? [instance] : [service, instance];
  return {
    hostname: textOf(known['host.name']),
    source: keepService ? service : undefined,
    dyno: names.filter((name) => name !== undefined).join('.') || undefined,
  };
}

/**
 * Reads a scope, or what is in its place: each of its lines gets it, under the names that the specification has for formats without scopes
 * ("Mapping to non-OTLP formats": `otel.scope.name`).
 */
export function otlpScope(scope: unknown): CommonData {
  const own = {
    name: textOf(field(scope, 'name')),
    version: textOf(field(scope, 'version')),
    // With its whole name it would be too long for one.
    dropped_attributes: countOf(field(scope, 'droppedAttributesCount')),
  };
  const all = [...Object.entries(own), ...Object.entries(attributes(scope))];
  return commonData(Object.fromEntries(all.map(([name, value]) => [`otel.scope.${name}`, value])));
}

/** A record as an RFC 5424 line, without a token. */
export function otlpToSyslogLine(
  record: Readonly<Record<string, unknown>>,
  sender: OtlpSender,
  scope: CommonData,
): string {
  const rawTime = field(record, 'timeUnixNano') ?? undefined;
  const sentTime = rawTime === '0' || rawTime === 0 ? undefined : rawTime;
  const time = parseTimestamp(sentTime);
  const severityText = textOf(field(record, 'severityText'));
  const severityNumber = severityNumberOf(field(record, 'severityNumber'));
  const severity = severityOf(severityNumber) ?? namedSeverity(severityText ?? '');
  const data = attributes(record);
  const keep = (name: string, value: unknown): void => {
    if (value !== undefined) data[name] = value;
  };
  // What has no place in a header is kept as it came.
  if (severity === undefined) keep('severity_text', severityText);
  if (time === undefined) keep('time_unix_nano', sentTime);
  keep('trace_id', identifier(field(record, 'traceId')));
  keep('span_id', identifier(field(record, 'spanId')));
  keep('trace_flags', traceFlags(field(record, 'flags')));
  if (severityNumber > 0 && !PLAIN_SEVERITIES.has(severityNumber)) keep('severity_number', severityNumber);
  keep('dropped_attributes_count', countOf(field(record, 'droppedAttributesCount')));
  return formatStructuredLine({
    severity: severity ?? INFO,
    time: time ?? parseTimestamp(field(record, 'observedTimeUnixNano')),
    ...sender,
    msgid: textOf(field(record, 'eventName')),
    element: ELEMENT,
    data,
    common: scope,
    message: messageOf(field(record, 'body')),
  });
}

function messageOf(body: unknown): string {
  const value = anyValue(body);
  return value === undefined || value === null ? '' : textOrJson(value);
}

/** 1 to 24 (trace to fatal, four of each), also by the name of one of them; what is none of them isn't above 0, or no number. */
function severityNumberOf(value: unknown): number {
  const name = typeof value === 'string' ? SEVERITY_NAME.exec(value) : null;
  return name ? SEVERITY_NAMES.indexOf(name[1]) * 4 + Number(name[2] || 1) : scalarNumber(value ?? 0);
}

/** As syslog's severities; undefined for none. */
function severityOf(number: number): number | undefined {
  if (!(number > 0)) return undefined;
  if (number <= 8) return 7;
  if (number <= 12) return INFO;
  if (number <= 16) return 4;
  return number <= 20 ? 3 : 2;
}

/** A field by its name in JSON, or by the one in the .proto file, which parsers of JSON have to know too. */
function field(value: unknown, name: string): unknown {
  if (!isJsonObject(value)) return undefined;
  return value[name] ?? value[protoName(name)];
}

const protoNames = new Map<string, string>();

/** `time_unix_nano` for `timeUnixNano` */
function protoName(name: string): string {
  let known = protoNames.get(name);
  if (known === undefined) {
    known = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    protoNames.set(name, known);
  }
  return known;
}

/**
 * The messages of a list. Fields that nobody knows are for later versions of the protocol; but where the list is missing, it is under
 * one of these names, and would be lost.
 * @param others fields that may be there without it.
 * @throws TailraceError `bad_request`
 */
function listOf(
  value: Readonly<Record<string, unknown>>,
  name: string,
  ...others: string[]
): readonly Readonly<Record<string, unknown>>[] {
  const found = entriesOf(value, name, ...others);
  if (!found.every(isJsonObject)) throw noObject(name);
  return found;
}

/** {@link listOf}, whatever its entries are. */
function entriesOf(
  value: Readonly<Record<string, unknown>>,
  name: string,
  ...others: string[]
): readonly unknown[] {
  const found = field(value, name);
  if (found === undefined || found === null) {
    const known = [name, ...others].flatMap((one) => [one, protoName(one)]);
    const stranger = Object.keys(value).find((key) => !known.includes(key));
    if (stranger === undefined) return [];
    throw notOtlp(`: instead of ${name} it has ${JSON.stringify(stranger.slice(0, 50))}`);
  }
  if (!Array.isArray(found)) throw notOtlp(`: ${name} is no list`);
  return found;
}

function noObject(name: string): TailraceError {
  return notOtlp(`: ${name} has an entry that is no object`);
}

/** Attributes by their keys; what is there in another form is kept under `attributes`. */
function attributes(value: unknown): Record<string, unknown> {
  const list = field(value, 'attributes');
  if (list === undefined || list === null) return {};
  if (isJsonObject(list))
    return Object.fromEntries(Object.entries(list).map(([key, one]) => [key, anyValue(one)]));
  if (!Array.isArray(list)) return { attributes: list };
  if (list.length > JSON_LIMITS.keys)
    throw new TailraceError('bad_request', `Bad request: a record has over ${JSON_LIMITS.keys} attributes.`);
  // Without a prototype: `__proto__` is a key as others.
  const found: Record<string, unknown> = Object.create(null);
  const strangers: unknown[] = [];
  for (const attribute of list) {
    const key = field(attribute, 'key');
    if (typeof key === 'string') found[key] = anyValue(field(attribute, 'value'));
    else strangers.push(attribute);
  }
  if (strangers.length > 0) found.attributes = strangers;
  return found;
}

/** What an AnyValue holds; anything else, such as a text that isn't wrapped into one, as it is. */
function anyValue(value: unknown): unknown {
  if (!isJsonObject(value)) return value ?? undefined;
  for (const name of ['stringValue', 'boolValue', 'doubleValue']) {
    const plain = field(value, name);
    if (plain !== undefined) return plain;
  }
  const intValue = field(value, 'intValue');
  if (intValue !== undefined)
    return Number.isSafeInteger(scalarNumber(intValue)) ? Number(intValue) : intValue;
  const bytesValue = field(value, 'bytesValue');
  if (bytesValue !== undefined)
    return Buffer.isBuffer(bytesValue) ? bytesValue.toString('base64') : bytesValue;
  const arrayValue = field(value, 'arrayValue');
  if (isJsonObject(arrayValue)) return valuesOf(arrayValue).map(anyValue);
  const kvlistValue = field(value, 'kvlistValue');
  if (!isJsonObject(kvlistValue)) return Object.keys(value).length === 0 ? undefined : value;
  return Object.fromEntries(
    valuesOf(kvlistValue).map((pair) => [
      scalarText(field(pair, 'key')) ?? '',
      anyValue(field(pair, 'value')),
    ]),
  );
}

function valuesOf(value: unknown): readonly unknown[] {
  const found = field(value, 'values');
  return Array.isArray(found) ? found : [];
}

/** A trace or span id in hexadecimal digits; undefined for none, and for all zeros (invalid ids). */
function identifier(value: unknown): string | undefined {
  const text = Buffer.isBuffer(value) ? value.toString('hex') : textOf(value);
  return text && !/^0+$/.test(text) ? text : undefined;
}

/** The flags of a trace context (W3C: eight bits) in hexadecimal digits; undefined for none. */
function traceFlags(value: unknown): string | undefined {
  const flags = scalarNumber(value ?? 0) & 0xff;
  return flags > 0 ? flags.toString(16).padStart(2, '0') : undefined;
}

/** A number above 0; undefined for anything else. */
function countOf(value: unknown): number | undefined {
  const count = scalarNumber(value ?? 0);
  return count > 0 ? count : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
