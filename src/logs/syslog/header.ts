/**
 * Finds the fields of an RFC 5424 header in place: offsets into the sender's bytes, no strings.
 *
 *     <134>1 2012-12-10T03:00:48.123456Z erlang t.feff49f1-… console.1 - - hello
 *     ^pri   ^time                       ^host  ^source      ^dyno     ^ ^ ^message
 *                                                                msgid ^ ^ structured data
 */
import { HOSTNAME_BYTES_MAX, hasToken, MSGID_BYTES_MAX, PROCID_BYTES_MAX } from './fields/header-field.ts';
import { StructuredDataScan, startsTokenElement } from './fields/structured-data.ts';

const SPACE = 0x20;
const ZERO = 0x30;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const DASH = 0x2d;
const COLON = 0x3a;
const CAPITAL_T = 0x54;
const DELETE = 0x7f;
const OPEN_BRACKET = 0x5b;

/** Longest header (everything before structured data) that is taken; a longer one is malformed. */
export const HEADER_BYTES_MAX = 8_192;

/**
 * Offsets of one line's fields, absolute in the buffer that was scanned. One object is reused for
 * line after line, so that the hot path doesn't allocate.
 */
export class SyslogHeader {
  /** PRIVAL of RFC 5424 section 6.2.1: facility * 8 + severity. */
  priority = 0;
  timeStart = 0;
  hostStart = 0;
  sourceStart = 0;
  dynoStart = 0;
  msgidStart = 0;
  /** Where structured data starts; equal to messageStart when the sender left it out. */
  sdStart = 0;
  messageStart = 0;
  /** Where structured data ends, and the space after it: before a byte order mark that the message doesn't keep. */
  sdEnd = 0;
  /**
   * All seven fields are there, one space apart, as they may be stored (see header-field.ts): the line can be copied as it is. What
   * APP-NAME and the timestamp are doesn't count: the one is replaced, the other checked when the line is stored.
   */
  complete = false;
  /** Structured data can be stored as they are. */
  hasCleanData = false;
  /** What counts as message has, or may have, structured data in it: tokens are taken out. */
  mayHoldToken = false;
}

const structuredData = new StructuredDataScan();
/** {@link skipField} has met a byte that a field can't have. */
let hasOddByte = false;

/**
 * Scans the header of the line in `bytes[start, end)`.
 *
 * Tolerant where senders are known to differ: structured data may be missing (Heroku's own drains leave
 * it out), and so may everything after APP-NAME. Returns false when there is no `<PRI>1 ` in front, the
 * PRI is over 191, there is no APP-NAME, or the header is longer than {@link HEADER_BYTES_MAX}: malformed.
 * RFC 5424 section 6.
 */
export function scanHeader(bytes: Uint8Array, start: number, end: number, header: SyslogHeader): boolean {
  let i = start;
  if (end - start < 8 || bytes[i] !== LESS_THAN) return false;
  i++;
  let priority = bytes[i++] - 0x30;
  if (priority < 0 || priority > 9) return false;
  let byte = bytes[i++];
  if (byte !== GREATER_THAN) {
    priority = priority * 10 + (byte - 0x30);
    if (byte < 0x30 || byte > 0x39) return false;
    byte = bytes[i++];
    if (byte !== GREATER_THAN) {
      priority = priority * 10 + (byte - 0x30);
      if (byte < 0x30 || byte > 0x39 || priority > 191) return false;
      if (bytes[i++] !== GREATER_THAN) return false;
    }
  }
  if (bytes[i] !== 0x31 || bytes[i + 1] !== SPACE) return false;
  i += 2;
  header.priority = priority;
  header.complete = false;
  header.hasCleanData = false;
  header.mayHoldToken = false;
  header.dynoStart = end;
  header.msgidStart = end;
  header.timeStart = i;
  const limit = end - start > HEADER_BYTES_MAX ? start + HEADER_BYTES_MAX : end;

  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return false;
  header.hostStart = ++i;
  hasOddByte = false;
  i = skipField(bytes, i, limit);
  if (i >= limit) return false;
  header.sourceStart = ++i;
  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return markTruncated(header, limit, end);
  header.dynoStart = ++i;
  i = skipField(bytes, i, limit);
  if (i >= limit) return markTruncated(header, limit, end);
  header.msgidStart = ++i;
  i = skipField(bytes, i, limit);
  if (i >= limit) return markTruncated(header, limit, end);
  header.sdStart = ++i;
  if (bytes[i] === DASH && bytes[i + 1] === SPACE && i + 1 < end) {
    header.messageStart = i + 2;
    header.complete = hasCleanFields(bytes, start, header);
  } else scanStructuredData(bytes, start, end, header);
  header.sdEnd = header.messageStart;
  if (bytes[header.messageStart] === 0xef) skipByteOrderMark(bytes, end, header);
  if (bytes[header.messageStart] === OPEN_BRACKET && startsTokenElement(bytes, header.messageStart, end)) {
    header.mayHoldToken = true;
    header.complete = false;
  }
  return true;
}

/**
 * The same for a line in the format of Heroku's HTTPS drains, which has no structured data: whatever comes after MSGID
 * is the message, even a dash or a bracket.
 */
export function scanHerokuDrainHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
): boolean {
  if (!scanHeader(bytes, start, end, header)) return false;
  header.messageStart = header.sdStart;
  header.sdEnd = header.sdStart;
  header.complete = false;
  header.hasCleanData = false;
  header.mayHoldToken = false;
  return true;
}

/** Bytes of a time and the space behind it that may be none of RFC 5424: a date alone, seconds since 1970. See {@link repairHeader}. */
export const ODD_TIME_BYTES_MIN = 11;
export const ODD_TIME_BYTES_MAX = 21;

