/**
 * Which of many searches a line matches. Nothing is asked twice of a line, whatever number of searches ask it: texts are looked for in one
 * scan of a batch, what is asked of a field is looked up by its value, and only searches that have something in the line that they can't
 * do without are decided.
 */
import { hasColors, stripColors } from '../../../../src/common/text/colors.ts';
import { ColorScanner } from '../../../../src/logs/query/prefilter/color-scanner.ts';
import { QueryLine } from '../../../../src/logs/query/query-line.ts';
import type { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { linePriority } from '../../../../src/logs/syslog/record.ts';
import { BytesCache } from './bytes-cache.ts';
import type { Candidates } from './candidates.ts';
import { GramScanner, Hits } from './gram-scanner.ts';
import { ASCII_ESCAPE, LineFields, readAllValues } from './line-fields.ts';
import { type Predicate, PredicateGraph } from './predicates.ts';
import { countParents, planSearches, type SearchPlan } from './search-plan.ts';
import type { ValueClass } from './value-index.ts';

/** Called with the index of a search that the line under the cursor matches. */
export type OnMatch = (search: number) => void;

/** Where a text was found in the line: in the message, before it, or where a color code may be in between. */
const IN_MESSAGE = 3;
const IN_COLORS = 2;
const BEFORE_MESSAGE = 1;

/** Headers that are known at a time. */
const HEADERS_KEPT = 512;
const NOTHING: readonly Candidates[] = [];

/** What holds of lines with the same header. */
interface HeaderFacts {
  /** By predicate: 1 when it holds. */
  readonly holds: Uint8Array;
  readonly candidates: readonly (readonly Candidates[])[];
}

/** A gate of fields: which, and whether it is that of pairs. */
interface Gate {
  readonly number: number;
  readonly isPair: boolean;
}

export class SearchSet {
  private readonly predicates: readonly Predicate[];
  private readonly fields: PredicateGraph['fields'];
  private readonly plan: SearchPlan;
  /** Of each predicate that is a search's the searches. */
  private readonly searchesOf: readonly (readonly number[])[];
  /** Searches without an expression. */
  private readonly all: readonly number[];
  private readonly scanner: GramScanner | undefined;
  /** By text of the scan: its length, and its number among those of predicates; -1 when it is none of them. */
  private readonly textLengths: Uint16Array;
  private readonly textOf: Int32Array;
  /** By text of the scan: of which fields is it a gate? */
  private readonly gatesOf: readonly (readonly Gate[] | undefined)[];
  /** By field; -1 for one that any line may have, or that is seldom asked for. */
  private readonly gateOfField: readonly number[];
  /** By gate: the field, when its values have to be known to find a search; else -1. */
  private readonly eagerOf: readonly number[];
  private readonly ungated: readonly number[];
  /** By field: do its values find searches? */
  private readonly isEager: readonly boolean[];
  private readonly headers: BytesCache<HeaderFacts> | undefined;
  private readonly headerPredicates: readonly number[];
  private readonly isHeaderEager: boolean;
  /** By severity, what may match then. */
  private readonly bySeverity: readonly (readonly (readonly Candidates[])[])[] | undefined;
  /** Is anything asked of lines in which no text is found? */
  private readonly asksAll: boolean;

  private readonly colors = new ColorScanner();
  private readonly queryLine = new QueryLine();
  private readonly lineFields = new LineFields();
  private readonly long = new Hits();
  private readonly short = new Hits();
  private longAt = 0;
  private shortAt = 0;
  private readonly coloredLong = new Hits();
  private readonly coloredShort = new Hits();
  private hasColoredLines = false;
  private hasEscapes = false;

  // Of the line at hand; what has another line's number isn't known.
  private lineNumber = 0;
  private line: RecordCursor | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private isColored = false;
  private isSet = false;
  private header: HeaderFacts | undefined;
  private readonly knownIn: Uint32Array;
  private readonly known: Uint8Array;
  private readonly askedIn: Uint32Array;
  private readonly textIn: Uint32Array;
  private readonly textWhere: Uint8Array;
  private readonly textsFound: Int32Array;
  private textsFoundCount = 0;
  private readonly gateIn: Uint32Array;
  private readonly gatesFound: Int32Array;
  private gatesFoundCount = 0;
  private readonly fieldIn: Uint32Array;
  /** By field: what its values are, those of the line at hand first. */
  private readonly valuesOf: readonly ValueClass[][];
  private readonly valueCounts: Uint32Array;
  /** Values by which searches are found. */
  private readonly found: ValueClass[] = [];
  private foundCount = 0;
  private fieldAtHand = 0;

  /** @param expressions undefined: every line matches */
  constructor(expressions: readonly (QueryNode | undefined)[]) {
    const graph = new PredicateGraph();
    const all: number[] = [];
    const searchesOf = new Map<number, number[]>();
    expressions.forEach((expression, search) => {
      if (!expression) {
        all.push(search);
        return;
      }
      const root = graph.add(expression);
      const same = searchesOf.get(root);
      if (same) same.push(search);
      else searchesOf.set(root, [search]);
    });
    this.all = all;
    this.predicates = inGoodOrder(graph.all);
    this.fields = graph.fields;
    this.searchesOf = graph.all.map((_, root) => searchesOf.get(root) ?? []);
    const texts = [...graph.texts.keys()];
    this.plan = planSearches(graph.all, texts, [...searchesOf.keys()]);

    const gates = new FieldGates(graph, this.plan);
    this.gateOfField = gates.ofField;
    this.eagerOf = gates.eager;
    this.ungated = gates.ungated;
    this.isEager = graph.fields.map((_, field) => gates.eagerFields.has(field));
    const scanned = [
      ...new Set([...texts.filter((_, text) => this.plan.isScanned[text]), ...gates.byText.keys()]),
    ];
    this.gatesOf = scanned.map((text) => gates.byText.get(text));
    this.textOf = Int32Array.from(scanned, (text) => {
      const number = graph.texts.get(text) ?? -1;
      return this.plan.isScanned[number] ? number : -1;
    });
    this.textLengths = Uint16Array.from(scanned, (text) => text.length);
    this.scanner = scanned.length === 0 ? undefined : new GramScanner(scanned);

    const ofKind = (kind: Predicate['kind']): number[] =>
      graph.all.flatMap((predicate, number) => (predicate.kind === kind ? [number] : []));
    this.headerPredicates = ofKind('header');
    this.headers = this.headerPredicates.length > 0 ? new BytesCache(HEADERS_KEPT) : undefined;
    this.isHeaderEager = this.headerPredicates.some((number) => this.plan.byPredicate[number]);
    const severities = ofKind('severity').filter((number) => this.plan.byPredicate[number]);
    this.bySeverity =
      severities.length === 0
        ? undefined
        : Array.from({ length: 8 }, (_, severity) =>
            severities
              .filter((number) => (maskOf(graph.all[number]) >> severity) & 1)
              .map((number) => this.plan.byPredicate[number] ?? NOTHING),
          );
    this.asksAll =
      all.length > 0 ||
      this.plan.always.length > 0 ||
      this.isHeaderEager ||
      this.bySeverity !== undefined ||
      this.ungated.length > 0;

    this.knownIn = new Uint32Array(graph.all.length);
    this.known = new Uint8Array(graph.all.length);
    this.askedIn = new Uint32Array(graph.all.length);
    this.textIn = new Uint32Array(texts.length);
    this.textWhere = new Uint8Array(texts.length);
    this.gateIn = new Uint32Array(gates.count);
    this.fieldIn = new Uint32Array(graph.fields.length);
    this.textsFound = new Int32Array(texts.length);
    this.gatesFound = new Int32Array(gates.count);
    this.valuesOf = graph.fields.map(() => []);
    this.valueCounts = new Uint32Array(graph.fields.length);
  }

  /** Begins with a batch: false when none of its lines matches any search. */
  startBatch(batch: Buffer): boolean {
    this.longAt = 0;
    this.shortAt = 0;
    this.scanner?.scan(batch, this.long, this.short);
    this.hasColoredLines = this.colors.startBatch(batch);
    this.lineFields.startBatch();
    this.hasEscapes = this.eagerOf.length > 0 && batch.includes(ASCII_ESCAPE);
    return this.asksAll || this.hasColoredLines || this.hasEscapes || this.long.count + this.short.count > 0;
  }

  /** Finds the searches that a line of the batch matches; lines have to come in their order. */
  match(line: RecordCursor, bytes: Buffer, onMatch: OnMatch): void {
    for (const search of this.all) onMatch(search);
    const { long, short } = this;
    const isFound =
      (this.longAt < long.count && long.positions[this.longAt] < line.textEnd) ||
      (this.shortAt < short.count && short.positions[this.shortAt] < line.textEnd);
    if (!isFound && !this.asksAll && !this.hasColoredLines && !this.hasEscapes) return;
    this.setLine(line, bytes);
    this.longAt = this.takeHits(long, this.longAt, line);
    this.shortAt = this.takeHits(short, this.shortAt, line);
    if (this.isColored) this.takeColored(line, bytes);
    const { textsFound, gatesFound, found } = this;
    for (let i = 0; i < this.textsFoundCount; i++) this.decideAll(this.plan.byText[textsFound[i]], onMatch);
    if (this.isHeaderEager) {
      const { candidates } = this.headerFacts();
      for (let i = 0; i < candidates.length; i++) this.decideAll(candidates[i], onMatch);
    }
    if (this.bySeverity) {
      const candidates = this.bySeverity[this.severity()];
      for (let i = 0; i < candidates.length; i++) this.decideAll(candidates[i], onMatch);
    }
    for (let i = 0; i < this.gatesFoundCount; i++) {
      const field = this.eagerOf[gatesFound[i]];
      if (field !== -1) this.readField(field);
    }
    for (const field of this.ungated) this.readField(field);
    if (this.hasEscapes && this.lineFields.mayHaveEscapes())
      for (const field of this.eagerOf) if (field !== -1) this.readField(field);
    for (let i = 0; i < this.foundCount; i++) this.decideFound(found[i], onMatch);
    this.decideAll(this.plan.always, onMatch);
  }

  private setLine(line: RecordCursor, bytes: Buffer): void {
    this.lineNumber = (this.lineNumber + 1) >>> 0 || 1;
    this.line = line;
    this.bytes = bytes;
    this.isSet = false;
    this.header = undefined;
    this.isColored = this.hasColoredLines && this.colors.mayBeIn(bytes, line.messageStart, line.textEnd);
    this.textsFoundCount = 0;
    this.gatesFoundCount = 0;
    this.foundCount = 0;
    this.lineFields.setLine(line, bytes, this.isColored, this.lineNumber);
  }

  /** Takes the texts that are in a line; returns the first hit behind it. */
  private takeHits({ positions, texts, count }: Hits, from: number, line: RecordCursor): number {
    const { textStart, messageStart, textEnd } = line;
    let at = from;
    for (; at < count && positions[at] < textEnd; at++) {
      const start = positions[at];
      const text = texts[at];
      if (start < textStart || start + this.textLengths[text] > textEnd) continue;
      const where = this.isColored ? IN_COLORS : start >= messageStart ? IN_MESSAGE : BEFORE_MESSAGE;
      this.takeText(text, where, start);
    }
    return at;
  }

  private takeText(scanned: number, where: number, start: number): void {
    const gates = this.gatesOf[scanned];
    if (gates)
      for (let i = 0; i < gates.length; i++)
        this.takeGate(gates[i], where, start + this.textLengths[scanned] - 1);
    const text = this.textOf[scanned];
    if (text === -1) return;
    if (this.textIn[text] !== this.lineNumber) {
      this.textIn[text] = this.lineNumber;
      this.textWhere[text] = where;
      this.textsFound[this.textsFoundCount++] = text;
    } else if (where > this.textWhere[text]) this.textWhere[text] = where;
  }

  private takeGate({ number, isPair }: Gate, where: number, end: number): void {
    if (this.gateIn[number] !== this.lineNumber) {
      this.gateIn[number] = this.lineNumber;
      this.gatesFound[this.gatesFoundCount++] = number;
    }
    if (isPair && where === IN_MESSAGE) this.lineFields.addPair(number, end);
  }

  /** What is looked for may be on both sides of a color code. */
  private takeColored(line: RecordCursor, bytes: Buffer): void {
    const text = bytes.toString('latin1', line.hostStart, line.textEnd);
    if (!this.scanner || !hasColors(text)) return;
    const stripped = Buffer.from(stripColors(text), 'latin1');
    this.scanner.scan(stripped, this.coloredLong, this.coloredShort);
    for (const { texts, count } of [this.coloredLong, this.coloredShort])
      for (let i = 0; i < count; i++) this.takeText(texts[i], IN_COLORS, 0);
  }

  /** Reports those of the searches that match that a value finds. */
  private decideFound(found: ValueClass, onMatch: OnMatch): void {
    const { byPredicate, byPredicates } = this.plan;
    // What comes once isn't worth to be put together.
    if (found.candidates === undefined && found.isSeen) found.candidates = byPredicates(found.ids);
    found.isSeen = true;
    if (found.candidates) this.decideAll(found.candidates, onMatch);
    else for (const id of found.ids) this.decideAll(byPredicate[id] ?? NOTHING, onMatch);
  }

  /** Reports those of the searches that match. */
  private decideAll(all: readonly Candidates[], onMatch: OnMatch): void {
    for (let i = 0; i < all.length; i++) {
      const { guards, field, roots, terms } = all[i];
      if (guards.length > 0 && !this.holdAll(guards)) continue;
      if (field !== -1 && !this.hasValues(field)) continue;
      for (let j = 0; j < roots.length; j++) {
        const root = roots[j];
        if (this.askedIn[root] === this.lineNumber) continue;
        this.askedIn[root] = this.lineNumber;
        if (this.holdAll(terms[j])) for (const search of this.searchesOf[root]) onMatch(search);
      }
    }
  }

  /** Has a field a value of which something holds? */
  private hasValues(field: number): boolean {
    this.readField(field);
    return this.valueCounts[field] > 0;
  }

  private holdAll(numbers: readonly number[]): boolean {
    for (let i = 0; i < numbers.length; i++) if (!this.holds(numbers[i])) return false;
    return true;
  }

  /** Is it true of the line at hand? */
  private holds(number: number): boolean {
    if (this.knownIn[number] === this.lineNumber) return this.known[number] === 1;
    const result = this.decide(number);
    this.knownIn[number] = this.lineNumber;
    this.known[number] = result ? 1 : 0;
    return result;
  }

  private decide(number: number): boolean {
    const predicate = this.predicates[number];
    switch (predicate.kind) {
      case 'all':
        return this.holdAll(predicate.children);
      case 'any':
        for (let i = 0; i < predicate.children.length; i++)
          if (this.holds(predicate.children[i])) return true;
        return false;
      case 'not':
        return !this.holds(predicate.child);
      case 'text': {
        if (!this.plan.isScanned[predicate.text]) return this.test(predicate.matcher);
        if (this.textIn[predicate.text] !== this.lineNumber) return false;
        const where = this.textWhere[predicate.text];
        if (where === IN_MESSAGE) return true;
        if (where === BEFORE_MESSAGE && predicate.inMessage) return false;
        return this.test(predicate.matcher);
      }
      case 'header':
        return this.headerFacts().holds[number] === 1;
      case 'severity':
        return ((predicate.mask >> this.severity()) & 1) === 1;
      case 'field': {
        if (!this.hasValues(predicate.field)) return false;
        const values = this.valuesOf[predicate.field];
        const count = this.valueCounts[predicate.field];
        for (let i = 0; i < count; i++) if (values[i].holds[predicate.place] === 1) return true;
        return false;
      }
      case 'other':
        return this.mayHave(predicate.texts) && this.test(predicate.matcher);
    }
  }

  /** Is one of the texts in the line, without which something can't hold? */
  private mayHave(texts: readonly number[] | undefined): boolean {
    if (!texts) return true;
    for (let i = 0; i < texts.length; i++)
      if (this.textIn[texts[i]] === this.lineNumber || !this.plan.isScanned[texts[i]]) return true;
    return false;
  }

  private test(matcher: QueryMatcher): boolean {
    return matcher.test(this.wholeLine());
  }

  private severity(): number {
    return this.wholeLine().severity;
  }

  private wholeLine(): QueryLine {
    if (!this.isSet && this.line) {
      this.queryLine.setLine(this.line, this.bytes, this.isColored);
      this.isSet = true;
    }
    return this.queryLine;
  }

  private headerFacts(): HeaderFacts {
    const { line, bytes, headers } = this;
    if (!line || !headers) throw new Error('A line has to be set first.');
    this.header ??= headers.get(
      bytes,
      line.hostStart,
      line.msgidStart,
      linePriority(line, bytes) >> 3,
      this.readHeader,
    );
    return this.header;
  }

  private readonly readHeader = (): HeaderFacts => {
    const holds = new Uint8Array(this.predicates.length);
    const candidates: (readonly Candidates[])[] = [];
    for (const number of this.headerPredicates) {
      const predicate = this.predicates[number];
      if (predicate.kind !== 'header' || !this.test(predicate.matcher)) continue;
      holds[number] = 1;
      const own = this.plan.byPredicate[number];
      if (own) candidates.push(own);
    }
    return { holds, candidates };
  };

  private readField(field: number): void {
    if (this.fieldIn[field] === this.lineNumber) return;
    this.fieldIn[field] = this.lineNumber;
    this.valueCounts[field] = 0;
    const gate = this.gateOfField[field];
    const isFound = gate === -1 || this.gateIn[gate] === this.lineNumber;
    if (!isFound && !this.lineFields.mayHaveEscapes()) return;
    const wanted = this.fields[field];
    this.fieldAtHand = field;
    if (gate !== -1 && this.lineFields.hasPairsAlone()) this.lineFields.readPairs(wanted, gate, this.onValue);
    else if (gate === -1 || !this.lineFields.readFlatJson(wanted, this.onValue))
      readAllValues(wanted, this.wholeLine(), this.onValue);
  }

  private readonly onValue = (value: ValueClass): void => {
    if (value.ids.length === 0) return;
    const field = this.fieldAtHand;
    const values = this.valuesOf[field];
    const count = this.valueCounts[field];
    for (let i = 0; i < count; i++) if (values[i] === value) return;
    values[count] = value;
    this.valueCounts[field] = count + 1;
    if (this.isEager[field]) this.found[this.foundCount++] = value;
  };
}

/** Texts by which it is known that a line may have a field; each field that is read often has a gate, with its number. */
class FieldGates {
  readonly byText = new Map<string, Gate[]>();
  readonly ofField: number[] = [];
  /** By gate: the field, when it has to be read to find a search; else -1. */
  readonly eager: number[] = [];
  readonly ungated: number[] = [];
  readonly eagerFields: ReadonlySet<number>;

  constructor(graph: PredicateGraph, plan: SearchPlan) {
    const eager = new Set<number>();
    this.eagerFields = eager;
    graph.all.forEach((predicate, number) => {
      if (predicate.kind === 'field' && plan.byPredicate[number]) eager.add(predicate.field);
    });
    graph.fields.forEach(({ gates, pairGate }, field) => {
      if (gates.length === 0 || !plan.fields.has(field)) {
        this.ofField.push(-1);
        if (eager.has(field)) this.ungated.push(field);
        return;
      }
      const number = this.eager.push(eager.has(field) ? field : -1) - 1;
      this.ofField.push(number);
      for (const text of gates) {
        const gate = { number, isPair: text === pairGate };
        const same = this.byText.get(text);
        if (same) same.push(gate);
        else this.byText.set(text, [gate]);
      }
    });
  }

  get count(): number {
    return this.eager.length;
  }
}

/** What many ask comes first: it decides for all of them, and is mostly decided already. */
function inGoodOrder(predicates: readonly Predicate[]): Predicate[] {
  const askedBy = countParents(predicates);
  return predicates.map((predicate) =>
    'children' in predicate
      ? { ...predicate, children: [...predicate.children].sort((a, b) => askedBy[b] - askedBy[a]) }
      : predicate,
  );
}

function maskOf(predicate: Predicate): number {
  return predicate.kind === 'severity' ? predicate.mask : 0;
}
