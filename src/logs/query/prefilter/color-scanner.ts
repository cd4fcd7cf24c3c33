/** Finds the lines of a batch that may have color codes in them: what is searched for may be on both sides of one. */

const ESCAPE = 0x1b;
const OPEN_BRACKET = 0x5b;

export class ColorScanner {
  private bytes: Buffer | undefined;
  /** Where the next code begins; infinite when there are no more. */
  private nextAt = 0;

  /** Begins with a batch: false when there are no codes in it. */
  startBatch(bytes: Buffer): boolean {
    this.bytes = bytes;
    this.find(0);
    return this.nextAt !== Number.POSITIVE_INFINITY;
  }

  /** May there be codes in `bytes[start, end)`? Lines of the batch that it began with have to be asked for in their order; others may. */
  mayBeIn(bytes: Buffer, start: number, end: number): boolean {
    if (bytes !== this.bytes) return true;
    return this.nextFrom(start) < end;
  }

  /** Where in the batch the next code begins at `start` or behind it; infinite when there are no more. Places have to be asked for in their order. */
  nextFrom(start: number): number {
    if (this.nextAt < start) this.find(start);
    return this.nextAt;
  }

  private find(from: number): void {
    const { bytes } = this;
    let at = bytes?.indexOf(ESCAPE, from) ?? -1;
    // One byte is found much faster than two; the lengths in front of lines may be this one, too.
    while (bytes && at !== -1 && bytes[at + 1] !== OPEN_BRACKET) at = bytes.indexOf(ESCAPE, at + 1);
    this.nextAt = at === -1 ? Number.POSITIVE_INFINITY : at;
  }
}
