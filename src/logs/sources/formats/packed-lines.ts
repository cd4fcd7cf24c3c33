import { TailraceError } from '../../../common/errors.ts';
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
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

/** Syslog lines, one directly behind the other. */
export interface PackedLines {
  readonly bytes: Uint8Array;
  /** Where each of them ends. */
  readonly ends: Uint32Array;
}

/** Packs lines. */
export class LinePacker {
  private bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private ends = new Uint32Array(FIRST_BYTES / 64);
  private length = 0;
  count = 0;

  /** @throws TailraceError `too_large` when there are too many, or they take too much. */
  add(line: string): void {
    if (this.count === LINES_MAX) throw tooManyLines();
    this.reserve(line.length > LONG_TEXT ? Buffer.byteLength(line) : line.length * UTF8_BYTES_MAX);
    this.length += this.bytes.write(line, this.length);
    if (this.count === this.ends.length) {
      const ends = new Uint32Array(this.count * 2);
      ends.set(this.ends);
      this.ends = ends;
    }
    this.ends[this.count++] = this.length;
  }

  /** What was added. */
  pack(): PackedLines {
    return { bytes: this.bytes.subarray(0, this.length), ends: this.ends.subarray(0, this.count) };
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    if (needed > LINES_BYTES_MAX)
      throw new TailraceError(
        'too_large',
        `The lines of the body take over ${LINES_BYTES_MAX} bytes: send them in several requests.`,
      );
    const bytes = Buffer.allocUnsafeSlow(Math.min(LINES_BYTES_MAX, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(bytes, 0, 0, this.length);
    this.bytes = bytes;
  }
}

/** About what lines take in a batch. */
export function estimatePackedBatchBytes({ bytes, ends }: PackedLines): number {
  return bytes.length + ends.length * LINE_GROWTH_BYTES;
}

/** Passes each line to a receiver. */
export function takePackedLines({ bytes, ends }: PackedLines, receiver: LineReceiver): void {
  for (let i = 0, start = 0; i < ends.length; i++) {
    receiver.take(bytes, start, ends[i]);
    start = ends[i];
  }
}

/** The same in slices, for many. */
export async function takePackedLinesInSlices(
  { bytes, ends }: PackedLines,
  receiver: LineReceiver,
): Promise<void> {
  const slices = new TimeSlices();
  for (let i = 0, start = 0; i < ends.length; i++) {
    receiver.take(bytes, start, ends[i]);
    start = ends[i];
    if (i % SLICE_LINES === 0 && slices.isOver) await slices.next();
  }
}

/** The refusal of a body with over {@link LINES_MAX} lines. */
export function tooManyLines(): TailraceError {
  return new TailraceError(
    'too_large',
    `The body has over ${LINES_MAX} lines: send them in several requests.`,
  );
}
