import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { TailraceError } from '../../../common/errors.ts';
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER, recordEnd } from '../../syslog/batch.ts';
import { Framing } from '../../syslog/framing.ts';
import type { LineReceiver } from '../line-receiver.ts';

/** Lines in one request, whatever its format: a body of digits and commas has millions of them. */
export const LINES_MAX = 100_000;
/** Bytes that the lines of one request may take: a control character of a value may become six. */
const LINES_BYTES_MAX = 16_000_000;
const FIRST_BYTES = 4_096;
/** A UTF-16 code unit is at the most so many bytes in UTF-8. */
const UTF8_BYTES_MAX = 3;
/** The bytes of longer texts are counted rather than estimated. */
const LONG_TEXT = 4_096;
/** By so much a line without timestamp and host grows in a batch. */
const LINE_GROWTH_BYTES = RECORD_HEADER + 96;
/** Lines between two looks at the clock. */
const SLICE_LINES = 16;
/** The WebAssembly fast path gets so much at once, in slices. */
const WINDOW_BYTES = 65_536;
/** Few lines are shorter. */
const LINE_BYTES = 64;
const SPACE = 0x20;

/** Syslog lines without a token, octet counted; or some that are records of a batch already. */
export interface PackedLines {
  /** With a {@link loan}, to be read again after each pause: they may be somewhere else then. */
  readonly bytes: Uint8Array;
  readonly count: number;
  /** What the bytes are, piece by piece; undefined: frames, all of them. */
  readonly pieces?: readonly PackedPiece[];
  /** Left out: the memory is theirs alone. */
  readonly loan?: MemoryLoan;
  /** What of the request isn't among them, since it can't be read; its sender is told. */
  readonly rejected?: { readonly count: number; readonly reason: string };
}

/** Bytes that stand in memory which somebody else is going to write to. */
export interface MemoryLoan {
  /** It is about to be written to: what still stands there is copied. */
  readonly keep: () => void;
  /** Nobody reads the bytes any more. Returns whether they still stood there. */
  readonly end: () => boolean;
}

/** Frames or records that stand together. */
export interface PackedPiece {
  readonly isRecords: boolean;
  /** Where they end. */
  end: number;
  count: number;
  /** Of records: bytes of their lines, as they are counted. */
  lineBytes: number;
}

/** Packs lines. */
export class LinePacker implements MemoryLoan {
  private bytes = Buffer.allocUnsafeSlow(0);
  /** Of the memory that is taken first. */
  private readonly firstBytes: number;
  private length = 0;
  /** Of the lines, without their counts. */
  private lineBytes = 0;
  private pieces: PackedPiece[] | undefined;
  private readonly mayBorrow: boolean;
  /** The records, all that was added so far, in memory of whoever added them. */
  private borrowed: Uint8Array | undefined;
  private packed: { bytes: Uint8Array } | undefined;
  count = 0;

  /**
   * @param bytes that the lines take, about
   * @param mayBorrow records that are all of the lines stay where they are, as long as they can
   */
  constructor(bytes = FIRST_BYTES, mayBorrow = false) {
    this.firstBytes = bytes;
    this.mayBorrow = mayBorrow;
  }

  /** @throws TailraceError `too_large` when there are too many, or they take too much. */
  add(line: string | Buffer): void {
    if (this.count === LINES_MAX) throw tooManyLines();
    const length = Buffer.byteLength(line);
    const isEstimated = typeof line === 'string' && line.length <= LONG_TEXT;
    const most = isEstimated ? line.length * UTF8_BYTES_MAX : length;
    if (this.lineBytes + most > LINES_BYTES_MAX) throw tooManyBytes();
    const count = `${length} `;
    this.reserve(count.length + length);
    this.length += this.bytes.write(count, this.length, 'latin1');
    if (typeof line === 'string') this.bytes.write(line, this.length);
    else this.bytes.set(line, this.length);
    this.length += length;
    this.lineBytes += length;
    this.count++;
    if (this.pieces) this.note(this.pieces, false, 1, 0);
  }

  /**
   * Adds lines that are octet counted.
   * @throws TailraceError `too_large` when there are too many, or they take about too much.
   */
  addFrames(frames: Uint8Array, count: number): void {
    this.put(frames, frames.length, count);
    if (this.pieces) this.note(this.pieces, false, count, 0);
  }

  /**
   * Adds records, which have to be for the receiver that all lines are given to.
   * @returns what to call before they are overwritten, when they aren't copied yet
   * @throws TailraceError as {@link addFrames}
   */
  addRecords(records: Uint8Array, count: number, lineBytes: number): (() => void) | undefined {
    this.pieces ??=
      this.count === 0 ? [] : [{ isRecords: false, end: this.length, count: this.count, lineBytes: 0 }];
    const isBorrowed = this.mayBorrow && this.count === 0;
    if (isBorrowed) {
      this.admit(lineBytes, count);
      this.borrowed = records;
      this.length = records.length;
      this.count = count;
    } else this.put(records, lineBytes, count);
    this.note(this.pieces, true, count, lineBytes);
    return isBorrowed ? this.keep : undefined;
  }

  /** What was added. */
  pack(): PackedLines {
    const { count, pieces, borrowed } = this;
    if (!borrowed) return { bytes: this.bytes.subarray(0, this.length), count, pieces };
    const packed = { bytes: borrowed, count, pieces, loan: this };
    this.packed = packed;
    return packed;
  }

  readonly keep = (): void => {
    const { borrowed, packed } = this;
    if (!borrowed) return;
    this.borrowed = undefined;
    // More may follow, unless all is packed.
    this.bytes = Buffer.allocUnsafeSlow(
      packed ? borrowed.length : Math.max(borrowed.length, this.firstBytes),
    );
    this.bytes.set(borrowed);
    if (packed) packed.bytes = this.bytes;
  };

