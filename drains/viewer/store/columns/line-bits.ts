/** A bit for each line. */
export class LineBits {
  readonly words: Int32Array;
  readonly lines: number;

  constructor(lines: number, words = new Int32Array((lines + 31) >>> 5)) {
    this.lines = lines;
    this.words = words;
  }

  static all(lines: number): LineBits {
    const bits = new LineBits(lines);
    bits.fill(0, lines);
    return bits;
  }

  get(line: number): boolean {
    return ((this.words[line >>> 5] >>> (line & 31)) & 1) === 1;
  }

  set(line: number): void {
    this.words[line >>> 5] |= 1 << (line & 31);
  }

  /** Sets lines `from` up to `to`. */
  fill(from: number, to: number): void {
    for (let line = from; line < to; ) {
      if ((line & 31) === 0 && line + 32 <= to) {
        this.words[line >>> 5] = -1;
        line += 32;
      } else this.set(line++);
    }
  }

  /** Changes this one. @param other of as many lines */
  and(other: LineBits): this {
    for (let i = 0; i < this.words.length; i++) this.words[i] &= other.words[i];
    return this;
  }

  /** Changes this one. @param other of as many lines */
  or(other: LineBits): this {
    for (let i = 0; i < this.words.length; i++) this.words[i] |= other.words[i];
    return this;
  }

  /** All lines that aren't set. */
  not(): LineBits {
    const bits = LineBits.all(this.lines);
    for (let i = 0; i < bits.words.length; i++) bits.words[i] &= ~this.words[i];
    return bits;
  }

  copy(): LineBits {
    return new LineBits(this.lines, this.words.slice());
  }

  /** How many are set in `from` up to `to`. */
  count(from = 0, to = this.lines): number {
    let count = 0;
    for (let line = from; line < to; ) {
      if ((line & 31) === 0 && line + 32 <= to) {
        count += bitCount(this.words[line >>> 5]);
        line += 32;
      } else if (this.get(line++)) count++;
    }
    return count;
  }

  /** Is one set in `from` up to `to`? */
  some(from: number, to: number): boolean {
    for (let line = from; line < to; ) {
      if ((line & 31) === 0 && line + 32 <= to) {
        if (this.words[line >>> 5] !== 0) return true;
        line += 32;
      } else if (this.get(line++)) return true;
    }
    return false;
  }

  /** Calls `take` with each line that is set in `from` up to `to`. */
  forEach(from: number, to: number, take: (line: number) => void): void {
    for (let at = from & ~31; at < to; at += 32) {
      let word = this.words[at >>> 5];
      for (; word !== 0; word &= word - 1) {
        const line = at + 31 - Math.clz32(word & -word);
        if (line >= to) break;
        if (line >= from) take(line);
      }
    }
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
