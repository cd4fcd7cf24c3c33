/**
 * Converts RFC 3164 lines, `<34>Oct 11 22:14:15 mymachine su[123]: 'su root' failed`, in their many variants, to RFC 5424.
 * `syslog-parse` reads the common variant; timestamps are read here, in all variants that are seen in practice (it would assume
 * the current year, and today's day for its month), and so is what it doesn't know. The message's bytes are not changed.
 */
import parse from 'syslog-parse';
import { maskTokens } from './fields/token-text.ts';
import { formatTimestamp, isCalendarDay } from './timestamp.ts';

/** The header of a line is searched in so many bytes. */
const HEAD_BYTES = 512;
/** user.notice, for lines without a PRI (RFC 3164 section 4.3.3). */
const PRIORITY = 13;
const PRIORITY_MAX = 191;
const HOUR_MS = 3_600_000;

const PRI = /^<(\d{1,3})>/;
/** Cisco's `123: `, its own name, and its `*` for a clock that isn't set. */
const BEFORE_TIME = /^(?:\d{1,10}:\s+)?(?:[\w.-]{1,64}:\s+(?=[*.]?[A-Z][a-z]{2}\s))?[*.]?/;
const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const DATE = new RegExp(
  `^(${MONTHS})\\s{1,2}(\\d{1,2})(?:\\s+(\\d{4}))?,?\\s+(\\d{1,2}):(\\d{2}):(\\d{2})(?:[.,](\\d{1,9}))?(?:\\s+(\\d{4})(?=[\\s:]))?(?:\\s+(UTC|GMT|Z))?(?::(?=\\s)|(?=\\s|$))`,
  'i',
);
const ISO =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?(?::(?=\s)|(?=\s|$))/;
/** A host's name or address: one word that isn't a tag. */
const HOST = /^([A-Za-z0-9_.:-]{1,255})\s+(?=\S)/;
const TAG = /^([^\s:[\]<>{}"'=,;|]{1,128})(?:\[([^\]\s]{0,64})\])?:(?:\s|$)/;
/** Without a colon it is a tag only with a process id, as some programs have it: `su[123] failed`. */
const TAG_WITH_PID = /^([\w./@+-]{1,128})\[(\d{1,10})\]\s/;

/** The header that was read. */
interface Rfc3164Head {
  readonly priority: number;
  /** RFC 3339, or undefined when there was none. */
  readonly time: string | undefined;
  readonly host: string;
  readonly tag: string;
  readonly pid: string;
  /** Where the message starts, in bytes. */
  readonly messageStart: number;
}

/**
 * The line `bytes[start, end)` with an RFC 5424 header; undefined when it has neither a PRI nor a timestamp, so that it may not
 * be a syslog line at all. Fields that it doesn't have are `-`.
 *
 * @param now milliseconds since 1970, for the year, which RFC 3164 leaves out. Times without an offset are in this
 * machine's time zone, as RFC 3164 section 5.1 would have it.
 */
export function rfc3164ToRfc5424(
  bytes: Uint8Array,
  start: number,
  end: number,
  now: number,
): Buffer | undefined {
  const head = readRfc3164Head(bytes, start, end, now);
  if (!head) return undefined;
  const { priority, time, host, tag, pid, messageStart } = head;
  const header = `<${priority}>1 ${time ?? '-'} ${host || '-'} ${tag || '-'} ${pid || '-'} - - `;
  const message = bytes.subarray(start + messageStart, end);
  // Without a tag nobody knows where the message begins: what the sender meant to be its token may be in it.
  return Buffer.concat([
    Buffer.from(header, 'latin1'),
    tag === '' ? maskTokens(message, 0, message.length) : message,
  ]);
}

function readRfc3164Head(
  bytes: Uint8Array,
  start: number,
  end: number,
  now: number,
): Rfc3164Head | undefined {
  const slice = bytes.subarray(start, Math.min(end, start + HEAD_BYTES));
  const text = Buffer.from(slice.buffer, slice.byteOffset, slice.length).toString('latin1');
  const pri = PRI.exec(text);
  const priority = pri ? Number(pri[1]) : PRIORITY;
  if (priority > PRIORITY_MAX) return undefined;
  let at = pri ? pri[0].length : 0;
  if (pri && /^1(?:\s|$)/.test(text.slice(at))) return undefined; // RFC 5424's version: a malformed line of that format
  const skipped = BEFORE_TIME.exec(text.slice(at))?.[0].length ?? 0;
  const time = readTime(text.slice(at + skipped), now) ?? readTime(text.slice(at), now);
  if (!pri && !time) return undefined;
  if (time) {
    const before = text.slice(at + skipped).startsWith(time.text) ? skipped : 0;
    at += before + time.text.length;
    while (text[at] === ' ') at++;
  }
  const rest = text.slice(at);
  const named = (time && readCommonForm(rest)) ?? readHostAndTag(rest, time !== undefined);
  return {
    priority,
    time: time?.time,
    host: printable(named.host),
    tag: printable(named.tag),
    pid: printable(named.pid),
    messageStart: at + named.length,
  };
}

/** `HOST TAG[PID]: message`, as `syslog-parse` reads it behind a timestamp in the common format. */
function readCommonForm(rest: string): HostAndTag | undefined {
  const read = parse(`<${PRIORITY}>Jan 01 00:00:00 ${rest}`);
  if (!read) return undefined;
  const { host, process: tag, pid } = read;
  const id = pid === undefined ? '' : `[${pid}]`;
  // It returns values, not offsets: the message is found behind the names, if these are all of what was read.
  const names = host ? rest.slice(rest.indexOf(host) + host.length).trimStart() : rest;
  if (!rest.startsWith(host) || !names.startsWith(`${tag}${id}:`)) return undefined;
  const end = rest.length - names.length + tag.length + id.length + 1;
  if (end < rest.length && rest[end] !== ' ') return undefined;
  return { host, tag, pid: pid === undefined ? '' : String(pid), length: Math.min(end + 1, rest.length) };
}

interface HostAndTag {
  readonly host: string;
  readonly tag: string;
  readonly pid: string;
  /** Characters that they took. */
  readonly length: number;
}

function readHostAndTag(text: string, hasTime: boolean): HostAndTag {
  const alone = readTag(text);
  if (alone) return { host: '', ...alone };
  // Only behind a time a bare word is a host; elsewhere the message has begun.
  const host = hasTime ? HOST.exec(text) : null;
  if (!host || host[1].endsWith(':')) return { host: '', tag: '', pid: '', length: 0 };
  const tag = readTag(text.slice(host[0].length));
  if (tag) return { host: host[1], ...tag, length: host[0].length + tag.length };
  return { host: host[1], tag: '', pid: '', length: host[0].length };
}

function readTag(text: string): Omit<HostAndTag, 'host'> | undefined {
  const match = TAG.exec(text) ?? TAG_WITH_PID.exec(text);
  return match ? { tag: match[1], pid: match[2] ?? '', length: match[0].length } : undefined;
}

interface Time {
  /** RFC 3339. */
  readonly time: string;
  /** The text that was read. */
  readonly text: string;
}

function readTime(text: string, now: number): Time | undefined {
  const iso = ISO.exec(text);
  if (iso) {
    const [all, date, clock, fraction, zone] = iso;
    const exact = `${date}T${clock}${fraction ? `.${fraction.slice(0, 6)}` : ''}`;
    const offset = zone ? zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2') : localOffset(Date.parse(exact));
    return { time: exact + offset, text: all };
  }
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [all, monthName, day, yearBefore, hour, minute, second, fraction, yearAfter, zone] = match;
  const month = MONTHS.toLowerCase().split('|').indexOf(monthName.toLowerCase());
  const at = (year: number): number => {
    const parts = [year, month, Number(day), Number(hour), Number(minute), Number(second)] as const;
    return zone ? Date.UTC(...parts) : new Date(...parts).getTime();
  };
  const given = yearBefore ?? yearAfter;
  let year = given ? Number(given) : new Date(now).getFullYear();
  // A line of New Year's Eve that comes in January; a sender whose clock is a little ahead at midnight.
  if (!given && at(year) > now + 31 * 24 * HOUR_MS) year--;
  else if (!given && at(year) < now - 334 * 24 * HOUR_MS) year++;
  // `Date` would take the 30th of February for a day of March.
  const isTime = Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59;
  if (!isTime || !isCalendarDay(year, month + 1, Number(day))) return { time: '-', text: all };
  const ms = at(year);
  const micros = (fraction ?? '').padEnd(6, '0').slice(0, 6);
  return { time: formatTimestamp(ms).replace('.000000', `.${micros}`), text: all };
}

/** `+01:00`: this machine's offset at a time. */
function localOffset(ms: number): string {
  const minutes = -new Date(Number.isNaN(ms) ? 0 : ms).getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

/** What a header field may contain: RFC 5424 section 6, PRINTUSASCII. */
function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?');
}
