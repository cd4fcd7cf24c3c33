/** Of everything that searches ask of one field's values, what holds of a value: found by the value, not asked one by one. */
import { CONTAINER, type ValueTest } from '../../../../src/logs/query/field-scanner.ts';
import { compareQuantities, parseQuantity, type Quantity } from '../../../../src/logs/query/quantity.ts';
import { fieldValueTest } from '../../../../src/logs/query/query-matcher.ts';
import type { AttributeValue, CompareOperator } from '../../../../src/logs/query/query-syntax.ts';
import { isPlainNumber } from '../../../../src/logs/query/value-tests.ts';
import { BytesCache } from './bytes-cache.ts';
import type { Candidates } from './candidates.ts';

const CACHE_SLOTS = 4_096;
/** Lengths of what values begin with, each of which is looked up. */
const PREFIX_LENGTHS_MAX = 12;
/** The same words as value-tests.ts knows, of characters of one UTF-16 unit. */
const RUN = /[\p{L}\p{N}_]+/gu;
const SURROGATE = /[\ud800-\udfff]/;
/** Kinds of values that are known at a time. */
const CLASSES_MAX = 1_024;
/** Digits of numbers that are read where they stand: exact, and so is their quotient by a power of ten. */
const DIGITS_MAX = 15;
const POWERS_OF_TEN = Float64Array.from({ length: DIGITS_MAX + 1 }, (_, exponent) => 10 ** exponent);
const DOT = 0x2e;
const LETTER_M = 0x6d;
const LETTER_S = 0x73;
const SECOND_MS = 1_000;

/** Values of which the same holds. */
export interface ValueClass {
  /** By what {@link ValueIndex.add} returned: 1 for what holds. */
  readonly holds: Uint8Array;
  /** The numbers of what holds. */
  readonly ids: readonly number[];
  /** Was there such a value before? */
  isSeen: boolean;
  /** Searches that are found by it, when that is known. */
  candidates: readonly Candidates[] | undefined;
}

/** Something that is asked of the field, and the number by which it is known. */
interface Asked {
  readonly id: number;
  readonly place: number;
  readonly test: ValueTest;
}

/** Comparisons with numbers of one unit by one operator, sorted by the number. */
interface Thresholds {
  readonly name: string;
  readonly isAbove: boolean;
  /** Does a value that is equal to a number stand behind it? */
  readonly isBehindEqual: boolean;
  readonly operator: CompareOperator;
  readonly unit: Quantity['unit'];
  /** What a value without a unit is multiplied by: what the field's name says. */
  readonly plainFactor: number;
  readonly entries: { readonly number: number; readonly asked: Asked }[];
  isSorted: boolean;
}

export class ValueIndex {
  private readonly cache = new BytesCache<ValueClass>(CACHE_SLOTS);
  private readonly thresholds: Thresholds[] = [];
  private readonly byNumber = new Map<number, Asked[]>();
  /** By the first whole word in what is wanted. */
  private readonly byRun = new Map<string, Asked[]>();
  private readonly byPrefix = new Map<string, Asked[]>();
  private readonly prefixLengths: number[] = [];
  /** Asked of each value. */
  private readonly others: Asked[] = [];
  private readonly all: Asked[] = [];
  private readonly nothing: ValueClass = {
    holds: new Uint8Array(0),
    ids: [],
    isSeen: false,
    candidates: undefined,
  };
  /** By the numbers of what holds. */
  private readonly classes = new Map<string, ValueClass>();
  /** By where a value stands among all thresholds, when they are all that is asked. */
  private readonly classesByPlace = new Map<number, ValueClass>();

  /**
   * Asks something of the field.
   * @param id its number in {@link ValueClass.ids}
   * @returns its place in {@link ValueClass.holds}
   */
  add(id: number, name: string, value: AttributeValue): number {
    const place = this.all.length;
    const asked: Asked = { id, place, test: fieldValueTest(name, value) };
    this.all.push(asked);
    switch (value.kind) {
      case 'text':
        this.addText(asked, value.text);
        break;
      case 'glob':
        this.addGlob(asked, value.pattern);
        break;
      case 'compare':
        this.addCompare(asked, name.toLowerCase(), value.operator, value.operand);
        break;
      default:
        this.others.push(asked);
    }
    return place;
  }

