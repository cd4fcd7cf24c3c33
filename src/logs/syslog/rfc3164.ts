/**
 * Converts RFC 3164 lines, `<34>Oct 11 22:14:15 mymachine su[123]: 'su root' failed`, in their many variants, to RFC 5424.
 * `syslog-parse` reads the common variant; timestamps are read here, in all variants that are seen in practice (it would assume
 * the current year, and today's day for its month), and so is what it doesn't know. The message's bytes are not changed.
 */
import parse from 'syslog-parse';
import { maskTokens } from './fields/token-text.ts';
import {
  formatOffset,
  formatTimestamp,
  isCalendarDay,
  isTimestamp,
  offsetMinutes,
  withOffset,
} from './timestamp.ts';

/** The header of a line is searched in so many bytes. */
const HEAD_BYTES = 512;
/** user.notice, for lines without a PRI (RFC 3164 section 4.3.3). */
const PRIORITY = 13;
const PRIORITY_MAX = 191;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Spaces and tabs before and behind it are of no sender that reads its RFC, and of several that are in use. */
const PRI = /^([ \t]{0,8})<(\d{1,3})>([ \t]{0,8})/;
/** The same before the version of RFC 5424, whose time says that it is that. */
const SPACED_RFC5424 = /^[ \t]{0,8}<(\d{1,3})>[ \t]{0,8}1 {1,8}(?=(?:-|\d{4}-\d{2}-\d{2}T\S{8,27}) )/;
const MONTH_NAMES = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTHS =
  'Jan|JAN|jan|Feb|FEB|feb|Mar|MAR|mar|Apr|APR|apr|May|MAY|may|Jun|JUN|jun|Jul|JUL|jul|Aug|AUG|aug|Sep|SEP|sep|Oct|OCT|oct|Nov|NOV|nov|Dec|DEC|dec';
const WEEKDAYS = 'Mon|Tue|Wed|Thu|Fri|Sat|Sun|MON|TUE|WED|THU|FRI|SAT|SUN';
/** What devices write before the time: a colon, sequence numbers, the own name, the node (IOS XR), and `*` or `.` for an odd clock. */
const BEFORE_TIME = new RegExp(
  `^(?::\\s{0,2})?(?:\\d{1,10}:\\s+)?(?:((?!\\d+:)[\\w.-]{1,64})(?::\\s+|\\s(?=\\w{1,8}/))(?=(?:\\d{1,10}:\\s|\\w{1,8}/[\\w/]{1,32}:)?[*.]?(?:\\d{4}\\s)?(?:${MONTHS})\\s))?(?:\\d{1,10}:\\s+)?(?:\\w{1,8}/[\\w/]{1,32}:)?[*.]?`,
);
/** Hours from UTC of the zones' names that Cisco's and others' clocks have; of several zones of a name the one with most senders. */
const ZONE_HOURS: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  Z: 0,
  WET: 0,
  WEST: 1,
  BST: 1,
  CET: 1,
  MEZ: 1,
  CEST: 2,
  MESZ: 2,
  SAST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  TRT: 3,
  GST: 4,
  PKT: 5,
  IST: 5.5,
  ICT: 7,
  WIB: 7,
  AWST: 8,
  HKT: 8,
  SGT: 8,
  PHT: 8,
  JST: 9,
  KST: 9,
  ACST: 9.5,
  ACDT: 10.5,
  AEST: 10,
  AEDT: 11,
  NZST: 12,
  NZDT: 13,
  BRT: -3,
  ART: -3,
  CLT: -4,
  NST: -3.5,
  NDT: -2.5,
  AST: -4,
  ADT: -3,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  AKST: -9,
  AKDT: -8,
  HST: -10,
};
const ZONES =
  'UTC|GMT|Z|WET|WEST|BST|CET|MEZ|CEST|MESZ|SAST|EET|EEST|MSK|TRT|GST|PKT|IST|ICT|WIB|AWST|HKT|SGT|PHT|JST|KST|ACST|ACDT|AEST|AEDT|NZST|NZDT|BRT|ART|CLT|NST|NDT|AST|ADT|EST|EDT|CST|CDT|MST|MDT|PST|PDT|AKST|AKDT|HST|utc|gmt|z';
