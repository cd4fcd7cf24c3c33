/**
 * Cuts a byte stream into frames, as RFC 6587 describes: octet counting (`<length> <line>`) and framing by a trailer (RFC:
 * non-transparent framing), distinguished frame by frame, so that both may alternate on one connection.
 *
 * The trailer is a newline or a NUL: the first one that a connection sends decides. The other one then belongs to
 * the message (so NUL-framed messages may have several lines), unless what follows it can only be a new frame.
 *
 * A count is believed unless the bytes behind the frame can't begin another one. Then, and where a counted frame was due and none
 * is there, the next place is looked for where a count and a PRI fit; what lies between is a line of its own. Nothing that a
 * message contains can move the ends of frames that are counted right, or that end with the connection's trailer.
 */
import { utf8CharacterStart } from '../../common/text/utf8.ts';
import {
  Behind,
  beginsWithPriority,
  endsInHeader,
  explainShortCount,
  FRAME_BYTES_MAX,
  findFittingCount,
  findFrame,
  findFramesToEnd,
  findLineWithPriority,
  findSwallowedCount,
  fitsCount,
  hasByteOrderMark,
  hasPriority,
  isBehindCount,
  isBeyondDoubt,
  isContradicted,
  isDigit,
  isPriorityAt,
  isSeparator,
  lookBehind,
  MARK_BYTES,
  readCount,
  realignCount,
} from './frame-boundary.ts';

const NUL = 0x00;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const LESS_THAN = 0x3c;
/** The first byte of a byte order mark in UTF-8, EF BB BF. */
const MARK = 0xef;
/** More digits than this are no count, however wrong. */
const DIGITS_MAX = 32;
/** Spaces that are read over between a count and a PRI. */
const SPACES_MAX = 8;
/** `<191>` */
const PRIORITY_BYTES_MAX = 5;
/** Of bytes that were searched for a frame so many are searched again: a count and a PRI may be among them, cut in two. */
const SEARCH_OVERLAP = 24;
/** A count up to here is believed of a frame that is longer than is taken, when there is no other frame in what is; beyond, it is no count. */
const OVERSIZED_BYTES_MAX = 64 * FRAME_BYTES_MAX;
/** A frame that is there waits for what comes behind it, to tell where it ends, only when it isn't longer: it is looked at with each chunk. */
const WAIT_BYTES_MAX = 65_536;
/** So many counted frames without PRIs, one behind the other, are no accident. */
const BARE_FRAMES_MIN = 3;
/** So many counted frames that end exactly where the bytes end, in what began as a line. */
const FRAMES_IN_LINE_MIN = 2;
/** The same in what began as a count. */
const FRAMES_IN_COUNTED_MIN = 1;

/** What {@link FrameScanner.next} found. */
export const FrameStatus = {
  /** `start` and `end` name one whole frame. */
  complete: 0,
  /** The rest, from `pos` on, is the beginning of a frame: more bytes are needed. */
  partial: 1,
  /** Bytes that belong to no frame were skipped; go on. */
  skipped: 2,
} as const;
export type FrameStatus = (typeof FrameStatus)[keyof typeof FrameStatus];

/** How frames are told apart, where it is the same for several. */
export const Framing = {
  counted: 0,
  newlines: 1,
  nuls: 2,
  /** They are counted, and no count can be wrong. */
  datagrams: 3,
} as const;
export type Framing = (typeof Framing)[keyof typeof Framing];

/** What becomes of the beginning of a frame. */
export const Patience = {
  /** Its rest is waited for. */
  wait: 0,
  /** Its rest should have come by now: its count is given up if other frames are in it. */
  stalled: 1,
  /** Nothing more comes: what is there is taken. */
  ended: 2,
} as const;
export type Patience = (typeof Patience)[keyof typeof Patience];

