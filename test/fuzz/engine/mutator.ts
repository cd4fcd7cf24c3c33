/** Changes inputs: what comes out is a pure function of the random numbers. */
import { type FuzzTarget, INPUT_BYTES_MAX } from './fuzz-target.ts';

/** What formats care about more than about other bytes. */
const BYTES = Buffer.from(
  '\0\t\n\r "\'\\/:;,<>[]{}()=%+-_.0159aAzZ\x1b\x7f\x80\xbf\xc0\xe2\xf0\xff',
  'latin1',
);
/** Numbers at which something ends. */
const NUMBERS =
  '0 1 -1 00 9 10 127 128 255 256 999 1023 1024 4096 8192 8193 65535 65536 2147483647 2147483648 4294967295 4294967296 9007199254740993 1e9 1e400 0x10 0.1'.split(
    ' ',
  );
const WORDS = ['\r\n', '\r\n\r\n', '\ufeff', '\ufffd', '\u2028', '\ud83d\ude00', '\u202e', '__proto__'];
/** Changes an input gets at once, at the most. */
const CHANGES_MAX = 6;
const NEWEST = 4;

export class Mutator {
  private readonly random: () => number;
  private readonly words: readonly Buffer[];
  private readonly bytesMax: number;

  constructor(target: FuzzTarget, random: () => number) {
    this.random = random;
    this.bytesMax = target.bytesMax ?? INPUT_BYTES_MAX;
    this.words = [...(target.words ?? []), ...WORDS, ...NUMBERS].map((word) => Buffer.from(word as string));
  }

  /** A new input, made of one or two of `corpus`. */
  mutate(corpus: readonly Buffer[]): Buffer {
    let input: Buffer = Buffer.from(this.pickBase(corpus));
    for (let changes = 1 + this.below(CHANGES_MAX); changes > 0; changes--)
      input = this.change(input, corpus);
    return input.length > this.bytesMax ? input.subarray(0, this.bytesMax) : input;
  }

  /** Half of them from the newest, which have come the farthest. */
  private pickBase(corpus: readonly Buffer[]): Buffer {
    const newest = Math.min(corpus.length, NEWEST);
    return this.below(2) ? this.pick(corpus) : corpus[corpus.length - 1 - this.below(newest)];
  }

  private change(input: Buffer, corpus: readonly Buffer[]): Buffer {
    const at = this.below(input.length + 1);
    const end = Math.min(input.length, at + 1 + this.length());
    switch (this.below(10)) {
      case 0: // one bit
        if (at < input.length) input[at] ^= 1 << this.below(8);
        return input;
      case 1: // one byte
        if (at < input.length) input[at] = this.byte();
        return input;
      case 2: // one byte more
        return splice(input, at, at, Buffer.from([this.byte()]));
      case 3: // some less
        return splice(input, at, end, EMPTY);
      case 4: // some twice, or many times
        return splice(
          input,
          at,
          at,
          repeat(input.subarray(at, end), 1 + this.below(this.below(8) === 0 ? 64 : 2)),
        );
      case 5: // a word
        return splice(input, at, at, this.pick(this.words));
      case 6: // a word instead of something
        return splice(input, at, end, this.pick(this.words));
      case 7: // another number
        return this.changeNumber(input, at);
      case 8: {
        // something of another input
        const other = this.pick(corpus);
        const from = this.below(other.length + 1);
        return splice(
          input,
          at,
          this.below(2) ? end : at,
          other.subarray(from, from + 1 + this.length() * 4),
        );
      }
      default: // the beginning of one, and the rest of another
        return Buffer.concat([input.subarray(0, at), this.tail(this.pick(corpus))]);
    }
  }

  private changeNumber(input: Buffer, from: number): Buffer {
    let start = from;
    while (start < input.length && !isDigit(input[start])) start++;
    if (start === input.length) return input;
    let end = start;
    while (end < input.length && isDigit(input[end])) end++;
    const value = Number(input.toString('latin1', start, end));
    const near = String(Math.max(0, value + this.below(5) - 2));
    const number = this.below(2) || !Number.isSafeInteger(value) ? this.pick(NUMBERS) : near;
    return splice(input, start, end, Buffer.from(number));
  }

  private tail(input: Buffer): Buffer {
    return input.subarray(this.below(input.length + 1));
  }

  private byte(): number {
    return this.below(2) ? BYTES[this.below(BYTES.length)] : this.below(256);
  }

  /** Short ones most of the time. */
  private length(): number {
    return this.below(1 << this.below(8));
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  private below(end: number): number {
    return Math.floor(this.random() * end);
  }
}

const EMPTY = Buffer.alloc(0);

function splice(input: Buffer, start: number, end: number, what: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, start), what, input.subarray(end)]);
}

function repeat(bytes: Buffer, times: number): Buffer {
  return times === 1 ? bytes : Buffer.concat(Array<Buffer>(times).fill(bytes));
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
