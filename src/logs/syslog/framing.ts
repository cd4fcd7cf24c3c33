/**
 * Cuts a byte stream into frames, as RFC 6587 describes: octet counting (`<length> <line>`) and framing by a trailer (RFC:
 * non-transparent framing), distinguished frame by frame, so that both may alternate on one connection.
 *
 * The trailer is a newline or a NUL: the first one that a connection sends decides. The other one then belongs to
 * the message (so NUL-framed messages may have several lines), unless what follows it can only be a new frame.
 */

const NUL = 0x00;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Longest frame that is taken; a longer one is skipped up to the next newline, and counted. */
export const FRAME_BYTES_MAX = 1_048_576;

/** What {@link FrameScanner.next} found. */
export const FrameStatus = {
  /** `start` and `end` name one whole frame. */
  complete: 0,
  /** The rest, from `pos` on, is the beginning of a frame: more bytes are needed. */
  partial: 1,
  /** Bytes that belong to no frame were skipped up to the next newline, and counted. */
  skipped: 2,
} as const;
export type FrameStatus = (typeof FrameStatus)[keyof typeof FrameStatus];

/**
 * Scans one chunk after another for frames. The caller keeps what is left (from `pos` on) and puts it in front of the next chunk;
 * the scanner's own state is whether it is inside of bytes to be skipped, and which trailer the connection has.
 */
export class FrameScanner {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the next frame starts. */
  pos = 0;
  /** The frame that `next()` found: `bytes[start, end)`, without its length prefix or line end. */
  start = 0;
  end = 0;
  /** Frames that were skipped as malformed. */
  skippedCount = 0;
  private skipping = false;
  /** No newline before here: a line that arrives byte by byte is searched once, not once a byte. */
  private searchedUpTo = 0;
  /** What ends this connection's lines; undefined before the first one. */
  private trailer: typeof NEWLINE | typeof NUL | undefined;
  /** Where the next NUL is, `bytes.length` when there is none: most streams have none, and it is searched once. */
  private nulAt = -1;

  /** Sets the bytes to scan next: what was left from `pos` on, and what came after it. */
  setInput(bytes: Uint8Array): void {
    this.searchedUpTo = this.searchedUpTo > this.pos ? this.searchedUpTo - this.pos : 0;
    this.bytes = bytes;
    this.pos = 0;
    this.nulAt = -1;
  }

  /** A frame starts at `pos`, as far as is known: nothing is being skipped. */
  get isAtFrameStart(): boolean {
    return !this.skipping;
  }

  /** Finds the next frame. */
  next(): FrameStatus {
    const bytes = this.bytes;
    const length = bytes.length;
    let i = this.pos;
    if (this.skipping) return this.skipToNewline(i);
    // Line ends and NULs between frames are separators (RFC 6587 section 3.4.2 knows senders of both).
    while (i < length && (bytes[i] === NEWLINE || bytes[i] === RETURN || bytes[i] === 0)) i++;
    this.pos = i;
    if (i >= length) return FrameStatus.partial;
    let byte = bytes[i];
    if (byte < 0x31 || byte > 0x39) return this.scanLine(i);
    let count = byte - 0x30;
    let digits = 1;
    while (++i < length) {
      byte = bytes[i];
      if (byte < 0x30 || byte > 0x39) break;
      count = count * 10 + (byte - 0x30);
      if (++digits > 10) return this.skipToNewline(this.pos);
    }
    if (i >= length) return FrameStatus.partial;
    if (byte !== SPACE) return this.scanLine(this.pos);
    if (count > FRAME_BYTES_MAX) return this.skipToNewline(this.pos);
    i++;
    // A counted frame that doesn't start with a PRI: the count, or an earlier one, was wrong.
    if (i < length && bytes[i] !== 0x3c) return this.scanLine(this.pos);
    if (i + count > length) return FrameStatus.partial;
    this.start = i;
    this.end = i + count;
    this.pos = i + count;
    return FrameStatus.complete;
  }

  /** The bytes that are left when the connection ends: the last line may come without its newline. */
  takeFinalLine(): boolean {
    if (this.skipping || this.pos >= this.bytes.length) return false;
    this.start = this.pos;
    this.end = this.bytes.length;
    this.pos = this.end;
    if (this.bytes[this.end - 1] === NUL) this.end--;
    return true;
  }

  private scanLine(from: number): FrameStatus {
    const { bytes } = this;
    for (let search = Math.max(this.searchedUpTo, from); ; ) {
      const newline = bytes.indexOf(NEWLINE, search);
      const nul = this.nextNul(search);
      const at = newline === -1 || nul < newline ? nul : newline;
      if (at === bytes.length) {
        this.searchedUpTo = at;
        return bytes.length - from <= FRAME_BYTES_MAX ? FrameStatus.partial : this.skipToNewline(from);
      }
      const trailer = at === nul ? NUL : NEWLINE;
      if (this.trailer !== undefined && this.trailer !== trailer) {
        const follows = startsFrame(bytes, at + 1);
        if (follows === undefined) {
          this.searchedUpTo = at;
          return bytes.length - from <= FRAME_BYTES_MAX ? FrameStatus.partial : this.skipToNewline(from);
        }
        if (!follows) {
          search = at + 1;
          continue;
        }
      }
      this.trailer = trailer;
      this.start = from;
      this.end = trailer === NEWLINE && at > from && bytes[at - 1] === RETURN ? at - 1 : at;
      this.pos = at + 1;
      return FrameStatus.complete;
    }
  }

  private nextNul(from: number): number {
    if (this.nulAt < from) {
      const at = this.bytes.indexOf(NUL, from);
      this.nulAt = at === -1 ? this.bytes.length : at;
    }
    return this.nulAt;
  }

  private skipToNewline(from: number): FrameStatus {
    if (!this.skipping) this.skippedCount++;
    const at = this.bytes.indexOf(NEWLINE, from);
    this.skipping = at === -1;
    this.pos = at === -1 ? this.bytes.length : at + 1;
    return this.skipping ? FrameStatus.partial : FrameStatus.skipped;
  }
}

/**
 * Do the bytes at `i` begin a frame, `<PRI>` with or without a count before it? Undefined when there are too few of them
 * to say.
 */
function startsFrame(bytes: Uint8Array, i: number): boolean | undefined {
  const { length } = bytes;
  let digits = 0;
  while (i < length && isDigit(bytes[i]) && digits < 10) {
    i++;
    digits++;
  }
  if (i === length) return undefined;
  if (digits > 0 && bytes[i++] !== SPACE) return false;
  if (i === length) return undefined;
  if (bytes[i++] !== LESS_THAN) return false;
  for (digits = 0; digits < 3 && i < length && isDigit(bytes[i]); digits++) i++;
  if (i === length) return undefined;
  return digits > 0 && bytes[i] === GREATER_THAN;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
