/** Formats a record with fields (JSON, OTLP) as an RFC 5424 line: what has no header field becomes structured data. */
import { formatTimestamp } from '../../syslog/timestamp.ts';

/** local7, as for everything that a dyno writes. */
const FACILITY = 23;
/** Bytes of structured data: a header may take 8 KiB. */
const DATA_BYTES_MAX = 6_000;
/** RFC 5424 section 6: PARAM-NAME and SD-ID. */
const NAME_MAX = 32;

export interface StructuredLine {
  /** Syslog's, 0 (emergency) to 7 (debug). */
  readonly severity: number;
  /** RFC 3339; undefined: the time of arrival. */
  readonly time: string | undefined;
  readonly hostname: string | undefined;
  readonly source?: string;
  readonly dyno: string | undefined;
  readonly msgid?: string;
  /** Name of the structured data element, such as `json@32473`. */
  readonly element: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** The line's text. Data that don't fit into the header are appended to the message, as JSON. */
export function formatStructuredLine(line: StructuredLine): string {
  const { severity, time, hostname, source, dyno, msgid, element, data, message } = line;
  const structured = writeData(element, data);
  const head = [
    `<${FACILITY * 8 + severity}>1`,
    time ?? '-',
    word(hostname, 255),
    word(source ?? 'token', 48),
    word(dyno, 128),
    word(msgid, NAME_MAX),
    structured ?? '-',
  ].join(' ');
  return structured === undefined ? `${head} ${message} ${JSON.stringify(data)}` : `${head} ${message}`;
}

/** A header field: one word of printable ASCII, `-` for none. */
function word(text: string | undefined, max: number): string {
  return (text ?? '').slice(0, max).replace(/[^\x21-\x7e]/g, '_') || '-';
}

/** Undefined when it doesn't fit; what is too much isn't written first. */
function writeData(element: string, data: Readonly<Record<string, unknown>>): string | undefined {
  let params = '';
  for (const name of Object.keys(data)) {
    const value = data[name];
    if (value === undefined || value === null) continue;
    const text = textOrJson(value);
    if (params.length + text.length > DATA_BYTES_MAX) return undefined;
    params += ` ${paramName(name)}="${escapeValue(text)}"`;
  }
  if (params === '') return '-';
  return element.length + params.length + 2 > DATA_BYTES_MAX ? undefined : `[${element}${params}]`;
}

function paramName(name: string): string {
  return name.slice(0, NAME_MAX).replace(/[^\x21-\x7e]|[="\]]/g, '_') || '_';
}

/** RFC 5424 section 6.3.3. */
function escapeValue(value: string): string {
  return value.replace(/["\\\]]/g, '\\$&');
}

/** Text as it is, everything else as JSON. */
export function textOrJson(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Longer than a date is in any form. */
const TIME_LENGTH_MAX = 100;

/** Seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by magnitude (until the year 5138); or a date. */
export function parseTimestamp(value: unknown): string | undefined {
  if (typeof value === 'string' && value.length > TIME_LENGTH_MAX) return undefined;
  if (typeof value === 'string' && !/^\d{9,20}(?:\.\d+)?$/.test(value)) return isoTime(value);
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  // Nanoseconds are beyond what a number holds exactly: their last digits are taken off before.
  const isNanos = typeof value === 'string' && /^\d{18,20}$/.test(value);
  const number = isNanos ? Number(value.slice(0, -3)) : Number(value);
  if (isNanos) return microTime(number);
  if (!(number >= 1e8 && number < 1e20)) return undefined;
  const micros =
    number < 1e11 ? number * 1e6 : number < 1e14 ? number * 1e3 : number < 1e17 ? number : number / 1e3;
  return microTime(Math.round(micros));
}

function microTime(whole: number): string {
  const ms = Math.floor(whole / 1_000);
  const text = formatTimestamp(ms);
  return text.replace(/000\+00:00$/, `${String(whole - ms * 1_000).padStart(3, '0')}+00:00`);
}

/** RFC 3339, or what else `Date.parse` reads. */
function isoTime(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)$/i.exec(text);
  if (match) {
    const [, date, clock, fraction, zone] = match;
    const offset = zone.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
    return `${date}T${clock}${fraction ? `.${fraction.slice(0, 6)}` : ''}${offset}`;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) || Math.abs(ms) > 8e14 ? undefined : formatTimestamp(ms);
}
