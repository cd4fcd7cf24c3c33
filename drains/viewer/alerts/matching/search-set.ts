/** Which of many searches a line matches: all of them are looked for in one scan of a batch, and those that may match are then asked. */
import { hasColors, stripColors } from '../../../../src/common/text/colors.ts';
import { ColorScanner } from '../../../../src/logs/query/prefilter/color-scanner.ts';
import { queryLiterals } from '../../../../src/logs/query/prefilter/query-literals.ts';
import { QueryLine } from '../../../../src/logs/query/query-line.ts';
import { QueryMatcher, queryCost } from '../../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { GramScanner, Hits, TEXT_LENGTH_MIN } from './gram-scanner.ts';

/** Called with the index of a search that the line under the cursor matches. */
export type OnMatch = (search: number) => void;

export class SearchSet {
  /** What has to hold in each search, the fastest first; many searches have the same. */
  private readonly termsOf: readonly (readonly number[])[];
  private readonly terms: readonly QueryMatcher[];
  /** In which line a term was asked last, and what it said. */
  private readonly termIn: Uint32Array;
  private readonly termHolds: Uint8Array;
  /** Undefined: none can be looked for by a text. */
  private readonly scanner: GramScanner | undefined;
  /** Of each text the searches that need it, or one of its alternatives. */
  private readonly searchesOf: readonly (readonly number[])[];
  /** Searches that any line may match. */
  private readonly unfiltered: readonly number[];
  private readonly colors = new ColorScanner();
  private readonly line = new QueryLine(true);
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
    expressions.forEach((expression, index) => {
      const literals = expression && queryLiterals(expression);
      if (!literals?.every(({ plain }) => plain.length >= TEXT_LENGTH_MIN)) unfiltered.push(index);
      else
        for (const text of new Set(literals.map(({ plain }) => plain.toLowerCase()))) {
          const searches = texts.get(text);
          if (searches) searches.push(index);
          else texts.set(text, [index]);
        }
    });
    const shared = new SharedTerms(expressions);
    this.termsOf = shared.termsOf;
    this.terms = shared.terms;
    this.termIn = new Uint32Array(this.terms.length);
    this.termHolds = new Uint8Array(this.terms.length);
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
    this.hasColoredLines = this.colors.startBatch(batch);
    return this.unfiltered.length > 0 || this.hasColoredLines || this.long.count + this.short.count > 0;
  }

  /** Finds the searches that a line of the batch matches; lines have to come in their order. */
  match(line: RecordCursor, bytes: Buffer, onMatch: OnMatch): void {
    this.lineNumber = (this.lineNumber + 1) >>> 0 || 1;
    this.isSet = false;
    const isColored = this.hasColoredLines && this.isColored(line, bytes);
    this.longAt = this.askHits(this.long, this.longAt, line, bytes, isColored, onMatch);
    this.shortAt = this.askHits(this.short, this.shortAt, line, bytes, isColored, onMatch);
    if (isColored) this.askColored(line, bytes, onMatch);
    for (const search of this.unfiltered) this.ask(search, line, bytes, isColored, onMatch);
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
    const terms = this.termsOf[search];
    if (!this.isSet && terms.length > 0) {
      this.line.setLine(line, bytes, isColored);
      this.isSet = true;
    }
    for (let i = 0; i < terms.length; i++) if (!this.holds(terms[i])) return;
    onMatch(search);
  }

  /** Is what a term asks true of the line at hand? */
  private holds(term: number): boolean {
    if (this.termIn[term] !== this.lineNumber) {
      this.termIn[term] = this.lineNumber;
      this.termHolds[term] = this.terms[term].test(this.line) ? 1 : 0;
    }
    return this.termHolds[term] === 1;
  }
}

/** The parts of searches that have to hold all, each once. */
class SharedTerms {
  readonly terms: QueryMatcher[] = [];
  /** Of each search the numbers of its terms: first what takes the least time, by search. */
  readonly termsOf: readonly (readonly number[])[];
  private readonly known = new Map<string, number>();
  private readonly costs: number[] = [];
  private readonly searches: number[] = [];

  constructor(expressions: readonly (QueryNode | undefined)[]) {
    const unordered = expressions.map((expression) => {
      if (!expression) return [];
      const nodes = expression.kind === 'and' ? expression.children : [expression];
      return nodes.map((node) => this.numberOf(node));
    });
    // What many searches ask is asked once for all of them.
    const share = (term: number): number => this.costs[term] / this.searches[term];
    this.termsOf = unordered.map((terms) => terms.sort((a, b) => share(a) - share(b)));
  }

  private numberOf(node: QueryNode): number {
    const key = JSON.stringify(node);
    let term = this.known.get(key);
    if (term === undefined) {
      term = this.terms.push(new QueryMatcher(node, key)) - 1;
      this.known.set(key, term);
      this.costs.push(queryCost(node));
      this.searches.push(0);
    }
    this.searches[term]++;
    return term;
  }
}