/**
 * Scans one chunk after another for frames. The caller keeps what is left (from `pos` on) and puts it in front of the next chunk;
 * the scanner's own state is how the frames before were framed, and whether it is inside of bytes to be skipped.
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
  /** Frames that were longer than is taken: their beginnings were taken. */
  oversizedCount = 0;
  /** Frames whose count couldn't be right, or that should have had one: what was found instead was taken. */
  resyncCount = 0;
  patience: Patience = Patience.wait;
  /** What is to come of a line that was too long is skipped. */
  private skipping = false;
  /** So many bytes are to come of a counted frame that was too long. */
  private skipBytes = 0;
  /** The last frame was counted, or should have been; undefined before the first one. */
  private isCounted: boolean | undefined;
  /** No trailer before here: a line that arrives byte by byte is searched once, not once a byte. */
  private searchedUpTo = 0;
  /** No frame with a PRI begins before here. */
  private framesSearchedUpTo = 0;
  /** What ends this connection's lines; undefined before the first one. */
  private trailer: typeof NEWLINE | typeof NUL | undefined;
  /** Where the next NUL is, `bytes.length` when there is none: most streams have none, and it is searched once. */
  private nulAt = -1;

  /** Sets the bytes to scan next: what was left from `pos` on, and what came after it. */
  setInput(bytes: Uint8Array): void {
    this.searchedUpTo = this.searchedUpTo > this.pos ? this.searchedUpTo - this.pos : 0;
    this.framesSearchedUpTo = this.framesSearchedUpTo > this.pos ? this.framesSearchedUpTo - this.pos : 0;
    this.bytes = bytes;
    this.pos = 0;
    this.nulAt = -1;
  }

  /**
   * How the frame at `pos` seems to be framed, for somebody else who may take some (see wasm-codec.ts): counted, or as a line with this
   * connection's trailer. Undefined when only {@link next} can tell, or bytes are being skipped.
   */
  get framing(): Framing | undefined {
    const { bytes, pos } = this;
    if (this.skipping || this.skipBytes > 0 || pos >= bytes.length) return undefined;
    if (isDigit(bytes[pos])) return Framing.counted;
    if (bytes[pos] !== LESS_THAN || this.isCounted !== false || this.trailer === undefined) return undefined;
    return this.trailer === NEWLINE ? Framing.newlines : Framing.nuls;
  }

  /** The frames before `pos` were taken by somebody else, as {@link framing} said. */
  advanceTo(pos: number): void {
    if (pos === this.pos) return;
    if (isDigit(this.bytes[this.pos])) this.isCounted = true;
    this.pos = pos;
  }

  /** Finds the next frame. */
  next(): FrameStatus {
    const { bytes } = this;
    const { length } = bytes;
    let i = this.pos;
    if (this.skipping) return this.skip(i);
    if (this.skipBytes > 0) {
      i = Math.min(i + this.skipBytes, length);
      this.skipBytes -= i - this.pos;
    }
    while (i < length && isSeparator(bytes[i])) i++;
    this.pos = i;
    if (i >= length) return FrameStatus.partial;
    let byte = bytes[i];
    if (!isDigit(byte)) {
      if (byte !== MARK) return this.scanLine(i);
      const isMark = hasByteOrderMark(bytes, i);
      if (isMark === undefined && this.patience !== Patience.ended) return FrameStatus.partial;
      if (!isMark || i + MARK_BYTES >= length || !isDigit(bytes[i + MARK_BYTES])) return this.scanLine(i);
      i += MARK_BYTES;
      this.pos = i;
      byte = bytes[i];
    }
    let count = byte - ZERO;
    let digits = 1;
    while (++i < length) {
      byte = bytes[i];
      if (!isDigit(byte)) break;
      count = count * 10 + (byte - ZERO);
      if (++digits > DIGITS_MAX) return this.scanLine(this.pos);
    }
    if (i >= length) return this.takeDigits();
    if (byte !== SPACE) return this.scanLine(this.pos);
    const content = ++i;
    const end = content + count;
    // Nearly all of them.
    if (count >= PRIORITY_BYTES_MAX && end < length && isPriorityAt(bytes, content))
      if (count <= FRAME_BYTES_MAX && isBeyondDoubt(bytes, end, digits)) {
        this.start = content;
        this.end = end;
        this.pos = end;
        this.isCounted = true;
        return FrameStatus.complete;
      }
    let isPriority = hasPriority(bytes, i);
    if (isPriority) return this.takeCounted(i, count, digits);
    // One space is the rule; some have more.
    while (bytes[i] === SPACE && i - content < SPACES_MAX) i++;
    if (i > content) isPriority = hasPriority(bytes, i);
    if (isPriority && this.areSpacesCounted(content, i, count)) return this.counted(i, content + count);
    if (isPriority) return this.takeCounted(i, count, digits);
    if (isPriority === undefined && this.patience !== Patience.ended) return FrameStatus.partial;
    return this.takeBare(content, count);
  }

  /** Are the spaces before the PRI at `priorityAt` the frame's own? Only with them is a frame, or nothing more, behind it. */
  private areSpacesCounted(content: number, priorityAt: number, count: number): boolean {
    const { bytes } = this;
    const end = content + count;
    if (end <= priorityAt || end > bytes.length) return false;
    if (end === bytes.length) return this.patience !== Patience.wait;
    if (lookBehind(bytes, end) !== Behind.frame) return false;
    // A digit of the message may look like one of the next count, and the other way round.
    return lookBehind(bytes, priorityAt + count) !== Behind.frame || fitsCount(bytes, end);
  }

  /** The frame with a PRI whose content begins at `content`. */
  private takeCounted(content: number, count: number, digits: number): FrameStatus {
    const { bytes } = this;
    const end = content + count;
    if (count === 0 || count > OVERSIZED_BYTES_MAX) return this.scanLine(content, true);
    if (count > FRAME_BYTES_MAX) return this.takeOversized(content, count);
    if (end >= bytes.length) return end === bytes.length ? this.counted(content, end) : this.takeCut(content);
    const behind = lookBehind(bytes, end);
    if (behind === Behind.nothing) return this.takeMiscounted(content, count, digits);
    if (behind === Behind.number) return this.takeBefore(content, count, digits);
    let next = end;
    if (isBehindCount(bytes, end)) {
      const mayWait = this.patience === Patience.wait;
      const swallowed = findSwallowedCount(bytes, content + 1, end, digits, mayWait);
      if (swallowed === undefined) return FrameStatus.partial;
      next = swallowed;
    } else if (isContradicted(bytes, end)) next = realignCount(bytes, content, end, digits);
    return next === end || next === -1 ? this.counted(content, end) : this.miscounted(content, next);
  }

  /** A frame with a PRI, longer than is taken: unless another one begins in what would be, it is cut. */
  private takeOversized(content: number, count: number): FrameStatus {
    const { bytes } = this;
    const cutAt = content + FRAME_BYTES_MAX;
    const limit = Math.min(cutAt, bytes.length);
    const search = Math.max(content, this.framesSearchedUpTo);
    const next = this.findBoundary(content, limit, 0, search);
    if (next !== -1) return this.miscounted(content, next);
    this.framesSearchedUpTo = limit - SEARCH_OVERLAP;
    if (bytes.length <= cutAt)
      return this.patience === Patience.wait ? FrameStatus.partial : this.takeCut(content);
    this.counted(content, cutAt + 1);
    this.pos = cutAt;
    this.skipBytes = count - FRAME_BYTES_MAX;
    return this.complete();
  }

  /** A frame with a PRI that reaches over the end of the bytes. */
  private takeCut(content: number): FrameStatus {
    const { bytes, patience } = this;
    const { length } = bytes;
    if (patience === Patience.wait) return FrameStatus.partial;
    const isLine = this.isCounted === false;
    if (patience === Patience.stalled) {
      const next = findFramesToEnd(bytes, this.pos, FRAMES_IN_COUNTED_MIN);
      if (next !== -1) return this.miscounted(next < content ? this.pos : content, next);
      return isLine && bytes[length - 1] === NEWLINE ? this.scanLine(content, true) : FrameStatus.partial;
    }
    if (isLine) return this.scanLine(content, true);
    const own = findFittingCount(bytes, this.pos + 1, content - 1, 0);
    if (own !== -1) return this.miscounted(this.pos, own);
    const next = this.findBoundary(content, length, 0);
    if (next !== -1) return this.miscounted(content, next);
    if (!endsInHeader(bytes, content, length)) return this.miscounted(content, length);
    this.skippedCount++;
    this.pos = length;
    return FrameStatus.skipped;
  }

  /** A frame behind which is a number, maybe the count of a frame without a PRI: whether its end fits isn't there yet. */
  private takeBefore(content: number, count: number, digits: number): FrameStatus {
    const end = content + count;
    // Most could end nowhere else.
    if (count > WAIT_BYTES_MAX || this.findBoundary(content, end, digits) === -1)
      return this.counted(content, end);
    return this.patience === Patience.wait
      ? FrameStatus.partial
      : this.takeMiscounted(content, count, digits);
  }

  /** A frame with a PRI behind which no other one can begin. */
  private takeMiscounted(content: number, count: number, digits: number): FrameStatus {
    const { bytes, pos } = this;
    const end = content + count;
    // The end of the message before, which was taken already, and then the count.
    const own = findFittingCount(bytes, pos + 1, content - 1, 0);
    if (own !== -1 && isDigit(bytes[content + readCount(bytes, own, content - 1)]))
      return this.miscounted(pos, own);
    const next = this.findBoundary(content, end, digits);
    if (next !== -1) return this.miscounted(content, next);
    const longer = explainShortCount(bytes, content, count, digits);
    if (longer === undefined && count <= WAIT_BYTES_MAX && this.patience === Patience.wait)
      return FrameStatus.partial;
    if (longer !== undefined && longer !== -1) return this.miscounted(content, longer);
    if (endsInHeader(bytes, content, end)) return this.scanLine(content, true);
    return this.counted(content, end);
  }

  /** A number and a space without a PRI behind them: a counted frame without a header, or a line that begins like that. */
  private takeBare(content: number, count: number): FrameStatus {
    const { bytes, pos, isCounted, patience } = this;
    const { length } = bytes;
    const end = content + count;
    if (count === 0 && this.skipEmptyFrame(content)) return FrameStatus.skipped;
    if (count === 0 || count > FRAME_BYTES_MAX || bytes[pos] === ZERO) return this.scanLine(pos);
    // A count too many.
    if (isCounted !== false && isDigit(bytes[content]) && beginsWithPriority(bytes, content))
      return this.miscounted(pos, content);
    // A connection whose lines end with newlines has lines that begin with numbers.
    if (isCounted === false) return this.scanLine(pos);
    if (isCounted) {
      if (end > length) return patience === Patience.wait ? FrameStatus.partial : this.scanLine(pos);
      const behind = lookBehind(bytes, end);
      if (behind === Behind.frame) return this.counted(content, end);
      if (behind === Behind.nothing || patience !== Patience.wait) return this.scanLine(pos);
      const isDoubtful = count <= WAIT_BYTES_MAX && this.findBoundary(content, end, 0) !== -1;
      return isDoubtful ? FrameStatus.partial : this.counted(content, end);
    }
    const newline = bytes.indexOf(NEWLINE, content);
    const hasNewline = newline !== -1 && newline < end;
    if (end < length) {
      const isFollowed = beginsWithPriority(bytes, end);
      if (!hasNewline && (isFollowed || this.isRunOfBareFrames(pos))) return this.counted(content, end);
      // Several lines in a frame: not what a newline ends.
      const hasLines = bytes[end - 1] !== NEWLINE && isDigit(bytes[end]);
      if (hasLines && isFollowed) return this.counted(content, end);
    } else if (end === length && !hasNewline && patience === Patience.stalled)
      return this.counted(content, end);
    return this.scanLine(pos);
  }

  /** Skips `0 `, a frame of nothing, when a counted frame or a separator comes behind it; false when it doesn't. */
  private skipEmptyFrame(content: number): boolean {
    const { bytes, pos } = this;
    if (content - pos !== 2 || content >= bytes.length) return false;
    const byte = bytes[content];
    const isFollowed =
      (isDigit(byte) && beginsWithPriority(bytes, content)) ||
      (this.isCounted && (isSeparator(byte) || (byte === ZERO && bytes[content + 1] === SPACE)));
    if (isFollowed) this.pos = content;
    return isFollowed === true;
  }

  /** Do several counted frames without PRIs follow each other from `at` on? */
  private isRunOfBareFrames(at: number): boolean {
    const { bytes } = this;
    let i = at;
    for (let frames = 0; frames < BARE_FRAMES_MIN; frames++) {
      const first = i;
      while (isDigit(bytes[i]) && i - first < 8) i++;
      if (i === first || bytes[first] === ZERO || bytes[i] !== SPACE) return false;
      i += 1 + readCount(bytes, first, i);
      if (i > bytes.length) return false;
    }
    return true;
  }

  /** Nothing but digits: the beginning of a count, or, at the end, a line. */
  private takeDigits(): FrameStatus {
    if (this.patience !== Patience.ended) return FrameStatus.partial;
    if (!this.isCounted) return this.scanLine(this.pos);
    this.skippedCount++;
    this.pos = this.bytes.length;
    return FrameStatus.skipped;
  }

  /**
   * Finds the end of a line that starts at `from`.
   *
   * @param isMiscounted it had a count: it also ends where a frame with a PRI begins
   */
  private scanLine(from: number, isMiscounted = false): FrameStatus {
    const { bytes, patience } = this;
    const { length } = bytes;
    const isResync = isMiscounted || this.isCounted === true;
    const trailerAt = this.findTrailer(from);
    if (isResync) {
      const limit = trailerAt === -1 ? length : trailerAt;
      const next = findFrame(bytes, from, limit, 0, Math.max(from, this.framesSearchedUpTo));
      if (next >= 0) return this.miscounted(from, next);
      this.framesSearchedUpTo = next === -1 ? limit : ~next;
    }
    if (trailerAt !== -1) {
      const isNewline = bytes[trailerAt] === NEWLINE;
      // What a wrong count stands before says little of how lines end.
      if (!isMiscounted) this.trailer = isNewline ? NEWLINE : NUL;
      this.start = from;
      this.end = isNewline && trailerAt > from && bytes[trailerAt - 1] === RETURN ? trailerAt - 1 : trailerAt;
      this.pos = trailerAt + 1;
      this.isCounted = false;
      if (isMiscounted) this.resyncCount++;
      return this.complete();
    }
    if (patience !== Patience.wait) {
      const mayBeCounted = this.isCounted === undefined && isDigit(bytes[from]);
      const framesMin = mayBeCounted ? FRAMES_IN_COUNTED_MIN : FRAMES_IN_LINE_MIN;
      const next = isResync ? -1 : findFramesToEnd(bytes, from, framesMin);
      if (next !== -1) {
        this.framesSearchedUpTo = from;
        return this.scanLine(from, true);
      }
      if (patience === Patience.ended || isResync) return this.takeRest(from, isResync);
    }
    if (length - from <= FRAME_BYTES_MAX) return FrameStatus.partial;
    this.skipping = true;
    this.start = from;
    this.end = length;
    this.pos = from + FRAME_BYTES_MAX;
    return this.complete();
  }

  /** Where the line that starts at `from` ends with the connection's trailer; -1 when that isn't there, or can't be told yet. */
  private findTrailer(from: number): number {
    const { bytes } = this;
    let search = Math.max(this.searchedUpTo, from);
    let newline = bytes.indexOf(NEWLINE, search);
    for (;;) {
      if (newline !== -1 && newline < search) newline = bytes.indexOf(NEWLINE, search);
      const nul = this.nextNul(search);
      const at = newline === -1 || nul < newline ? nul : newline;
      this.searchedUpTo = at;
      if (at === bytes.length) return -1;
      const trailer = at === nul ? NUL : NEWLINE;
      if (this.trailer === undefined || this.trailer === trailer) return at;
      const follows = startsFrame(bytes, at + 1);
      if (follows === undefined) return -1;
      if (follows) return at;
      search = at + 1;
    }
  }

  private nextNul(from: number): number {
    if (this.nulAt < from) {
      const at = this.bytes.indexOf(NUL, from);
      this.nulAt = at === -1 ? this.bytes.length : at;
    }
    return this.nulAt;
  }

  /** Where something else begins in a frame whose count is wrong: a counted frame, or a line with a PRI; -1 when nothing does. */
  private findBoundary(content: number, limit: number, digits: number, search = content): number {
    const counted = findFrame(this.bytes, content, limit, digits, search);
    const line = findLineWithPriority(this.bytes, search, counted < 0 ? limit : counted);
    return line === -1 ? Math.max(counted, -1) : line;
  }

  private counted(start: number, end: number): FrameStatus {
    this.start = start;
    this.end = end;
    this.pos = end;
    this.isCounted = true;
    return FrameStatus.complete;
  }

  /** A frame that ends where the next thing begins, instead of where its count says. */
  private miscounted(start: number, next: number): FrameStatus {
    this.resyncCount++;
    this.counted(start, next);
    this.trimEnd();
    return this.complete();
  }

  private takeRest(from: number, isResync: boolean): FrameStatus {
    const { isCounted } = this;
    this.counted(from, this.bytes.length);
    this.trimEnd();
    this.isCounted = isCounted;
    if (isResync) this.resyncCount++;
    return this.complete();
  }

  /** A frame was found: what is over the limit is left out, from the beginning of a character on. */
  private complete(): FrameStatus {
    const { bytes, start } = this;
    if (this.end - start > FRAME_BYTES_MAX) {
      this.end = utf8CharacterStart(bytes, start + FRAME_BYTES_MAX);
      this.oversizedCount++;
    }
    return FrameStatus.complete;
  }

  private trimEnd(): void {
    while (this.end > this.start && isSeparator(this.bytes[this.end - 1])) this.end--;
  }

  /** Skips what is left of a line that is too long, up to its end, or the next counted frame. */
  private skip(from: number): FrameStatus {
    const { bytes } = this;
    const { length } = bytes;
    const trailerAt = this.findTrailer(from);
    const limit = trailerAt === -1 ? length : trailerAt;
    const counted = this.isCounted ? findFrame(bytes, from, limit, 0) : -1;
    const end = counted >= 0 ? counted : trailerAt === -1 ? -1 : trailerAt + 1;
    this.skipping = end === -1;
    if (!this.skipping) this.pos = end;
    else if (this.isCounted) this.pos = Math.max(from, Math.min(this.searchedUpTo, length - SEARCH_OVERLAP));
    else this.pos = Math.min(this.searchedUpTo, length);
    return this.skipping ? FrameStatus.partial : FrameStatus.skipped;
  }
}

/**
 * Do the bytes at `i` begin a frame, `<PRI>` with or without a count before it? Undefined when there are too few of them
 * to say.
 */
function startsFrame(bytes: Uint8Array, at: number): boolean | undefined {
  const { length } = bytes;
  let i = at;
  while (i < length && isDigit(bytes[i]) && i - at < 10) i++;
  if (i === length) return undefined;
  if (i > at && bytes[i++] !== SPACE) return false;
  return hasPriority(bytes, i);
}