  /** What holds of a value as it is stored in `bytes[start, end)`. */
  findBytes(bytes: Buffer, start: number, end: number): ValueClass {
    return (
      (this.comparesAlone ? this.findNumber(bytes, start, end) : undefined) ??
      this.cache.get(bytes, start, end, 0, this.read)
    );
  }

  private readonly read = (bytes: Buffer, start: number, end: number): ValueClass =>
    this.find(bytes.toString('utf8', start, end));

  /** What holds of a value. */
  find(value: string): ValueClass {
    const found: Asked[] = [];
    const test = (asked: Asked): void => {
      if (asked.test(value)) found.push(asked);
    };
    if (value === CONTAINER || SURROGATE.test(value)) {
      this.all.forEach(test);
      return this.classOf(found);
    }
    this.others.forEach(test);
    if (this.byRun.size > 0 || this.byPrefix.size > 0) {
      const lower = value.toLowerCase();
      if (this.byNumber.size > 0 && isPlainNumber(value))
        found.push(...(this.byNumber.get(Number(value)) ?? []));
      const candidates = new Set<Asked>();
      if (this.byRun.size > 0)
        for (const [run] of lower.matchAll(RUN))
          for (const asked of this.byRun.get(run) ?? []) candidates.add(asked);
      for (const length of this.prefixLengths)
        for (const asked of this.byPrefix.get(lower.slice(0, length)) ?? []) candidates.add(asked);
      // Of two numbers it is said above whether they are equal.
      for (const asked of candidates) if (!found.includes(asked)) test(asked);
    }
    if (this.thresholds.length > 0) this.compare(value, found);
    return this.classOf(found);
  }

  private classOf(found: readonly Asked[]): ValueClass {
    if (found.length === 0) return this.nothing;
    const ids = found.map(({ id }) => id);
    const key = ids.join();
    const known = this.classes.get(key);
    if (known) return known;
    const made = this.makeClass(found);
    if (this.classes.size >= CLASSES_MAX) this.classes.clear();
    this.classes.set(key, made);
    return made;
  }

  private makeClass(found: readonly Asked[]): ValueClass {
    const holds = new Uint8Array(this.all.length);
    for (const { place } of found) holds[place] = 1;
    return { holds, ids: found.map(({ id }) => id), isSeen: false, candidates: undefined };
  }

  private compare(value: string, found: Asked[]): void {
    const quantity = parseQuantity(value);
    if (!quantity) return;
    for (const one of this.thresholds) {
      const number = compareQuantities(one.name, quantity, { value: 0, plain: 0, unit: one.unit });
      if (number === undefined) continue;
      if (Number.isFinite(number)) takeHeld(one, placeOf(one, number), found);
      else for (const { asked } of one.entries) if (asked.test(value)) found.push(asked);
    }
  }

  /** Is nothing asked but comparisons with numbers? */
  private get comparesAlone(): boolean {
    return (
      this.thresholds.length > 0 &&
      this.others.length === 0 &&
      this.byRun.size === 0 &&
      this.byPrefix.size === 0
    );
  }

  /** What holds of a number of digits, alone or with `ms` or `s`, without making a string of it; undefined for any other value. */
  private findNumber(bytes: Uint8Array, start: number, end: number): ValueClass | undefined {
    let integer = 0;
    let digits = 0;
    let dotAt = -1;
    let at = start;
    for (; at < end; at++) {
      const digit = bytes[at] - 0x30;
      if (digit >= 0 && digit <= 9) {
        integer = integer * 10 + digit;
        if (++digits > DIGITS_MAX) return undefined;
      } else if (bytes[at] === DOT && dotAt === -1 && digits > 0) dotAt = at;
      else break;
    }
    if (digits === 0) return undefined;
    const plain = dotAt === -1 ? integer : integer / POWERS_OF_TEN[at - dotAt - 1];
    if (at === end) return this.findQuantity(plain, plain, false);
    if (at === end - 1 && bytes[at] === LETTER_S) return this.findQuantity(plain, plain * SECOND_MS, true);
    if (at === end - 2 && bytes[at] === LETTER_M && bytes[at + 1] === LETTER_S)
      return this.findQuantity(plain, plain, true);
    return undefined;
  }

