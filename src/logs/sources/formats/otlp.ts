/** OpenTelemetry's logs protocol, OTLP/HTTP: the log records of a request become RFC 5424 lines. */
import { TailraceError } from '../../../common/errors.ts';
import { isRecord } from './json-lines.ts';
import { decodeOtlpLogs } from './otlp-schema.ts';
import { formatStructuredLine, parseTimestamp, textOrJson } from './structured-line.ts';

const ELEMENT = 'otlp@32473';
const INFO = 6;
const LINES_MAX = 100_000;
/** Resource attributes that identify the instance of a service; the first that is there counts. */
const INSTANCES = [
  'heroku.dyno.name',
  'dyno',
  'k8s.pod.name',
  'container.name',
  'service.instance.id',
  'process.pid',
];

/**
 * The lines of a request, without a token.
 *
 * @param source the name of the token's source; `service.name` becomes part of the dyno's name when it is another one.
 * @param keepService the token is valid for any source: `service.name` is the source.
 * @throws TailraceError `bad_request` when the body isn't an ExportLogsServiceRequest; `too_large` for too many lines.
 */
export function otlpToSyslogLines(
  body: Buffer,
  isJson: boolean,
  source: string | undefined,
  keepService: boolean,
): Buffer[] {
  const request = decode(body, isJson);
  const lines: Buffer[] = [];
  try {
    for (const resourceLogs of list(request, 'resourceLogs')) {
      const resource = attributes(field(resourceLogs, 'resource'));
      for (const scopeLogs of list(resourceLogs, 'scopeLogs'))
        for (const record of list(scopeLogs, 'logRecords')) {
          if (lines.length === LINES_MAX)
            throw new TailraceError(
              'too_large',
              `The request has over ${LINES_MAX} lines: send several requests.`,
            );
          lines.push(recordToSyslogLine(record, resource, source, keepService));
        }
    }
  } catch (error) {
    if (error instanceof RangeError) throw notOtlp(error);
    throw error;
  }
  return lines;
}

function decode(body: Buffer, isJson: boolean): unknown {
  try {
    const request: unknown = isJson ? JSON.parse(body.toString('utf8')) : decodeOtlpLogs(body);
    if (isRecord(request)) return request;
  } catch (error) {
    throw notOtlp(error);
  }
  throw notOtlp();
}

function notOtlp(cause?: unknown): TailraceError {
  return new TailraceError('bad_request', 'Bad request: the body is no ExportLogsServiceRequest.', { cause });
}

function recordToSyslogLine(
  record: unknown,
  resource: Record<string, unknown>,
  source: string | undefined,
  keepService: boolean,
): Buffer {
  const service = textOf(resource['service.name']);
  const instance = INSTANCES.map((name) => textOf(resource[name])).find((text) => text !== undefined);
  const names = keepService || service === source ? [instance] : [service, instance];
  const body = anyValue(field(record, 'body'));
  const rawTime = field(record, 'timeUnixNano') ?? undefined;
  const time = rawTime === '0' || rawTime === 0 ? undefined : rawTime;
  return formatStructuredLine({
    severity: severityOf(Number(field(record, 'severityNumber') ?? 0)),
    time: parseTimestamp(time ?? field(record, 'observedTimeUnixNano')),
    hostname: textOf(resource['host.name']),
    source: keepService ? service : undefined,
    dyno: names.filter((name) => name !== undefined).join('.') || undefined,
    msgid: textOf(field(record, 'eventName')),
    element: ELEMENT,
    data: {
      ...attributes(record),
      trace_id: identifier(field(record, 'traceId')),
      span_id: identifier(field(record, 'spanId')),
    },
    message: body === undefined ? '' : textOrJson(body),
  });
}

/** 1 to 24 (trace to fatal, four of each) as syslog's severities. */
function severityOf(number: number): number {
  if (!(number > 0)) return INFO;
  if (number <= 8) return 7;
  if (number <= 12) return INFO;
  if (number <= 16) return 4;
  return number <= 20 ? 3 : 2;
}

function field(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

function attributes(value: unknown): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const attribute of list(value, 'attributes')) {
    const key = field(attribute, 'key');
    if (typeof key === 'string') found[key] = anyValue(field(attribute, 'value'));
  }
  return found;
}

function anyValue(value: unknown): unknown {
  if (!isRecord(value)) return undefined;
  for (const name of ['stringValue', 'boolValue', 'doubleValue'])
    if (value[name] !== undefined) return value[name];
  const { intValue, bytesValue, arrayValue, kvlistValue } = value;
  if (intValue !== undefined) return Number.isSafeInteger(Number(intValue)) ? Number(intValue) : intValue;
  if (bytesValue !== undefined)
    return Buffer.isBuffer(bytesValue) ? bytesValue.toString('base64') : bytesValue;
  if (arrayValue !== undefined) return list(arrayValue, 'values').map(anyValue);
  if (kvlistValue === undefined) return undefined;
  const pairs = list(kvlistValue, 'values');
  return Object.fromEntries(
    pairs.map((pair) => [String(field(pair, 'key')), anyValue(field(pair, 'value'))]),
  );
}

/** A trace or span id in hexadecimal digits; undefined for none, and for all zeros (invalid ids). */
function identifier(value: unknown): string | undefined {
  const text = Buffer.isBuffer(value) ? value.toString('hex') : textOf(value);
  return text && !/^0+$/.test(text) ? text : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
