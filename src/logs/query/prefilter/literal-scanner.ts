/**
 * Finds the lines of a batch that may match, before any of them is read: those with a text in them that every line that matches has. The
 * bytes are searched piece by piece, since short strings cost a third of long ones.
 */

/** Bytes that are made a string at a time: strings of this size are short-lived to the garbage collector. */
const PIECE_BYTES = 16_384;

/** A pattern of a text, without what could make it take long, and how many bytes it matches at the most. */
export interface Literal {
  readonly source: string;
  readonly length: number;
  /** The longest part of it that is stored as it is written here, in any case: ASCII, for whoever searches for many at once. */
  readonly plain: string;
}

export class LiteralScanner {
  private readonly pattern: RegExp;
  private readonly lengthMax: number;
  private bytes: Buffer | undefined;
  /** The bytes from `base` on, as Latin-1. */
  private piece = '';
  private base = 0;
  private pieceEnd = 0;
  /** Where the next text that was found ends; infinite when there are no more. */
  private foundEnd = 0;

  /** @param literals alternatives: a line that matches has one of them, in any case */
  constructor(literals: readonly Literal[]) {
    this.pattern = new RegExp(literals.map(({ source }) => source).join('|'), 'gi');
    this.lengthMax = Math.max(...literals.map(({ length }) => length));
  }

  /** Begins with a batch: false when none of its lines can match. */
  startBatch(bytes: Buffer): boolean {
    this.bytes = bytes;
    this.foundEnd = 0;
    this.pieceEnd = 0;
    this.find(0);
    return this.foundEnd !== Number.POSITIVE_INFINITY;
  }

  /** Is this the batch that it began with? */
  isIn(bytes: Buffer): boolean {
    return this.bytes === bytes;
  }

  /** May the line `[start, end)` match? Lines have to be asked for in their order. */
  mayMatch(start: number, end: number): boolean {
    if (this.foundEnd <= start) this.find(start);
    return this.foundEnd - this.lengthMax < end;
  }

  /** Finds the first text that begins at `from` or behind it. */
  private find(from: number): void {
    const { bytes, pattern, lengthMax } = this;
    if (!bytes) return;
    for (let at = from; at < bytes.length; at = this.pieceEnd) {
      if (at >= this.pieceEnd || at < this.base) {
        this.base = at;
        this.pieceEnd = at + PIECE_BYTES;
        // What begins in a piece is found in it.
        this.piece = bytes.toString('latin1', at, Math.min(bytes.length, this.pieceEnd + lengthMax));
      }
      pattern.lastIndex = at - this.base;
      if (pattern.test(this.piece)) {
        this.foundEnd = this.base + pattern.lastIndex;
        return;
      }
    }
    this.foundEnd = Number.POSITIVE_INFINITY;
    this.piece = '';
  }
}
