/** Of a line that came as OTLP: what its structured data says of the record that it was (`sources/formats/otlp.ts` writes it), as OTLP has it. */
import type { LogRecord } from '../../syslog/record.ts';
import { otlpSeverityNumber } from './otlp-fields.ts';

/** A key, and its value as text. */
type TextAttribute = readonly [key: string, value: string];

/** Fields that OTLP has and other lines don't; identifiers in hexadecimal digits. */
export interface RestoredRecord {
  readonly scope: RestoredScope | undefined;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly attributes: readonly TextAttribute[];
  readonly droppedAttributesCount: number;
  readonly flags: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly eventName: string;
}

export interface RestoredScope {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly TextAttribute[];
  readonly droppedAttributesCount: number;
}

const START = '[otlp@32473 ';
const PARAMETER = / ([^ ="\]]{1,32})="((?:[^"\\\]]|\\.)*)"/sy;
const SCOPE = 'otel.scope.';
/** local7: what all lines get that come without a facility. */
const NO_FACILITY = 23;
const SEVERITY_TEXTS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
/** Fields of a record that stand among its attributes, where they are what they should be: see {@link takeFields}. */
const FIELDS: Readonly<Record<string, RegExp>> = {
  trace_id: /^[\da-f]{32}$/,
  span_id: /^[\da-f]{16}$/,
  trace_flags: /^[\da-f]{2}$/,
  severity_number: /^(?:[1-9]|1\d|2[0-4])$/,
  severity_text: /./s,
  dropped_attributes_count: /^[1-9]\d{0,8}$/,
};
const SCOPE_FIELDS: Readonly<Record<string, RegExp>> = {
  name: /./s,
  version: /./s,
  dropped_attributes: /^[1-9]\d{0,8}$/,
};

/** The last one: each line is asked for more than once. */
let last: { readonly line: LogRecord; readonly restored: RestoredRecord | undefined } | undefined;

/** Undefined for a line that came another way. */
export function restoredRecord(line: LogRecord): RestoredRecord | undefined {
  if (!line.structuredData.startsWith(START)) return undefined;
  if (last?.line !== line) last = { line, restored: restore(line) };
  return last.restored;
}

/** What says of which scope a line is; '' for a line that came another way, or of none. */
export function scopeKey(line: LogRecord): string {
  const scope = restoredRecord(line)?.scope;
  return scope ? JSON.stringify(scope) : '';
}

function restore({ structuredData, priority, msgid }: LogRecord): RestoredRecord | undefined {
  const parameters = readParameters(structuredData);
  if (!parameters) return undefined;
  const ofScope = parameters.filter(([name]) => name.startsWith(SCOPE));
  const scope = takeFields(
    ofScope.map(([name, value]) => [name.slice(SCOPE.length), value]),
    SCOPE_FIELDS,
  );
  const { fields, attributes } = takeFields(
    parameters.filter(([name]) => !name.startsWith(SCOPE)),
    FIELDS,
  );
  // The severity alone: a level in the message is none of the record's.
  const severityNumber = Number(fields.severity_number ?? otlpSeverityNumber(priority, undefined));
  const facility = priority >> 3;
  return {
    scope:
      ofScope.length === 0
        ? undefined
        : {
            name: scope.fields.name ?? '',
            version: scope.fields.version ?? '',
            attributes: scope.attributes,
            droppedAttributesCount: Number(scope.fields.dropped_attributes ?? 0),
          },
    severityNumber,
    severityText: fields.severity_text ?? SEVERITY_TEXTS[(severityNumber - 1) >> 2],
    attributes:
      facility === NO_FACILITY ? attributes : [['syslog.facility', String(facility)], ...attributes],
    droppedAttributesCount: Number(fields.dropped_attributes_count ?? 0),
    flags: Number.parseInt(fields.trace_flags ?? '0', 16),
    traceId: fields.trace_id ?? '',
    spanId: fields.span_id ?? '',
    eventName: msgid === '-' ? '' : msgid,
  };
}

/** The parameters of structured data that is one element; undefined when it is more, or less. */
function readParameters(data: string): [string, string][] | undefined {
  const parameters: [string, string][] = [];
  PARAMETER.lastIndex = START.length - 1;
  for (let at = PARAMETER.lastIndex; ; at = PARAMETER.lastIndex) {
    const found = PARAMETER.exec(data);
    if (!found) return at === data.length - 1 && data[at] === ']' ? parameters : undefined;
    parameters.push([found[1], found[2].replace(/\\(["\\\]])/g, '$1')]);
  }
}

/** What are fields, each once, and the attributes that are left. */
function takeFields(
  parameters: readonly TextAttribute[],
  known: Readonly<Record<string, RegExp>>,
): { fields: Record<string, string | undefined>; attributes: TextAttribute[] } {
  const fields: Record<string, string | undefined> = {};
  const attributes = parameters.filter(([name, value]) => {
    if (!Object.hasOwn(known, name) || fields[name] !== undefined || !known[name].test(value)) return true;
    fields[name] = value;
    return false;
  });
  return { fields, attributes };
}
