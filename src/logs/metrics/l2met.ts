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
/** Values that are read of one batch: a line of nothing else has a thousand. */
export const BATCH_VALUES_MAX = 10_000;
/** Longest name, number and unit that are parsed, together. */
const PAIR_BYTES_MAX = 200;
const NAME_AND_VALUE =
  /^([A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99})=(-?\d{1,20}(?:\.\d{1,20})?)([A-Za-z%]{0,12})(?=$|[\s,"}\]])/;
const SOURCE = /(?:^|\s)source=([^\s"]{1,100})/;

/** The values in the lines of a batch, up to {@link BATCH_VALUES_MAX}. A batch without a `#` costs one search for this byte. */
export function parseL2met(batch: Uint8Array): L2metValue[] {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length);
  const found: L2metValue[] = [];
  let line: RecordCursor | undefined;
  /** Of the line under the cursor, once it was looked for: a line may have many values. */
  let source: string | undefined;
  for (let at = bytes.indexOf(HASH, HEADROOM); at !== -1; at = bytes.indexOf(HASH, at + 1)) {
    const before = bytes[at - 1];
    if (before !== LAST_E && before !== LAST_T) continue;
    const kind = kindBefore(bytes, at);
    if (!kind) continue;
    if (!line) {
      line = new RecordCursor(bytes);
      line.advance();
    }
    while (at >= line.textEnd && line.advance()) source = undefined;
    if (at < line.messageStart || at >= line.textEnd) continue;
    const pair = NAME_AND_VALUE.exec(
      bytes.toString('latin1', at + 1, Math.min(line.textEnd, at + 1 + PAIR_BYTES_MAX)),
    );
    if (!pair) continue;
    const [, name, number, unit] = pair;
    source ??= valueSource(line, bytes);
    found.push({ kind, name, value: Number(number), unit, source });
    if (found.length === BATCH_VALUES_MAX) break;
  }
  return found;
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
