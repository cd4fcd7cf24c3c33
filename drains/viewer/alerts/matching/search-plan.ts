/**
 * By what each of many searches is found: something that holds in every line that it matches, and in as few others as possible. Searches
 * that are found by the same, and have more in common, are asked that first, once for all of them.
 */
import type { Candidates } from './candidates.ts';
import type { Predicate } from './predicates.ts';

/** One of these holds in every line that matches. */
interface Access {
  /** In about which part of all lines. */
  readonly rate: number;
  readonly texts: readonly number[];
  /** Of the header, severity or a field. */
  readonly predicates: readonly number[];
}

export interface SearchPlan {
  /** By text. */
  readonly byText: readonly (readonly Candidates[])[];
  /** By predicate. */
  readonly byPredicate: readonly (readonly Candidates[] | undefined)[];
  /** Those that some predicates of the same value find, together. */
  readonly byPredicates: (numbers: readonly number[]) => readonly Candidates[];
  /** Asked in each line. */
  readonly always: readonly Candidates[];
  /** By text: does it find a search, or decide one that is asked often? */
  readonly isScanned: readonly boolean[];
  /** Fields that are read to find a search, or to decide one that is asked often. */
  readonly fields: ReadonlySet<number>;
}

/** A search that is asked about more lines than this isn't to read them as text. */
const OFTEN = 0.004;
/** How often a text of three characters is in a line, and how much less often one that has one more. */
const SHORT_TEXT_RATE = 0.05;
const RATE_A_CHARACTER = 0.4;
const HEADER_RATE = 0.3;
const SEVERITY_RATE = 0.08;
const FIELD_RATE = 0.04;

/** @param roots the searches' predicates */
export function planSearches(
  predicates: readonly Predicate[],
  texts: readonly string[],
  roots: readonly number[],
): SearchPlan {
  const textRate = (text: number): number => SHORT_TEXT_RATE * RATE_A_CHARACTER ** (texts[text].length - 3);
  const known = new Map<number, Access | undefined>();

  function accessOf(number: number): Access | undefined {
    if (!known.has(number)) known.set(number, findAccess(number));
    return known.get(number);
  }

  function findAccess(number: number): Access | undefined {
    const predicate = predicates[number];
    switch (predicate.kind) {
      case 'all':
        return predicate.children
          .map(accessOf)
          .reduce((best, one) => (one && (!best || one.rate < best.rate) ? one : best), undefined);
      case 'any':
        return union(predicate.children.map(accessOf));
      case 'not':
        return undefined;
      case 'text':
        return byTexts([predicate.text]);
      case 'other':
        return predicate.texts && byTexts(predicate.texts);
      case 'header':
        return byPredicate(number, HEADER_RATE);
      case 'severity':
        return byPredicate(number, SEVERITY_RATE);
      case 'field': {
        const exact = byPredicate(number, FIELD_RATE);
        const text = predicate.texts && byTexts(predicate.texts);
        return text && text.rate < exact.rate ? text : exact;
      }
    }
  }

  function byTexts(numbers: readonly number[]): Access {
    const rate = numbers.reduce((sum, text) => sum + textRate(text), 0);
    return { rate, texts: numbers, predicates: [] };
  }

  function byPredicate(number: number, rate: number): Access {
    return { rate, texts: [], predicates: [number] };
  }

  const askedBy = countParents(predicates);
  const byText: number[][] = texts.map(() => []);
  const ofPredicate: number[][] = predicates.map(() => []);
  const always: number[] = [];
  const isScanned = texts.map(() => false);
  const fields = new Set<number>();
  const scanned = new Set<number>();
  function scanAll(number: number): void {
    if (scanned.has(number)) return;
    scanned.add(number);
    const predicate = predicates[number];
    if (predicate.kind === 'all' || predicate.kind === 'any') predicate.children.forEach(scanAll);
    else if (predicate.kind === 'not') scanAll(predicate.child);
    else if (predicate.kind === 'text') isScanned[predicate.text] = true;
    else if (predicate.kind === 'field') fields.add(predicate.field);
    else if (predicate.kind === 'other') for (const text of predicate.texts ?? []) isScanned[text] = true;
  }
  for (const root of new Set(roots)) {
    const access = accessOf(root);
    if (!access) always.push(root);
    if (!access || access.rate > OFTEN) scanAll(root);
    for (const text of access?.texts ?? []) {
      byText[text].push(root);
      isScanned[text] = true;
    }
    for (const number of access?.predicates ?? []) {
      ofPredicate[number].push(root);
      const predicate = predicates[number];
      if (predicate.kind === 'field') fields.add(predicate.field);
    }
  }
  return {
    byText: byText.map((found) => guarded(found, predicates, askedBy, [])),
    byPredicate: ofPredicate.map((found, number) =>
      found.length === 0 ? undefined : guarded(found, predicates, askedBy, [number]),
    ),
    byPredicates: (numbers) => {
      const roots = new Set(numbers.flatMap((number) => ofPredicate[number]));
      return guarded([...roots], predicates, askedBy, numbers);
    },
    always: guarded(always, predicates, askedBy, []),
    isScanned,
    fields,
  };
}

