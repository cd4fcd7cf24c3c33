/**
 * Parses the header of one frame: `<40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed…`. Heroku's drains
 * leave structured data out: the message begins right after MSGID, even if it looks like structured data. The form
 * `rfc5424` has it (RFC 5424, 6.3), and it is skipped.
 */

const SPACE = 0x20;
const QUOTE = 0x22;
const DASH = 0x2d;
const BACKSLASH = 0x5c;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Offsets into the frame; `to` is the first byte after. */
export interface ByteRange {
  from: number;
  to: number;
}

/** Where the fields of a received line are. */
export interface DrainHeader {
  time: ByteRange;
  source: ByteRange;
  dyno: ByteRange;
  /** Where the message begins; it ends with the frame. */
  messageFrom: number;
}

/** `undefined` when this is no syslog header: the frame is then kept whole, and has no fields. */
export function parseDrainHeader(frame: Buffer, form: 'heroku' | 'rfc5424'): DrainHeader | undefined {
  const timeFrom = afterPriorityAndVersion(frame);
  if (timeFrom === undefined) return undefined;
  const spans: ByteRange[] = [];
  let from = timeFrom;
  // TIMESTAMP HOSTNAME APP-NAME PROCID MSGID; only the last may be followed by nothing.
  for (let field = 0; field < 5; field++) {
    const space = frame.indexOf(SPACE, from);
    const isLast = field === 4;
    if (space === -1 && !isLast) return undefined;
    const to = space === -1 ? frame.length : space;
    if (to === from) return undefined;
    spans.push({ from, to });
    from = Math.min(to + 1, frame.length);
  }
  const messageFrom = form === 'rfc5424' ? afterStructuredData(frame, from) : from;
  return {
    time: spans[0],
    source: spans[2],
    dyno: spans[3],
    messageFrom: afterByteOrderMark(frame, messageFrom),
  };
}

function afterPriorityAndVersion(frame: Buffer): number | undefined {
  // The longest start is `<191>1 `; latin1 keeps bytes and characters the same.
  const match = /^<\d{1,3}>\d{1,2} /.exec(frame.toString('latin1', 0, 8));
  return match?.[0].length;
}

function afterStructuredData(frame: Buffer, from: number): number {
  if (frame[from] === DASH && (from + 1 === frame.length || frame[from + 1] === SPACE)) {
    return Math.min(from + 2, frame.length);
  }
  let at = from;
  while (frame[at] === OPEN) {
    const end = afterElement(frame, at + 1);
    // Never closed, so it is no structured data: everything is the message.
    if (end === undefined) return from;
    at = end;
  }
  return at > from && frame[at] === SPACE ? at + 1 : at;
}

/** The byte after the `]` that ends the element; a `]` or `"` inside a value is escaped by a backslash. */
function afterElement(frame: Buffer, from: number): number | undefined {
  let isQuoted = false;
  for (let at = from; at < frame.length; at++) {
    if (isQuoted && frame[at] === BACKSLASH) at++;
    else if (frame[at] === QUOTE) isQuoted = !isQuoted;
    else if (frame[at] === CLOSE && !isQuoted) return at + 1;
  }
  return undefined;
}

function afterByteOrderMark(frame: Buffer, from: number): number {
  const isMark = frame[from] === 0xef && frame[from + 1] === 0xbb && frame[from + 2] === 0xbf;
  return isMark ? from + 3 : from;
}
