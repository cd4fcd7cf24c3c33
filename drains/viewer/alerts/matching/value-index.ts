/** Of everything that searches ask of one field's values, what holds of a value: found by the value, not asked one by one. */
import { CONTAINER, type ValueTest } from '../../../../src/logs/query/field-scanner.ts';
import { compareQuantities, parseQuantity, type Quantity } from '../../../../src/logs/query/quantity.ts';
import { fieldValueTest } from '../../../../src/logs/query/query-matcher.ts';
import type { AttributeValue, CompareOperator } from '../../../../src/logs/query/query-syntax.ts';
import { isPlainNumber } from '../../../../src/logs/query/value-tests.ts';
import { BytesCache } from './bytes-cache.ts';

const CACHE_SLOTS = 4_096;
/** Lengths of what values begin with, each of which is looked up. */
const PREFIX_LENGTHS_MAX = 12;
/** The same words as value-tests.ts knows, of characters of one UTF-16 unit. */
const RUN = /[\p{L}\p{N}_]+/gu;
const SURROGATE = /[\ud800-\udfff]/;
const NOTHING = new Int32Array(0);

/** Something that is asked of the field, and the number by which it is known. */
interface Asked {
  readonly id: number;
  readonly test: ValueTest;
}

/** Comparisons with numbers of one unit by one operator, sorted by the number. */
interface Thresholds {
  readonly name: string;
  readonly operator: CompareOperator;
  readonly unit: Quantity['unit'];
  readonly entries: { readonly number: number; readonly asked: Asked }[];
  isSorted: boolean;
}

export class ValueIndex {
  private readonly cache = new BytesCache<Int32Array>(CACHE_SLOTS);
  private readonly thresholds: Thresholds[] = [];
  private readonly byNumber = new Map<number, Asked[]>();
  /** By the first whole word in what is wanted. */
  private readonly byRun = new Map<string, Asked[]>();
  private readonly byPrefix = new Map<string, Asked[]>();
  private readonly prefixLengths: number[] = [];
  /** Asked of each value. */
  private readonly others: Asked[] = [];
  private readonly all: Asked[] = [];

  /** @param id what {@link find} calls it */
  add(id: number, name: string, value: AttributeValue): void {
    const asked: Asked = { id, test: fieldValueTest(name, value) };
    this.all.push(asked);
    switch (value.kind) {
      case 'text':
        this.addText(asked, value.text);
        return;
      case 'glob':
        this.addGlob(asked, value.pattern);
        return;
      case 'compare':
        this.addCompare(asked, name.toLowerCase(), value.operator, value.operand);
        return;
      default:
        this.others.push(asked);
    }
  }

  /** What holds of a value as it is stored in `bytes[start, end)`. */
  findBytes(bytes: Buffer, start: number, end: number): Int32Array {
    return this.cache.get(bytes, start, end, 0, this.read);
  }

  private readonly read = (bytes: Buffer, start: number, end: number): Int32Array =>
    this.find(bytes.toString('utf8', start, end));

  /** What holds of a value. */
  find(value: string): Int32Array {
    const found: number[] = [];
    const test = (asked: Asked): void => {
      if (asked.test(value)) found.push(asked.id);
    };
    if (value === CONTAINER || SURROGATE.test(value)) {
      this.all.forEach(test);
      return Int32Array.from(found);
    }
    this.others.forEach(test);
    if (this.byRun.size > 0 || this.byPrefix.size > 0) {
      const lower = value.toLowerCase();
      if (this.byNumber.size > 0 && isPlainNumber(value))
        for (const { id } of this.byNumber.get(Number(value)) ?? []) found.push(id);
      const candidates = new Set<Asked>();
      if (this.byRun.size > 0)
        for (const [run] of lower.matchAll(RUN))
          for (const asked of this.byRun.get(run) ?? []) candidates.add(asked);
      for (const length of this.prefixLengths)
        for (const asked of this.byPrefix.get(lower.slice(0, length)) ?? []) candidates.add(asked);
      // Of two numbers it is said above whether they are equal.
      for (const asked of candidates) if (!found.includes(asked.id)) test(asked);
    }
    if (this.thresholds.length > 0) this.compare(value, found);
    return found.length === 0 ? NOTHING : Int32Array.from(found);
  }

  private compare(value: string, found: number[]): void {
    const quantity = parseQuantity(value);
    if (!quantity) return;
    for (const one of this.thresholds) {
      const { name, operator, unit, entries } = one;
      const number = compareQuantities(name, quantity, { value: 0, plain: 0, unit });
      if (number === undefined) continue;
      if (!Number.isFinite(number)) {
        for (const { asked } of entries) if (asked.test(value)) found.push(asked.id);
        continue;
      }
      if (!one.isSorted) entries.sort((a, b) => a.number - b.number);
      one.isSorted = true;
      const isAbove = operator === '>' || operator === '>=';
      const isWithEqual = operator === '>=' || operator === '<';
      // The first entry whose number is above the value, or equal to it where that counts to the other side.
      let low = 0;
      let high = entries.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (isWithEqual ? entries[middle].number <= number : entries[middle].number < number)
          low = middle + 1;
        else high = middle;
      }
      const from = isAbove ? 0 : low;
      const to = isAbove ? low : entries.length;
      for (let i = from; i < to; i++) found.push(entries[i].asked.id);
    }
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
      same = { name, operator, unit, entries: [], isSorted: true };
      this.thresholds.push(same);
    }
    same.entries.push({ number: wanted.value, asked });
    same.isSorted = false;
  }
}

function push<K>(map: Map<K, Asked[]>, key: K, asked: Asked): void {
  const same = map.get(key);
  if (same) same.push(asked);
  else map.set(key, [asked]);
}
