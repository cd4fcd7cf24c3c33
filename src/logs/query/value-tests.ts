/** What a value is compared with: whole words of text, `*` for anything, numbers with units. */
import { CONTAINER, type ValueTest } from './field-scanner.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';
import { type CompareOperator, WORD_CHARACTER } from './query-syntax.ts';

/** Numbers that are compared as such; longer ones are names. */
const PLAIN_NUMBER = /^[+-]?\d{1,15}(?:\.\d{1,15})?$/;

/** A decimal with at most 15 digits on each side of its point. What is longer, or has an exponent, is compared as text: it is an id. */
export function isPlainNumber(text: string): boolean {
  return PLAIN_NUMBER.test(text);
}

/** The value has this text in it, in any case, as whole words; of two numbers both are equal. */
export function wordsTest(text: string): ValueTest {
  const wanted = text.toLowerCase();
  const isNumber = isPlainNumber(text);
  const number = Number(text);
  return (value) => {
    if (value.length < wanted.length && !isNumber) return false;
    if (isNumber && isPlainNumber(value)) return Number(value) === number;
    const lower = value.toLowerCase();
    if (wanted === '') return value === '';
    for (let at = lower.indexOf(wanted); at !== -1; at = lower.indexOf(wanted, at + 1))
      if (isEdge(lower, at) && isEdge(lower, at + wanted.length)) return true;
    return false;
  };
}

/** Does a word begin or end here? */
function isEdge(text: string, at: number): boolean {
  if (at <= 0 || at >= text.length) return true;
  return !WORD_CHARACTER.test(text[at - 1]) || !WORD_CHARACTER.test(text[at]);
}

/** The whole value, in any case, with `*` for any characters. */
export function globTest(pattern: string): ValueTest {
  const pieces = pattern.toLowerCase().split(/\*+/);
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  const middle = pieces.slice(1, -1);
  return (value) => {
    if (value === CONTAINER) return false;
    const lower = value.toLowerCase();
    if (lower.length < first.length + last.length) return false;
    if (!lower.startsWith(first) || !lower.endsWith(last)) return false;
    const end = lower.length - last.length;
    let at = first.length;
    for (const piece of middle) {
      const found = lower.indexOf(piece, at);
      if (found === -1 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
}

/** A field's value compared with a number, or equal to a text, in any case. */
export function compareTest(name: string, operator: CompareOperator, operand: string): ValueTest {
  const wanted = parseQuantity(operand);
  const lower = operand.toLowerCase();
  return (value) => {
    if (operator === '=' && value.toLowerCase() === lower) return true;
    const quantity = wanted && parseQuantity(value);
    const difference = quantity && compareQuantities(name, quantity, wanted);
    return difference !== undefined && holds(operator, difference);
  };
}

/** Does a difference, the left side less the right one, fulfil the operator? */
export function holds(operator: CompareOperator, difference: number): boolean {
  switch (operator) {
    case '>=':
      return difference >= 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    case '<':
      return difference < 0;
    case '=':
      return difference === 0;
  }
}