  readonly end = (): boolean => {
    const isBorrowed = this.borrowed !== undefined;
    this.borrowed = undefined;
    return isBorrowed;
  };

  private put(bytes: Uint8Array, lineBytes: number, count: number): void {
    this.admit(lineBytes, count);
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
    this.count += count;
  }

  private admit(lineBytes: number, count: number): void {
    if (this.count + count > LINES_MAX) throw tooManyLines();
    this.lineBytes += lineBytes;
    if (this.lineBytes + LONG_TEXT * UTF8_BYTES_MAX > LINES_BYTES_MAX) throw tooManyBytes();
  }

  private note(pieces: PackedPiece[], isRecords: boolean, count: number, lineBytes: number): void {
    const last = pieces.at(-1);
    if (last?.isRecords !== isRecords) pieces.push({ isRecords, end: this.length, count, lineBytes });
    else {
      last.end = this.length;
      last.count += count;
      last.lineBytes += lineBytes;
    }
  }

  private reserve(more: number): void {
    this.keep();
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const before = this.bytes;
    const doubled = Math.min(LINES_BYTES_MAX, before.length * 2);
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.firstBytes, doubled));
    before.copy(bytes, 0, 0, this.length);
    detachBuffer(before);
    this.bytes = bytes;
  }
}

/** About what lines take in a batch. */
export function estimatePackedBatchBytes({ bytes, count, pieces }: PackedLines): number {
  let frames = count;
  for (const piece of pieces ?? []) if (piece.isRecords) frames -= piece.count;
  return bytes.length + frames * LINE_GROWTH_BYTES;
}

/** Nobody reads the lines any more: gives their memory back. */
export function releasePackedLines({ bytes, loan }: PackedLines): void {
  if (loan?.end()) return;
  // All of what they were packed into.
  detachBuffer(new Uint8Array(bytes.buffer));
}

/** Passes each line to a receiver, which must have an authenticated source. */
export function takePackedLines({ bytes, pieces }: PackedLines, receiver: LineReceiver): void {
  if (!pieces) {
    takeFrames(bytes, receiver);
    return;
  }
  let start = 0;
  for (const { isRecords, end, count, lineBytes } of pieces) {
    const piece = bytes.subarray(start, end);
    if (isRecords) receiver.takeRecords(piece, count, lineBytes);
    else takeFrames(piece, receiver);
    start = end;
  }
}

/** Passes frames to a receiver. */
export function takeFrames(bytes: Uint8Array, receiver: LineReceiver): void {
  let at = receiver.takeFastPath(bytes, 0, Framing.datagrams);
  while (at < bytes.length) {
    at = takeFrame(bytes, at, receiver);
    at = receiver.takeFastPath(bytes, at, Framing.datagrams);
  }
}

/** The same in slices, for many. */
export async function takePackedLinesInSlices(
  lines: PackedLines,
  receiver: LineReceiver,
  slices = new TimeSlices(),
): Promise<void> {
  lines.loan?.keep();
  const { bytes, pieces } = lines;
  let start = 0;
  for (const piece of pieces ?? [{ isRecords: false, end: bytes.length, count: 0, lineBytes: 0 }]) {
    const some = bytes.subarray(start, piece.end);
    start = piece.end;
    if (piece.isRecords) await takeRecordsInSlices(some, piece, receiver, slices);
    else await takeFramesInSlices(some, receiver, slices);
  }
}

async function takeRecordsInSlices(
  bytes: Uint8Array,
  { lineBytes }: PackedPiece,
  receiver: LineReceiver,
  slices: TimeSlices,
): Promise<void> {
  const share = lineBytes / bytes.length;
  let bytesLeft = lineBytes;
  for (let start = 0; start < bytes.length; ) {
    let end = start;
    let count = 0;
    while (end < bytes.length && end - start < WINDOW_BYTES) {
      end = recordEnd(bytes, end);
      count++;
    }
    const some = end === bytes.length ? bytesLeft : Math.min(bytesLeft, Math.round((end - start) * share));
    bytesLeft -= some;
    receiver.takeRecords(bytes.subarray(start, end), count, some);
    start = end;
    if (slices.isOver) await slices.next();
  }
}

async function takeFramesInSlices(
  bytes: Uint8Array,
  receiver: LineReceiver,
  slices: TimeSlices,
): Promise<void> {
  let window = bytes.subarray(0, WINDOW_BYTES);
  let taken = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at >= window.length) window = bytes.subarray(0, at + WINDOW_BYTES);
    const reached = receiver.takeFastPath(window, at, Framing.datagrams);
    const isLong = reached - at > SLICE_LINES * LINE_BYTES;
    at = reached < bytes.length ? takeFrame(bytes, reached, receiver) : reached;
    if ((isLong || ++taken % SLICE_LINES === 0) && slices.isOver) await slices.next();
  }
}

/** Takes the frame at `at`; returns where it ends. */
function takeFrame(bytes: Uint8Array, at: number, receiver: LineReceiver): number {
  let length = 0;
  let i = at;
  for (let byte = bytes[i]; byte !== SPACE; byte = bytes[++i]) length = length * 10 + (byte - 0x30);
  receiver.take(bytes, i + 1, i + 1 + length);
  return i + 1 + length;
}

function tooManyBytes(): TailraceError {
  return new TailraceError(
    'too_large',
    `The lines of the body take over ${LINES_BYTES_MAX} bytes: send them in several requests.`,
  );
}

/** The refusal of a body with over {@link LINES_MAX} lines. */
export function tooManyLines(): TailraceError {
  return new TailraceError(
    'too_large',
    `The body has over ${LINES_MAX} lines: send them in several requests.`,
  );
}