/**
 * The line as its sender has meant it, when its time shows that it isn't RFC 5424 in spite of its version; `header` is scanned again
 * then. Undefined for other lines.
 */
export function repairHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
): Buffer | undefined {
  const { timeStart, hostStart } = header;
  if (bytes[timeStart + 4] !== DASH) return separateMessage(bytes, start, end, header);
  return hostStart - timeStart === ODD_TIME_BYTES_MIN
    ? joinDateAndTime(bytes, start, end, header)
    : undefined;
}

/** Meraki's form, `<134>1 1795248000.123456789 mx84 flows src=192.0.2.7 …`: seconds since 1970, and behind the program the message. */
function separateMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
): Buffer | undefined {
  const { timeStart, hostStart, sourceStart, dynoStart, sdStart, messageStart } = header;
  for (let i = timeStart; i < hostStart - 1; i++) {
    const isDigit = bytes[i] >= 0x30 && bytes[i] <= 0x39;
    if (i - timeStart === 10 ? bytes[i] !== 0x2e : !isDigit) return undefined;
  }
  const hasAllFields = messageStart > sdStart || (sdStart < end && bytes[sdStart] === DASH);
  if (hasAllFields || sourceStart >= end) return undefined;
  const messageAt = Math.min(dynoStart, end);
  const fields = Buffer.from(dynoStart < end ? '- - - ' : ' - - - ');
  const line = Buffer.concat([bytes.subarray(start, messageAt), fields, bytes.subarray(messageAt, end)]);
  if (scanHeader(line, 0, line.length, header)) return line;
  scanHeader(bytes, start, end, header);
  return undefined;
}

/**
 * The line with one word as its time, when its date and clock are two, `>1 2012-12-10 03:00:48 host`, so that the clock was taken for the
 * host; `header` is scanned again then. Undefined for other lines.
 */
function joinDateAndTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
): Buffer | undefined {
  const { timeStart, hostStart, sourceStart } = header;
  if (bytes[timeStart + 4] !== DASH || bytes[timeStart + 7] !== DASH) return undefined;
  if (sourceStart - hostStart < 9 || bytes[hostStart + 2] !== COLON || bytes[hostStart + 5] !== COLON)
    return undefined;
  const line = Buffer.from(bytes.subarray(start, end));
  line[hostStart - 1 - start] = CAPITAL_T;
  if (scanHeader(line, 0, line.length, header)) return line;
  scanHeader(bytes, start, end, header);
  return undefined;
}

/** The byte order mark of RFC 5424 section 6.4 says that the message is UTF-8; it isn't part of the text. */
function skipByteOrderMark(bytes: Uint8Array, end: number, header: SyslogHeader): void {
  const at = header.messageStart;
  if (at + 3 > end || bytes[at + 1] !== 0xbb || bytes[at + 2] !== 0xbf) return;
  header.messageStart = at + 3;
  header.complete = false;
}

/** The line ends inside its header, after APP-NAME: what is missing counts as absent (NILVALUE). */
function markTruncated(header: SyslogHeader, limit: number, end: number): boolean {
  header.sdStart = end;
  header.messageStart = end;
  header.sdEnd = end;
  return limit === end;
}

/** Where the field that starts at `i` ends: at the next space, or at `limit`. */
function skipField(bytes: Uint8Array, i: number, limit: number): number {
  for (; i < limit; i++) {
    const byte = bytes[i];
    if (byte > SPACE && byte < DELETE) continue;
    if (byte === SPACE) return i;
    hasOddByte = true;
  }
  return limit;
}

/** Scans what comes after MSGID, when that isn't a NILVALUE and a space. */
function scanStructuredData(bytes: Uint8Array, start: number, end: number, header: SyslogHeader): void {
  const { sdStart } = header;
  if (sdStart === end - 1 && bytes[sdStart] === DASH) {
    header.messageStart = end;
    return;
  }
  if (bytes[sdStart] !== OPEN_BRACKET || !structuredData.scan(bytes, sdStart, end)) {
    header.messageStart = sdStart; // Heroku's form: after MSGID comes the message
    let i = sdStart;
    while (i < end && bytes[i] === SPACE) i++;
    header.mayHoldToken = bytes[i] === OPEN_BRACKET;
    return;
  }
  const sdEnd = structuredData.end;
  header.messageStart = sdEnd === end ? end : sdEnd + 1;
  header.hasCleanData = structuredData.isClean;
  header.complete = sdEnd < end && structuredData.isClean && hasCleanFields(bytes, start, header);
}

/**
 * Are PRI, HOSTNAME, PROCID and MSGID as they are stored? Two spaces in a row are an empty field, which receivers couldn't parse: it
 * has to be filled in.
 */
function hasCleanFields(bytes: Uint8Array, start: number, header: SyslogHeader): boolean {
  const { timeStart, hostStart, sourceStart, dynoStart, msgidStart, sdStart } = header;
  const hostEnd = sourceStart - 1;
  const dynoEnd = msgidStart - 1;
  const msgidEnd = sdStart - 1;
  return (
    !hasOddByte &&
    hostEnd > hostStart &&
    hostEnd - hostStart <= HOSTNAME_BYTES_MAX &&
    dynoEnd > dynoStart &&
    dynoEnd - dynoStart <= PROCID_BYTES_MAX &&
    msgidEnd > msgidStart &&
    msgidEnd - msgidStart <= MSGID_BYTES_MAX &&
    !hasToken(bytes, hostStart, hostEnd) &&
    !hasToken(bytes, dynoStart, dynoEnd) &&
    !hasToken(bytes, msgidStart, msgidEnd) &&
    // "<0>1 " is the shortest form; no leading zeros (section 6.2.1).
    (bytes[start + 1] !== ZERO || timeStart - start === 5)
  );
}