function union(all: readonly (Access | undefined)[]): Access | undefined {
  const texts = new Set<number>();
  const predicates = new Set<number>();
  let rate = 0;
  for (const one of all) {
    if (!one) return undefined;
    rate += one.rate;
    for (const text of one.texts) texts.add(text);
    for (const number of one.predicates) predicates.add(number);
  }
  return { rate, texts: [...texts], predicates: [...predicates] };
}

/**
 * Puts together those that have to fulfil the same besides, by what most of them have in common. What others that are found by something
 * else have to fulfil, too, is probably decided already.
 * @param askedBy by predicate, how many are made of it
 * @param known what holds whenever they are asked
 */
function guarded(
  roots: readonly number[],
  predicates: readonly Predicate[],
  askedBy: Uint32Array,
  known: readonly number[],
): Candidates[] {
  const isKnown = new Set(known);
  const guardsOf = (root: number): readonly number[] =>
    termsOf(root, predicates).filter((term) => term !== root && askedBy[term] > 1 && !isKnown.has(term));
  const counts = new Map<number, number>();
  for (const root of roots) for (const term of guardsOf(root)) counts.set(term, (counts.get(term) ?? 0) + 1);
  const groups = new Map<number, { guards: readonly number[]; readonly roots: number[] }>();
  for (const root of roots) {
    const own = guardsOf(root);
    const guard = own.reduce(
      (best, term) => ((counts.get(term) ?? 0) > (counts.get(best) ?? 0) ? term : best),
      -1,
    );
    const group = groups.get(guard);
    if (!group) {
      groups.set(guard, { guards: own, roots: [root] });
      continue;
    }
    group.roots.push(root);
    group.guards = group.guards.filter((term) => own.includes(term));
  }
  return [...groups.values()]
    .sort((a, b) => b.roots.length - a.roots.length)
    .map(({ guards, roots: own }) => {
      const terms = own.map((root) =>
        termsOf(root, predicates).filter((term) => !isKnown.has(term) && !guards.includes(term)),
      );
      return { guards, field: commonField(terms, predicates), roots: own, terms };
    });
}

/** A field of which something is asked in each of them; -1 for none. */
function commonField(all: readonly (readonly number[])[], predicates: readonly Predicate[]): number {
  const fieldsOf = (terms: readonly number[]): readonly number[] =>
    terms.flatMap((term) => {
      const predicate = predicates[term];
      return predicate.kind === 'field' ? [predicate.field] : [];
    });
  const fields = all.slice(1).reduce((common, terms) => {
    const own = common.length > 0 ? fieldsOf(terms) : [];
    return common.filter((field) => own.includes(field));
  }, fieldsOf(all[0]));
  return fields[0] ?? -1;
}

/** By predicate, how many are made of it. */
export function countParents(predicates: readonly Predicate[]): Uint32Array {
  const parents = new Uint32Array(predicates.length);
  for (const predicate of predicates)
    if ('children' in predicate) for (const child of predicate.children) parents[child]++;
  return parents;
}

function termsOf(root: number, predicates: readonly Predicate[]): readonly number[] {
  const predicate = predicates[root];
  return predicate.kind === 'all' ? predicate.children : [root];
}
