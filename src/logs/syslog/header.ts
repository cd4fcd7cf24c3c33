/**
 * Finds the fields of an RFC 5424 header in place: offsets into the sender's bytes, no strings.
 *
 *     <134>1 2012-12-10T03:00:48.123456Z erlang t.feff49f1-… console.1 - - hello
 *     ^pri   ^time                       ^host  ^source      ^dyno     ^ ^ ^message
 *                                                                msgid ^ ^ structured data
 */

const SPACE = 0x20;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const DASH = 0x2d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const AT = 0x40;

/** Longest header (everything before the message) that is taken; a longer one is malformed. */
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
  /** All seven fields are there, one space apart: the line can be copied as it is. */
  complete = false;
}

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
  header.dynoStart = end;
  header.msgidStart = end;
  header.timeStart = i;
  const limit = end - start > HEADER_BYTES_MAX ? start + HEADER_BYTES_MAX : end;

  i = skipTime(bytes, i, limit);
  if (i >= limit) return false;
  header.hostStart = ++i;
  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return false;
  header.sourceStart = ++i;
  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return markTruncated(header, limit, end);
  header.dynoStart = ++i;
  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return markTruncated(header, limit, end);
  header.msgidStart = ++i;
  while (i < limit && bytes[i] !== SPACE) i++;
  if (i >= limit) return markTruncated(header, limit, end);
  header.sdStart = ++i;
  if (bytes[i] === DASH && bytes[i + 1] === SPACE && i + 1 < end) {
    header.messageStart = i + 2;
    header.complete = hasNoEmptyField(header);
  } else scanStructuredData(bytes, i, end, limit, header);
  header.sdEnd = header.messageStart;
  if (bytes[header.messageStart] === 0xef) skipByteOrderMark(bytes, end, header);
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
  return true;
}

/** The byte order mark of RFC 5424 section 6.4 says that the message is UTF-8; it isn't part of the text. */
function skipByteOrderMark(bytes: Uint8Array, end: number, header: SyslogHeader): void {
  const at = header.messageStart;
  if (at + 3 > end || bytes[at + 1] !== 0xbb || bytes[at + 2] !== 0xbf) return;
  header.messageStart = at + 3;
  header.complete = false;
}

/** A timestamp of the common 32 or 27 bytes is recognized by its separators; others are searched for their end. */
function skipTime(bytes: Uint8Array, i: number, limit: number): number {
  if (i + 33 < limit && bytes[i + 10] === 0x54 && bytes[i + 19] === 0x2e) {
    if (bytes[i + 32] === SPACE && bytes[i + 29] === 0x3a && bytes[i + 26] !== 0x5a) return i + 32;
    if (bytes[i + 27] === SPACE && bytes[i + 26] === 0x5a) return i + 27;
  }
  while (i < limit && bytes[i] !== SPACE) i++;
  return i;
}

/** The line ends inside its header, after APP-NAME: what is missing counts as absent (NILVALUE). */
function markTruncated(header: SyslogHeader, limit: number, end: number): boolean {
  header.sdStart = end;
  header.messageStart = end;
  header.sdEnd = end;
  return limit === end;
}

function scanStructuredData(
  bytes: Uint8Array,
  sdStart: number,
  end: number,
  limit: number,
  header: SyslogHeader,
): void {
  if (sdStart === end - 1 && bytes[sdStart] === DASH) {
    header.messageStart = end;
    return;
  }
  const sdEnd = bytes[sdStart] === OPEN_BRACKET ? skipStructuredData(bytes, sdStart, limit) : -1;
  if (sdEnd === -1) {
    header.messageStart = sdStart; // Heroku's form: after MSGID comes the message
    return;
  }
  header.messageStart = sdEnd === end ? end : sdEnd + 1;
  header.complete = sdEnd < end && hasNoEmptyField(header);
}

/** Two spaces in a row are an empty field, which receivers couldn't parse: it has to be filled in. */
function hasNoEmptyField({ hostStart, sourceStart, dynoStart, msgidStart, sdStart }: SyslogHeader): boolean {
  return sourceStart - hostStart > 1 && msgidStart - dynoStart > 1 && sdStart - msgidStart > 1;
}

/**
 * The end of the structured data elements that start at `i`, or -1 when they are not well formed or not
 * followed by a space or the line's end: then the bracket belongs to the message. RFC 5424 section 6.3.
 *
 * An element without parameters has to have an `@` in its name (section 6.3.2: names without one are registered,
 * and all of them have parameters): `[info] started` is a message, of a sender who leaves structured data out.
 */
function skipStructuredData(bytes: Uint8Array, i: number, limit: number): number {
  while (i < limit && bytes[i] === OPEN_BRACKET) {
    i++;
    // SD-ID: at least one printable character that is none of `= ] "`.
    const idStart = i;
    while (i < limit && isNameByte(bytes[i])) i++;
    if (i === idStart) return -1;
    if (bytes[i] === CLOSE_BRACKET && bytes.subarray(idStart, i).indexOf(AT) === -1) return -1;
    while (i < limit && bytes[i] === SPACE) {
      i++;
      while (i < limit && isNameByte(bytes[i])) i++;
      if (bytes[i] !== 0x3d || bytes[i + 1] !== QUOTE) return -1;
      i += 2;
      while (i < limit && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
      i++;
    }
    if (i >= limit || bytes[i] !== CLOSE_BRACKET) return -1;
    i++;
  }
  return i === limit || bytes[i] === SPACE ? i : -1;
}

function isNameByte(byte: number): boolean {
  return byte > SPACE && byte < 0x7f && byte !== 0x3d && byte !== CLOSE_BRACKET && byte !== QUOTE;
}
