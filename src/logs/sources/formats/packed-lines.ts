import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { TailraceError } from '../../../common/errors.ts';
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
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

/** Syslog lines without a token, octet counted. */
export interface PackedLines {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Packs lines. */
export class LinePacker {
  private bytes: Buffer;
  private length = 0;
  /** Of the lines, without their counts. */
  private lineBytes = 0;
  count = 0;

  /** @param bytes that the lines take, about */
  constructor(bytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
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
  }

  /**
   * Adds lines that are octet counted.
   * @throws TailraceError `too_large` when there are too many, or they take about too much.
   */
  addFrames(frames: Uint8Array, count: number): void {
    if (this.count + count > LINES_MAX) throw tooManyLines();
    this.lineBytes += frames.length;
    if (this.lineBytes + LONG_TEXT * UTF8_BYTES_MAX > LINES_BYTES_MAX) throw tooManyBytes();
    this.reserve(frames.length);
    this.bytes.set(frames, this.length);
    this.length += frames.length;
    this.count += count;
  }

  /** What was added. */
  pack(): PackedLines {
    return { bytes: this.bytes.subarray(0, this.length), count: this.count };
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(LINES_BYTES_MAX, this.bytes.length * 2)));
    this.bytes.copy(bytes, 0, 0, this.length);
    this.bytes = bytes;
  }
}

/** About what lines take in a batch. */
export function estimatePackedBatchBytes({ bytes, count }: PackedLines): number {
  return bytes.length + count * LINE_GROWTH_BYTES;
}

/** Nobody reads the lines any more: gives their memory back. */
export function releasePackedLines({ bytes }: PackedLines): void {
  // All of what they were packed into.
  detachBuffer(new Uint8Array(bytes.buffer));
}

/** Passes each line to a receiver, which must have an authenticated source. */
export function takePackedLines(bytes: Uint8Array, receiver: LineReceiver): void {
  let at = receiver.takeFastPath(bytes, 0, Framing.datagrams);
  while (at < bytes.length) {
    at = takeFrame(bytes, at, receiver);
    at = receiver.takeFastPath(bytes, at, Framing.datagrams);
  }
}

/** The same in slices, for many. */
export async function takePackedLinesInSlices(
  bytes: Uint8Array,
  receiver: LineReceiver,
  slices = new TimeSlices(),
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
