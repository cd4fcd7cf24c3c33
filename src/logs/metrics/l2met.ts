/**
 * Parses metrics in lines, in l2met's convention, which Heroku's own lines follow: `measure#db.get=12ms`,
 * `count#user.signups=2`, `sample#db_size=26219348792bytes`, with `source=web.1` beside them.
 */
import { HEADROOM, RecordCursor } from '../syslog/batch.ts';
import { lineDyno } from '../syslog/record.ts';

export type L2metKind = 'measure' | 'count' | 'sample';

/** One value of one line. */
export interface L2metValue {
  readonly kind: L2metKind;
  readonly name: string;
  readonly value: number;
  /** The suffix of the number: `ms`, `bytes`, '' … */
  readonly unit: string;
  /** The line's `source=`, else its dyno. */
  readonly source: string;
}

const HASH = 0x23;
/** Last letters of the three kinds: most other words before a `#` are ruled out by them. */
const LAST_E = 0x65;
const LAST_T = 0x74;
const KINDS: readonly { kind: L2metKind; bytes: Buffer }[] = (['measure', 'count', 'sample'] as const).map(
  (kind) => ({
    kind,
    bytes: Buffer.from(kind),
  }),
);
/** So many bytes `#` are looked at for each value that is wanted: most have no value in front and behind. */
const HASHES_PER_VALUE = 10;
/** Longest name, number and unit that are parsed, together. */
const PAIR_BYTES_MAX = 200;
const NAME_AND_VALUE =
  /^([A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99})=(-?\d{1,20}(?:\.\d{1,20})?)([A-Za-z%]{0,12})(?=$|[\s,"}\]])/;
const VALUES = /(?<=[ ",]|^)(measure|count|sample)#([^\s"]{1,200})/g;
const SOURCE = /(?:^|\s)source=([^\s"]{1,100})/;

/** The values in one line's text. @param dyno their source, when the line names none */
export function parseL2metText(message: string, dyno: string): L2metValue[] {
  const found: L2metValue[] = [];
  let source: string | undefined;
  for (const [, kind, pair] of message.matchAll(VALUES)) {
    const [, name, number, unit] = NAME_AND_VALUE.exec(pair) ?? [];
    if (name === undefined) continue;
    source ??= SOURCE.exec(message)?.[1] ?? dyno;
    found.push({ kind: kind as L2metKind, name, value: Number(number), unit, source });
  }
  return found;
}

/** All values in the lines of a batch. */
export function parseL2met(batch: Uint8Array): L2metValue[] {
  return new L2metScanner(batch).next(Number.POSITIVE_INFINITY);
}

/** Where a batch's first value may be; -1: it has none, as most batches. */
export function firstCandidate(batch: Uint8Array): number {
  // Of a Buffer, since that of a Uint8Array looks at one byte after the other.
  return Buffer.prototype.indexOf.call(batch, HASH, HEADROOM);
}

/** Finds the values in the lines of a batch, some at a time. A batch without a `#` costs one search for this byte. */
export class L2metScanner {
  private readonly bytes: Buffer;
  /** The next `#`; -1 behind the last one. */
  private at: number;
  private line: RecordCursor | undefined;
  /** Of the line under the cursor, once it was looked for: a line may have many values. */
  private source: string | undefined;

  /** @param from where to begin: at the first line, or at a `#`. */
  constructor(batch: Uint8Array, from: number = HEADROOM) {
    this.bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length);
    this.at = this.bytes.indexOf(HASH, from);
  }

  /** There are no more values. */
  get isDone(): boolean {
    return this.at === -1;
  }

  /** The same, at the same place, on memory of its own. */
  copy(): L2metScanner {
    return new L2metScanner(new Uint8Array(this.bytes), this.isDone ? this.bytes.length : this.at);
  }

  /** Up to `max` more values; fewer when they are rare. */
  next(max: number): L2metValue[] {
    const { bytes } = this;
    const found: L2metValue[] = [];
    for (let looks = max * HASHES_PER_VALUE; this.at !== -1 && looks > 0 && found.length < max; looks--) {
      const value = this.valueAt(this.at);
      if (value) found.push(value);
      this.at = bytes.indexOf(HASH, this.at + 1);
    }
    return found;
  }

  private valueAt(at: number): L2metValue | undefined {
    const { bytes } = this;
    const before = bytes[at - 1];
    if (before !== LAST_E && before !== LAST_T) return undefined;
    const kind = kindBefore(bytes, at);
    if (!kind) return undefined;
    const line = this.lineAt(at);
    if (at < line.messageStart || at >= line.textEnd) return undefined;
    const pair = NAME_AND_VALUE.exec(
      bytes.toString('latin1', at + 1, Math.min(line.textEnd, at + 1 + PAIR_BYTES_MAX)),
    );
    if (!pair) return undefined;
    const [, name, number, unit] = pair;
    this.source ??= valueSource(line, bytes);
    return { kind, name, value: Number(number), unit, source: this.source };
  }

  private lineAt(at: number): RecordCursor {
    if (!this.line) {
      this.line = new RecordCursor(this.bytes);
      this.line.advance();
    }
    while (at >= this.line.textEnd && this.line.advance()) this.source = undefined;
    return this.line;
  }
}

/** The kind in front of the `#` at `at`, if it is one and a whole word. */
function kindBefore(bytes: Buffer, at: number): L2metKind | undefined {
  for (const { kind, bytes: word } of KINDS) {
    const start = at - word.length;
    if (bytes[at - 1] !== word[word.length - 1] || bytes.compare(word, 0, word.length, start, at) !== 0)
      continue;
    const before = bytes[start - 1];
    return before === 0x20 || before === 0x22 || before === 0x2c ? kind : undefined;
  }
  return undefined;
}

function valueSource(line: RecordCursor, bytes: Buffer): string {
  const match = SOURCE.exec(bytes.toString('utf8', line.messageStart, line.textEnd));
  return match ? match[1] : lineDyno(line, bytes);
}
