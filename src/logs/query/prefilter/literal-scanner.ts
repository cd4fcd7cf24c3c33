/** Finds the lines of a batch that may match, before any of them is read: those with a text in them that every line that matches has. */
import { literalPattern, type NumberTest } from './literal-pattern.ts';
import { BytesSearch } from './wasm-search.ts';

/** A text that a line has to have in it, in any case. */
export interface Literal {
  /** ASCII; where it has a `/` or a `[`, a space may be stored. */
  readonly text: string;
  /** The longest part of it that is stored as it is written here: for whoever searches for many at once. */
  readonly plain: string;
  /** It is the end of a field's name, whose value is compared with a number. */
  readonly number?: NumberTest;
}

export class LiteralScanner {
  private readonly search: BytesSearch;
  private readonly lengthMax: number;
  private bytes: Buffer | undefined;
  /** Where the next text begins that was found; infinite when there are no more. */
  private foundAt = 0;

  /** @param literals alternatives: a line that matches has one of them */
  constructor(literals: readonly Literal[]) {
    const patterns = literals.map(({ text, number }) => literalPattern(text, number));
    this.search = new BytesSearch(patterns);
    this.lengthMax = Math.max(...patterns.map(({ length }) => length));
  }

  /** Begins with a batch: false when none of its lines can match. */
  startBatch(bytes: Buffer): boolean {
    this.bytes = bytes;
    this.search.start(bytes);
    this.foundAt = this.search.nextAt(0);
    return this.foundAt !== Number.POSITIVE_INFINITY;
  }

  /** Is this the batch that it began with? */
  isIn(bytes: Buffer): boolean {
    return this.bytes === bytes;
  }

  /** Where the next text begins at `from` or behind it; infinite when there are no more. Places have to be asked for in their order. */
  nextAt(from: number): number {
    if (this.foundAt < from) this.foundAt = this.search.nextAt(from);
    return this.foundAt;
  }

  /** May the line `[start, end)` match? Lines have to be asked for in their order. */
  mayMatch(start: number, end: number): boolean {
    return this.nextAt(start) < end;
  }

  /** Was what {@link mayMatch} has found in a line found in its part `[start, end)`? False when that isn't sure. */
  isFoundIn(start: number, end: number): boolean {
    return this.foundAt >= start && this.foundAt + this.lengthMax <= end;
  }
}