  /** See {@link Quantity} and {@link compareQuantities}. */
  private findQuantity(plain: number, value: number, isTime: boolean): ValueClass | undefined {
    let key = 0;
    const { thresholds } = this;
    for (let i = 0; i < thresholds.length; i++) {
      const one = thresholds[i];
      key = key * (one.entries.length + 1);
      if (one.unit === 'none') key += placeOf(one, plain);
      else if (!isTime) key += placeOf(one, plain * one.plainFactor);
      else key += one.unit === 'time' ? placeOf(one, value) : nowhere(one);
    }
    // Too many places to be told apart by a number.
    if (key > Number.MAX_SAFE_INTEGER) return undefined;
    let found = this.classesByPlace.get(key);
    if (!found) {
      found = this.makeClassAt(key);
      if (this.classesByPlace.size >= CLASSES_MAX) this.classesByPlace.clear();
      this.classesByPlace.set(key, found);
    }
    return found;
  }

  private makeClassAt(key: number): ValueClass {
    const found: Asked[] = [];
    let left = key;
    for (let i = this.thresholds.length - 1; i >= 0; i--) {
      const one = this.thresholds[i];
      const places = one.entries.length + 1;
      takeHeld(one, left % places, found);
      left = Math.floor(left / places);
    }
    return found.length === 0 ? this.nothing : this.makeClass(found);
  }

  private addText(asked: Asked, text: string): void {
    const lower = text.toLowerCase();
    const [run] = lower.match(RUN) ?? [];
    if (run === undefined || SURROGATE.test(lower)) {
      this.others.push(asked);
      return;
    }
    push(this.byRun, run, asked);
    if (isPlainNumber(text)) push(this.byNumber, Number(text), asked);
  }

  private addGlob(asked: Asked, pattern: string): void {
    const prefix = pattern.toLowerCase().split('*', 1)[0];
    const isKnown = this.prefixLengths.includes(prefix.length);
    if (prefix === '' || (!isKnown && this.prefixLengths.length >= PREFIX_LENGTHS_MAX)) {
      this.others.push(asked);
      return;
    }
    if (!isKnown) this.prefixLengths.push(prefix.length);
    push(this.byPrefix, prefix, asked);
  }

  private addCompare(asked: Asked, name: string, operator: CompareOperator, operand: string): void {
    const wanted = parseQuantity(operand);
    if (operator === '=' || !wanted || !Number.isFinite(wanted.value)) {
      this.others.push(asked);
      return;
    }
    const { unit } = wanted;
    let same = this.thresholds.find(
      (one) => one.name === name && one.operator === operator && one.unit === unit,
    );
    if (!same) {
      const one: Quantity = { value: 1, plain: 1, unit: 'none' };
      same = {
        name,
        isAbove: operator === '>' || operator === '>=',
        isBehindEqual: operator === '>=' || operator === '<',
        operator,
        unit,
        plainFactor: compareQuantities(name, one, { value: 0, plain: 0, unit }) ?? 1,
        entries: [],
        isSorted: true,
      };
      this.thresholds.push(same);
    }
    same.entries.push({ number: wanted.value, asked });
    same.isSorted = false;
  }
}

/** How many of the numbers are before a value. */
function placeOf(thresholds: Thresholds, value: number): number {
  const { entries, isBehindEqual } = thresholds;
  if (!thresholds.isSorted) entries.sort((a, b) => a.number - b.number);
  thresholds.isSorted = true;
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { number } = entries[middle];
    if (isBehindEqual ? number <= value : number < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place of a value that can't be compared: nothing holds of it. */
function nowhere({ isAbove, entries }: Thresholds): number {
  return isAbove ? 0 : entries.length;
}

/** Adds what holds of values at a place. */
function takeHeld({ isAbove, entries }: Thresholds, place: number, found: Asked[]): void {
  const end = isAbove ? place : entries.length;
  for (let i = isAbove ? 0 : place; i < end; i++) found.push(entries[i].asked);
}

function push<K>(map: Map<K, Asked[]>, key: K, asked: Asked): void {
  const same = map.get(key);
  if (same) same.push(asked);
  else map.set(key, [asked]);
}
