/** Formats a record with fields (JSON, OTLP) as an RFC 5424 line: what has no header field becomes structured data. */
import { APP_NAME_BYTES_MAX } from '../../syslog/fields/header-field.ts';
import { maskTokensInText } from '../../syslog/fields/token-text.ts';
import { formatTimestamp, isCalendarDay, isTimestamp } from '../../syslog/timestamp.ts';

/** local7, as for everything that a dyno writes. */
const FACILITY = 23;
/** Bytes of structured data: a header may take 8 KiB. */
const DATA_BYTES_MAX = 6_000;
/** RFC 5424 section 6: PARAM-NAME. */
const NAME_MAX = 32;
/** More than is stored of any other field: a token is masked before a field is cut. */
const FIELD_CHARACTERS_MAX = 1_000;

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
  /** What stands in front of the data, for several lines: left out, nothing does. */
  readonly common?: CommonData;
  readonly message: string;
}

/** Data that several lines have, and how it is written in each. */
export interface CommonData {
  readonly data: Readonly<Record<string, unknown>>;
  /** The parameters, each with a space in front of it; undefined: too many bytes for any header. */
  readonly params: string | undefined;
}

/** Data that several lines have. */
export function commonData(data: Readonly<Record<string, unknown>>): CommonData {
  return { data, params: writeParams(data) };
}

const NOTHING: CommonData = { data: {}, params: '' };

/** The line's text. Data that don't fit into the header are appended to the message, as JSON; tokens in them are masked there. */
export function formatStructuredLine(line: StructuredLine): string {
  const { severity, time, hostname, source, dyno, msgid, element, data, common = NOTHING, message } = line;
  const structured = writeData(element, data, common.params);
  const sender = headerSender(hostname, source, dyno);
  const head = `<${FACILITY * 8 + severity}>1 ${time ?? '-'} ${sender} ${headerWord(msgid)} ${structured ?? '-'}`;
  if (structured !== undefined) return `${head} ${message}`;
  return `${head} ${message} ${maskTokensInText(JSON.stringify({ ...common.data, ...data }))}`;
}

/** HOSTNAME, APP-NAME and PROCID. */
export function headerSender(
  hostname: string | undefined,
  source: string | undefined,
  dyno: string | undefined,
): string {
  return `${headerWord(hostname)} ${headerWord(source ?? 'app', APP_NAME_BYTES_MAX)} ${headerWord(dyno)}`;
}

/** A header field: one word of printable ASCII, `-` for none. What is too long is cut where it is stored. */
export function headerWord(text: string | undefined, max = FIELD_CHARACTERS_MAX): string {
  return (text ?? '').slice(0, max).replace(/[^\x21-\x7e]/gu, '_') || '-';
}

/** Undefined when it doesn't fit. */
function writeData(
  element: string,
  data: Readonly<Record<string, unknown>>,
  before: string | undefined,
): string | undefined {
  const params = writeParams(data);
  if (params === undefined || before === undefined) return undefined;
  if (params === '' && before === '') return '-';
  const written = `[${element}${before}${params}]`;
  return Buffer.byteLength(written) > DATA_BYTES_MAX ? undefined : written;
}

/** Undefined when it doesn't fit; what is too much isn't written first. */
function writeParams(data: Readonly<Record<string, unknown>>): string | undefined {
  let params = '';
  for (const name of Object.keys(data)) {
    const value = data[name];
    if (value === undefined || value === null) continue;
    const text = textOrJson(value);
    if (params.length + text.length > DATA_BYTES_MAX) return undefined;
    params += ` ${paramName(name)}="${escapeValue(text)}"`;
  }
  return params;
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

/**
 * Seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by magnitude; or a date. Undefined for what no calendar
 * has, and for times that can't be right (see {@link isTimestamp}).
 */
export function parseTimestamp(value: unknown): string | undefined {
  if (typeof value === 'string' && value.length > TIME_LENGTH_MAX) return undefined;
  const time = typeof value === 'string' || typeof value === 'number' ? readTime(value) : undefined;
  return time !== undefined && isTimestamp(Buffer.from(time), 0, time.length) ? time : undefined;
}

function readTime(value: string | number): string | undefined {
  if (typeof value === 'string' && !/^(?:\d{9,20}(?:\.\d+)?|\d\.\d+e\+?\d{1,2})$/i.test(value))
    return readDate(value);
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

/** `2012-12-10T03:00:48.123456+01:00`, also with a space, a comma, small letters, `+0100`, without seconds or a zone. */
const ISO_TIME =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/i;
/** `Mon, 10 Dec 2012 03:00:48 GMT`, `Mon Dec 10 2012 03:00:48 GMT+0100 (CET)`, `Dec 10, 2012 3:00 PM`. */
const NAMED_MONTH =
  /^(?:[a-z]{3,9},? )?(?:(\d{1,2}) ([a-z]{3,9})|([a-z]{3,9}) (\d{1,2}),?) (\d{4}),? (\d{1,2}):(\d\d)(?::(\d\d))?(?: ?[ap]m)?(?: [a-z]{1,4})?(?: ?[+-]\d\d:?\d\d)?(?: \([^()]{1,40}\))?$/i;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** RFC 3339 and its relatives, or a date with the name of its month, as `Date.parse` reads it. */
function readDate(text: string): string | undefined {
  const iso = ISO_TIME.exec(text);
  if (iso) {
    const [, date, clock, seconds = ':00', fraction, zone] = iso;
    const exact = `${date}T${clock}${seconds}${fraction ? `.${fraction.slice(0, 6)}` : ''}`;
    if (zone === undefined) return localTime(exact);
    const offset = /^[a-z]/i.test(zone) ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
    return exact + offset;
  }
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text}T00:00:00Z`;
  const named = NAMED_MONTH.exec(text);
  if (!named) return undefined;
  const [, dayFirst, monthLast, monthFirst, dayLast, year, hour, minute, second = '0'] = named;
  const month = MONTHS.indexOf((monthLast ?? monthFirst).slice(0, 3).toLowerCase()) + 1;
  // `Date.parse` would take the 30th of February for a day of March.
  if (!isCalendarDay(Number(year), month, Number(dayFirst ?? dayLast))) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : formatTimestamp(ms);
}

/** A time without a zone is this machine's; its fraction is kept. */
function localTime(exact: string): string | undefined {
  if (!isTimestamp(Buffer.from(`${exact}Z`), 0, exact.length + 1)) return undefined;
  const ms = Date.parse(exact);
  const fraction = /\.\d+$/.exec(exact)?.[0].padEnd(7, '0') ?? '.000000';
  return formatTimestamp(ms).replace(/\.\d+/, fraction);
}