/** A zone: its offset, its name, or, before Cisco's `%`, a name that nobody else knows. */
const ZONE = `(?:\\s?([+-]\\d{2}:?\\d{2})|\\s(${ZONES})|\\s[A-Z]{3,6}(?=:\\s+%))?`;
const DATE = new RegExp(
  `^(?:(?:${WEEKDAYS}),?\\s)?(?:(\\d{4})\\s)?(${MONTHS})\\s{1,2}(\\d{1,2})(?:\\s+(\\d{4}))?,?\\s+(\\d{1,2}):(\\d{2}):(\\d{2})(?:[.,](\\d{1,9}))?(?:\\s+(\\d{4})(?=[\\s:]))?${ZONE}(?:\\s(\\d{4})(?=[\\s:]))?(?::(?=\\s)|(?=\\s|$))`,
);
const ISO = new RegExp(
  `^(\\d{4})[-/](\\d{2})[-/](\\d{2})[Tt ](\\d{2}:\\d{2}:\\d{2})(?:[.,](\\d{1,9}))?(?:([Zz]|[+-]\\d{2}(?::?\\d{2})?)|\\s(${ZONES}))?(?::(?=\\s)|(?=\\s|$))`,
);
/** A host's name or address: one word that isn't a tag. */
const HOST = /^([A-Za-z0-9_.:-]{1,255})\s+(?=\S)/;
/** What only a tag behind it makes a host: letters beyond ASCII, relays (`relay/host`, `source@host`), a zone of IPv6, an address in brackets. */
const HOST_BEFORE_TAG =
  /^(\[[\da-fA-F:.]{2,45}\]|[\w.:\x80-\xff-]{1,128}(?:[/@%][\w.:-]{1,64}){0,4})\s+(?=\S)/;
/** Model, MAC address and version of an access point: `("U7PG2,788a20c0ffee,v4.0.80")`, or without what is around it. */
const ACCESS_POINT = /^(?:\("([\w.+, -]{1,128})"\)|([\w-]{1,32},[\da-f]{12},v[\w.+-]{1,40})):?\s+(?=\S)/;
/** A relay's own words before the line of another host (AIX). */
const FORWARDED = /^(?:[\w.:-]{1,255}\s)?(?:Message )?[Ff]orwarded from ([\w.:/-]{1,255}):\s+/;
/** What syslogd says in its own name; `last` isn't the host. */
const REPEATED = /^(?:last )?message repeated \d/;
const TAG = /^([^\s:[\]<>{}"'=,;|]{1,128})(?:\[([^\]\s]{0,64})\])?:(?:\s|$)/;
/** Without a colon it is a tag only with a process id, as some programs have it: `su[123] failed`. */
const TAG_WITH_PID = /^([\w./@+-]{1,128})\[(\d{1,10})\](?::|\s)/;
/** Without a space behind it, a tag is what begins with a letter and isn't the beginning of an address, a path or a figure. */
const TIGHT_TAG = /^([A-Za-z_][\w./+-]{1,127})(?:\[([^\]\s]{0,64})\])?:(?=[^\s:/\\\d])/;
const IPV6 = /^[\da-fA-F]{0,4}:[\da-fA-F:.]{1,40}(?:%\w{1,16})?\s/;
/** Cisco's, Huawei's and H3C's: `%SYS-5-CONFIG_I:`, `%PKT_INFRA-LINK-3-UPDOWN :`, `%%01IFNET/4/LINK_STATE(l)[52]:The …`. */
const DEVICE_TAG = /^(%[^\s:[\]]{3,120})(?:\[(\d{1,10})\])?\s?:\s?/;
/** A token is one wherever it stands, with a dyno or without, and with or without a colon. */
const TOKEN_TAG =
  /^(t\.[\da-f]{8}-[\da-f]{4}-[\da-f-]{1,22}(?:\/[^\s:[\]]{1,128})?)(?:\[([^\]\s]{0,64})\])?(?::\s?|\s|$)/i;

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
  const slice = bytes.subarray(start, Math.min(end, start + HEAD_BYTES));
  const text = Buffer.from(slice.buffer, slice.byteOffset, slice.length).toString('latin1');
  const spaced = SPACED_RFC5424.exec(text);
  if (spaced && Number(spaced[1]) <= PRIORITY_MAX)
    return Buffer.concat([
      Buffer.from(`<${Number(spaced[1])}>1 `),
      bytes.subarray(start + spaced[0].length, end),
    ]);
  const head = readRfc3164Head(text, now);
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

