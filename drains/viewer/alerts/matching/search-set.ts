/** Which of many searches a line matches: all of them are looked for in one scan of a batch, and those that may match are then asked. */
import { hasColors, stripColors } from '../../../../src/common/text/colors.ts';
import { ColorScanner } from '../../../../src/logs/query/color-scanner.ts';
import { QueryLine } from '../../../../src/logs/query/query-line.ts';
import { queryLiterals } from '../../../../src/logs/query/query-literals.ts';
import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { GramScanner, Hits, TEXT_LENGTH_MIN } from './gram-scanner.ts';

/** Called with the index of a search that the line under the cursor matches. */
export type OnMatch = (search: number) => void;

export class SearchSet {
  private readonly matchers: readonly (QueryMatcher | undefined)[];
  /** Undefined: none can be looked for by a text. */
  private readonly scanner: GramScanner | undefined;
  /** Of each text the searches that need it, or one of its alternatives. */
  private readonly searchesOf: readonly (readonly number[])[];
  /** Searches that any line may match. */
  private readonly unfiltered: readonly number[];
  /** Those of them that may match a line of the batch at hand. */
  private asked: number[] = [];
  private readonly colors = new ColorScanner();
  private readonly line = new QueryLine();
  private readonly long = new Hits();
  private readonly short = new Hits();
  private longAt = 0;
  private shortAt = 0;
  private readonly coloredLong = new Hits();
  private readonly coloredShort = new Hits();
  /** In which line a search was asked last. */
  private readonly askedIn: Uint32Array;
  private lineNumber = 0;
  private isSet = false;
  private hasColoredLines = false;

  /** @param expressions undefined: every line matches */
  constructor(expressions: readonly (QueryNode | undefined)[]) {
    const texts = new Map<string, number[]>();
    const unfiltered: number[] = [];
    this.matchers = expressions.map((expression, index) => {
      const literals = expression && queryLiterals(expression);
      if (!literals?.every(({ plain }) => plain.length >= TEXT_LENGTH_MIN)) unfiltered.push(index);
      else
        for (const text of new Set(literals.map(({ plain }) => plain.toLowerCase()))) {
          const searches = texts.get(text);
          if (searches) searches.push(index);
          else texts.set(text, [index]);
        }
      return expression && new QueryMatcher(expression, '');
    });
    this.unfiltered = unfiltered;
    this.searchesOf = [...texts.values()];
    this.scanner = texts.size === 0 ? undefined : new GramScanner([...texts.keys()]);
    this.askedIn = new Uint32Array(expressions.length);
  }

  /** Begins with a batch: false when none of its lines matches any search. */
  startBatch(batch: Buffer): boolean {
    this.longAt = 0;
    this.shortAt = 0;
    this.scanner?.scan(batch, this.long, this.short);
    this.asked = this.unfiltered.filter((search) => this.matchers[search]?.mayMatch(batch) ?? true);
    this.hasColoredLines = this.colors.startBatch(batch);
    return this.asked.length > 0 || this.hasColoredLines || this.long.count + this.short.count > 0;
  }

  /** Finds the searches that a line of the batch matches; lines have to come in their order. */
  match(line: RecordCursor, bytes: Buffer, onMatch: OnMatch): void {
    this.lineNumber = (this.lineNumber + 1) >>> 0 || 1;
    this.isSet = false;
    const isColored = this.hasColoredLines && this.isColored(line, bytes);
    this.longAt = this.askHits(this.long, this.longAt, line, bytes, isColored, onMatch);
    this.shortAt = this.askHits(this.short, this.shortAt, line, bytes, isColored, onMatch);
    if (isColored) this.askColored(line, bytes, onMatch);
    for (const search of this.asked) this.ask(search, line, bytes, isColored, onMatch);
  }

  private isColored(line: RecordCursor, bytes: Buffer): boolean {
    return this.colors.mayBeIn(bytes, line.messageStart, line.textEnd);
  }

  /** What is looked for may be on both sides of a color code. */
  private askColored(line: RecordCursor, bytes: Buffer, onMatch: OnMatch): void {
    const text = bytes.toString('latin1', line.hostStart, line.textEnd);
    if (!this.scanner || !hasColors(text)) return;
    const stripped = Buffer.from(stripColors(text), 'latin1');
    this.scanner.scan(stripped, this.coloredLong, this.coloredShort);
    for (const hits of [this.coloredLong, this.coloredShort])
      for (let i = 0; i < hits.count; i++)
        for (const search of this.searchesOf[hits.texts[i]]) this.ask(search, line, bytes, true, onMatch);
  }

  /** Asks the searches whose texts are in a line; returns the first hit behind it. */
  private askHits(
    hits: Hits,
    from: number,
    line: RecordCursor,
    bytes: Buffer,
    isColored: boolean,
    onMatch: OnMatch,
  ): number {
    const { positions, texts, count } = hits;
    let at = from;
    for (; at < count && positions[at] < line.textEnd; at++) {
      if (positions[at] < line.textStart) continue;
      for (const search of this.searchesOf[texts[at]]) this.ask(search, line, bytes, isColored, onMatch);
    }
    return at;
  }

  private ask(search: number, line: RecordCursor, bytes: Buffer, isColored: boolean, onMatch: OnMatch): void {
    if (this.askedIn[search] === this.lineNumber) return;
    this.askedIn[search] = this.lineNumber;
    const matcher = this.matchers[search];
    if (matcher) {
      if (!this.isSet) this.line.setLine(line, bytes, isColored);
      this.isSet = true;
      if (!matcher.test(this.line)) return;
    }
    onMatch(search);
  }
}
