/** What a line has to have in it to match an expression: literals to search whole batches for. */

import { type AttributeValue, isLineAttribute, type QueryNode } from '../query-syntax.ts';
import { fixedPart, isAscii, longestPlain } from '../text-pattern.ts';
import { isPlainNumber } from '../value-tests.ts';
import { PATTERN_BYTES_MAX } from './literal-pattern.ts';
import type { Literal } from './literal-scanner.ts';
import { literalScore, regexLiterals } from './regex-literal.ts';

/** Alternatives beyond these would be slower than to look at each line. */
const LITERALS_MAX = 20;
/** A value that is longer is looked for rather than the name of its field. */
const VALUE_LENGTH_MIN = 3;
/** Names in structured data are cut there when they are stored. */
const STORED_NAME_MAX = 32;

/** Alternatives, one of which every line that matches has, as it is stored; undefined when there are none. */
export function queryLiterals(node: QueryNode): readonly Literal[] | undefined {
  switch (node.kind) {
    case 'and':
      return node.children.map(queryLiterals).reduce(better, undefined);
    case 'or': {
      const all = node.children.map(queryLiterals);
      const literals = all.flatMap((one) => one ?? []);
      return all.includes(undefined) || literals.length > LITERALS_MAX ? undefined : literals;
    }
    case 'text':
      return textLiterals(node.text);
    case 'attribute':
      return isLineAttribute(node.name)
        ? lineAttributeLiterals(node.name, node.value)
        : fieldLiterals(node.name, node.value);
    case 'regex':
      return regexAlternatives(regexLiterals(node.source, node.anyCase));
    case 'not':
      return undefined;
  }
}

/**
 * Alternatives without any of which a line matches: of exclusions, those of what is left out. Undefined when there are none, or when
 * something besides them has to be in a line.
 */
export function exclusionLiterals(node: QueryNode): readonly Literal[] | undefined {
  if (node.kind === 'not') return queryLiterals(node.child);
  if (node.kind !== 'and') return undefined;
  const all = node.children.map(exclusionLiterals);
  const literals = all.flatMap((one) => one ?? []);
  return all.includes(undefined) || literals.length > LITERALS_MAX ? undefined : literals;
}

/** Is nothing to be asked but whether one of {@link queryLiterals} is in the message? Then a line matches. */
export function isDecidedByLiterals(node: QueryNode): boolean {
  if (node.kind === 'or') return node.children.every(isDecidedByLiterals);
  return node.kind === 'text' && isExact(node.text);
}

/** Is nothing to be asked but whether one of {@link exclusionLiterals} is in the message? Then a line doesn't match. */
export function isDecidedByExclusions(node: QueryNode): boolean {
  if (node.kind === 'and') return node.children.every(isDecidedByExclusions);
  return node.kind === 'not' && isDecidedByLiterals(node.child);
}

/** Is a text looked for as a whole, and found only where it stands? */
function isExact(text: string): boolean {
  return isAscii(text) && fixedPart(text) === text && !/[/[]/.test(text) && text.length <= PATTERN_BYTES_MAX;
}

/** Of two that are both needed the one that is in fewer lines, probably. */
function better(
  one: readonly Literal[] | undefined,
  other: readonly Literal[] | undefined,
): readonly Literal[] | undefined {
  if (!one || !other) return one ?? other;
  return score(other) > score(one) ? other : one;
}

function score(literals: readonly Literal[]): number {
  return literalScore(literals.map(({ text }) => text.length));
}

function regexAlternatives(texts: readonly string[]): readonly Literal[] | undefined {
  if (texts.length === 0) return undefined;
  return texts.map((text) => ({ text, plain: text }));
}

function textLiterals(text: string): readonly Literal[] | undefined {
  if (text === '') return undefined;
  if (isAscii(text)) {
    const fixed = fixedPart(text);
    return fixed === '' ? undefined : [{ text: fixed, plain: longestPlain(text) }];
  }
  // Small k and i have large forms that aren't ASCII.
  return longestOf(text.split(/[^\x20-\x7e]|["\\\]/[ki]/i));
}

function lineAttributeLiterals(name: string, value: AttributeValue): readonly Literal[] | undefined {
  if (name === 'severity' || name === 'level' || name === 'facility') return undefined;
  if (value.kind === 'text')
    return name === 'message' || name === 'program' || name === 'sender'
      ? textLiterals(value.text)
      : longestOf(asciiRuns(value.text));
  return value.kind === 'glob' ? longestOf(asciiRuns(value.pattern)) : undefined;
}

/** What a field's value has to have in it, as it is stored. */
export function valueLiterals(value: AttributeValue): readonly Literal[] | undefined {
  switch (value.kind) {
    case 'text':
      return longestOf(isPlainNumber(value.text) ? [integerDigits(value.text)] : asciiRuns(value.text));
    case 'glob':
      return longestOf(asciiRuns(value.pattern));
    default:
      return undefined;
  }
}

function fieldLiterals(name: string, value: AttributeValue): readonly Literal[] | undefined {
  const ofValue = valueLiterals(value);
  const lastKey = name
    .split(/[.[\]]/)
    .filter((part) => !/^\d*$/.test(part))
    .at(-1);
  const ofName = name.length > STORED_NAME_MAX ? undefined : longestOf(asciiRuns(lastKey ?? ''));
  if (value.kind === 'compare' && ofName && isPlainNumber(value.operand)) {
    const [{ text, plain }] = ofName;
    const number = { operator: value.operator, operand: Number(value.operand) };
    return [name.endsWith(text) ? { text, plain, number } : { text, plain }];
  }
  // Where a field is it mostly is in every line.
  return ofValue && ofValue[0].text.length >= VALUE_LENGTH_MIN ? ofValue : better(ofValue, ofName);
}

/** Letters and digits are written as they are in every format. */
function asciiRuns(text: string): string[] {
  return text.split(/[^A-Za-z0-9]/);
}

/** Equal numbers have them in common: `7`, `+7`, `7.0`, `007`. */
function integerDigits(number: string): string {
  return String(Math.trunc(Math.abs(Number(number))));
}

function longestOf(runs: readonly string[]): readonly Literal[] | undefined {
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === '' ? undefined : [{ text: longest, plain: longest }];
}