/** @param text the beginning of the line, a character a byte */
function readRfc3164Head(text: string, now: number): Rfc3164Head | undefined {
  const pri = PRI.exec(text);
  const priority = pri ? Number(pri[2]) : PRIORITY;
  if (priority > PRIORITY_MAX) return undefined;
  let at = pri ? pri[0].length : 0;
  if (pri && /^1(?:\s|$)/.test(text.slice(at))) return undefined; // RFC 5424's version: a malformed line of that format
  const before = BEFORE_TIME.exec(text.slice(at));
  const skipped = before?.[0].length ?? 0;
  const behind = readTime(text.slice(at + skipped), now);
  const time = behind ?? (skipped > 0 ? readTime(text.slice(at), now) : undefined);
  if (!pri && !time) return undefined;
  let name = '';
  if (time) {
    if (behind) {
      at += skipped;
      name = before?.[1] ?? '';
    }
    at += time.text.length;
    while (text[at] === ' ') at++;
    // Cisco's, without a host before it.
    if (text.startsWith(': %', at)) at += 2;
  } else if (text.startsWith(': %', at)) at += 2;
  const rest = text.slice(at);
  const named = (time && readCommonForm(rest)) ?? readHostAndTag(rest, time !== undefined);
  if (!time && named.tag === '' && pri) {
    // Only a time or a tag shows that these spaces are none of the message, or that the PRI isn't part of it.
    if (pri[1] !== '') return undefined;
    at = pri[0].length - pri[3].length;
  }
  return {
    priority,
    time: time?.time,
    host: printable(named.host || name),
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

const NOTHING_NAMED: HostAndTag = { host: '', tag: '', pid: '', length: 0 };

function readHostAndTag(text: string, hasTime: boolean): HostAndTag {
  const alone = readTag(text, !hasTime);
  if (alone) return { host: '', ...alone };
  // Only behind a time, or before a token, a bare word is a host; elsewhere the message has begun.
  if (!hasTime) return withHost(HOST.exec(text), text, readToken) ?? NOTHING_NAMED;
  if (REPEATED.test(text)) return NOTHING_NAMED;
  const forwarded = FORWARDED.exec(text);
  if (forwarded) {
    const { tag, pid, length } = readTag(text.slice(forwarded[0].length), true) ?? NOTHING_NAMED;
    return { host: forwarded[1], tag, pid, length: forwarded[0].length + length };
  }
  const accessPoint = ACCESS_POINT.exec(text);
  if (accessPoint) {
    const tag = readTag(text.slice(accessPoint[0].length), true) ?? NOTHING_NAMED;
    const host = accessPoint[1] ?? accessPoint[2];
    return { ...tag, host, length: accessPoint[0].length + tag.length };
  }
  const host = HOST.exec(text);
  if (!host)
    return withHost(HOST_BEFORE_TAG.exec(text), text, (rest) => readTag(rest, true)) ?? NOTHING_NAMED;
  if (host[1].endsWith(':')) return NOTHING_NAMED;
  let { length } = host[0];
  if (text.startsWith(': %', length)) length += 2; // Cisco ASA
  const tag = readTag(text.slice(length), true);
  if (tag) return { host: host[1], ...tag, length: length + tag.length };
  return { host: host[1], tag: '', pid: '', length };
}

type Tag = Omit<HostAndTag, 'host'>;

/** A host, when a tag is behind it. */
function withHost(
  host: RegExpExecArray | null,
  text: string,
  readBehind: (rest: string) => Tag | undefined,
): HostAndTag | undefined {
  const tag = host ? readBehind(text.slice(host[0].length)) : undefined;
  return host && tag ? { host: host[1], ...tag, length: host[0].length + tag.length } : undefined;
}

/** @param mayBeBareToken a token without a colon is a tag here, rather than the host */
function readTag(text: string, mayBeBareToken: boolean): Tag | undefined {
  const match = TAG.exec(text) ?? TAG_WITH_PID.exec(text);
  if (match) return toTag(match);
  if (text[0] === '%') return toTag(DEVICE_TAG.exec(text));
  const token = text[1] === '.' ? TOKEN_TAG.exec(text) : null;
  if (token && (mayBeBareToken || token[0].includes(':'))) return toTag(token);
  return IPV6.test(text) ? undefined : toTag(TIGHT_TAG.exec(text));
}

function readToken(text: string): Tag | undefined {
  return toTag(TOKEN_TAG.exec(text));
}

function toTag(match: RegExpExecArray | null): Tag | undefined {
  return match ? { tag: match[1], pid: match[2] ?? '', length: match[0].length } : undefined;
}

/**
 * The time that the minute `Oct 11 22:14` begins with, when all of its seconds are of the same minute of RFC 3339, for as long as the minute
 * `now` is in lasts; undefined when it isn't so, or the time is none that may be stored.
 */
export function rfc3164Minute(minute: string, now: number): string | undefined {
  if (!/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d$/.test(minute)) return undefined;
  const texts = ['00', '59'].flatMap((second) =>
    [now - MINUTE_MS, now + MINUTE_MS].map((at) => readTime(`${minute}:${second}`, at)?.time ?? ''),
  );
  const [first] = texts;
  const bytes = Buffer.from(first, 'latin1');
  if (!/^.{17}00\.000000\+00:00$/.test(first) || !isTimestamp(bytes, 0, bytes.length)) return undefined;
  const isOneMinute = texts.every(
    (text, i) => text === `${first.slice(0, 17)}${i < 2 ? '00' : '59'}${first.slice(19)}`,
  );
  return isOneMinute ? first : undefined;
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
    const [all, year, month, day, clock, fraction, offset, zone] = iso;
    const exact = `${year}-${month}-${day}T${clock}${fraction ? `.${fraction.slice(0, 6)}` : ''}`;
    return { time: withOffset(exact, offset?.toUpperCase() ?? (zone && zoneOffset(zone))), text: all };
  }
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [
    all,
    yearFirst,
    monthName,
    day,
    yearBefore,
    hour,
    minute,
    second,
    fraction,
    yearAfter,
    offset,
    zone,
    yearLast,
  ] = match;
  const month = MONTH_NAMES.findIndex((name) => name.toLowerCase() === monthName.toLowerCase());
  const minutes = offset ? offsetMinutes(offset) : zone ? zoneMinutes(zone) : undefined;
  const at = (year: number): number => {
    const parts = [year, month, Number(day), Number(hour), Number(minute), Number(second)] as const;
    return minutes === undefined ? new Date(...parts).getTime() : Date.UTC(...parts) - minutes * MINUTE_MS;
  };
  const given = yearFirst ?? yearBefore ?? yearAfter ?? yearLast;
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

/** Minutes from UTC of a zone's name. */
function zoneMinutes(zone: string): number {
  return ZONE_HOURS[zone.toUpperCase()] * 60;
}

function zoneOffset(zone: string): string {
  const minutes = zoneMinutes(zone);
  return minutes === 0 ? 'Z' : formatOffset(minutes);
}

/** What a header field may contain: RFC 5424 section 6, PRINTUSASCII; one `?` for a character of several bytes. */
function printable(text: string): string {
  return text.replace(/[\xc2-\xf4][\x80-\xbf]{1,3}|[^\x21-\x7e]/g, '?');
}
