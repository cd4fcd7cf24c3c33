const NUL = 0x00;
const NEWLINE = 0x0a;
const LINE_END = Buffer.from('\n');
/** So many NULs in a row between two lines are none of a program's: a page, the least that a file system leaves unwritten. */
const HOLE_BYTES_MIN = 4_096;

/** NULs that are left out of the stream that is passed on. */
interface Hole {
  /** How many bytes were passed on before them. */
  readonly at: number;
  readonly byteCount: number;
}

/**
 * Leaves holes out of a file's bytes: NULs that nobody wrote. A writer that doesn't append goes on at its old place after the
 * file was cut off, and the file has NULs up to there; a power failure leaves blocks of them. NULs inside of a line are the line's.
 */
export class HoleFilter {
  private readonly isTruncated: boolean;
  private readonly onHole: (byteCount: number) => void;
  /** Of the file: behind the lines that were taken so far, and the hole that follows them. */
  private currentOffset: number;
  private taken = 0;
  private passed = 0;
  private readonly holes: Hole[] = [];
  /** NULs that may become a hole: what follows them isn't read yet. */
  private pendingNuls = 0;
  private isAtFileStart: boolean;
  private isAtLineStart = true;

  /**
   * @param offset in the file, where reading starts: at a line's start
   * @param isTruncated the file was cut off before: even a single NUL in front of a line is a hole
   */
  constructor(offset: number, isTruncated: boolean, onHole: (byteCount: number) => void) {
    this.currentOffset = offset;
    this.isTruncated = isTruncated;
    this.onHole = onHole;
    this.isAtFileStart = offset === 0;
  }

  /** How far in the file everything was taken. */
  get offset(): number {
    return this.currentOffset;
  }

  /** So many bytes that were passed on were taken. */
  advance(byteCount: number): void {
    this.taken += byteCount;
    this.currentOffset += byteCount;
    while (this.holes.length > 0 && this.holes[0].at <= this.taken)
      this.currentOffset += this.holes.shift()!.byteCount;
  }

  /** What is to be passed on of the bytes that were read next. */
  *filter(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    if (this.pendingNuls > 0) {
      start = nulsEnd(chunk, 0);
      this.pendingNuls += start;
      if (start === chunk.length) return;
      yield* this.endRun();
    }
    for (let search = start; ; ) {
      const at = chunk.indexOf(NUL, search);
      if (at === -1) break;
      const end = nulsEnd(chunk, at);
      search = end;
      const isLineStart = at === start ? this.isAtLineStart : chunk[at - 1] === NEWLINE;
      const least = this.leastHole(isLineStart, this.isAtFileStart && at === 0);
      const isOpen = end === chunk.length;
      if (isOpen ? least === Infinity : end - at < least) continue;
      if (at > start) yield this.pass(chunk.subarray(start, at));
      this.pendingNuls = end - at;
      start = end;
      if (isOpen) return;
      yield* this.endRun();
    }
    if (start < chunk.length) yield this.pass(chunk.subarray(start));
  }

  /** The file ends here: what was held back, unless it is a hole. */
  *end(): Generator<Buffer> {
    if (this.pendingNuls > 0) yield* this.endRun();
  }

  /** How many NULs are a hole, at the least. */
  private leastHole(isLineStart: boolean, isFileStart: boolean): number {
    if (isFileStart) return 1;
    if (this.isTruncated) return isLineStart ? 1 : HOLE_BYTES_MIN;
    return isLineStart ? HOLE_BYTES_MIN : Infinity;
  }

  private *endRun(): Generator<Buffer> {
    const byteCount = this.pendingNuls;
    this.pendingNuls = 0;
    if (byteCount < this.leastHole(this.isAtLineStart, this.isAtFileStart)) {
      yield this.pass(Buffer.alloc(byteCount));
      return;
    }
    this.onHole(byteCount);
    this.isAtFileStart = false;
    if (this.isAtLineStart) {
      this.holes.push({ at: this.passed, byteCount });
      this.advance(0);
      return;
    }
    // A line in front of it has no end of its own: it gets one, in the place of a NUL.
    this.holes.push({ at: this.passed + 1, byteCount: byteCount - 1 });
    yield this.pass(LINE_END);
  }

  private pass(bytes: Buffer): Buffer {
    this.passed += bytes.length;
    this.isAtFileStart = false;
    this.isAtLineStart = bytes[bytes.length - 1] === NEWLINE;
    return bytes;
  }
}

function nulsEnd(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i] === NUL) i++;
  return i;
}
