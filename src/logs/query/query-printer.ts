/** Writes search expressions: what is read from the text is what was written. */

import {
  type AttributeValue,
  isLineAttribute,
  type Query,
  type QueryNode,
  WORD_CHARACTER,
} from './query-syntax.ts';
import { literalSource } from './text-pattern.ts';

/** An expression as text; empty when it matches every line. */
export function printQuery({ expression, since, until }: Query): string {
  const parts: string[] = [];
  if (since !== undefined) parts.push(`since:${printPhrase(since)}`);
  if (until !== undefined) parts.push(`until:${printPhrase(until)}`);
  if (expression)
    parts.push(parts.length > 0 && expression.kind === 'or' ? printTerm(expression) : printNode(expression));
  return parts.join(' ');
}

function printNode(node: QueryNode): string {
  switch (node.kind) {
    case 'and':
      return node.children.map(printTerm).join(' ');
    case 'or':
      return node.children
        .map((child) => (child.kind === 'and' ? printNode(child) : printTerm(child)))
        .join(' OR ');
    default:
      return printTerm(node);
  }
}

function printTerm(node: QueryNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${printNode(node)})`;
    case 'not':
      return `-${node.child.kind === 'not' ? `(${printTerm(node.child)})` : printTerm(node.child)}`;
    case 'text':
      return isReadAsQuoted(node.text)
        ? printRegex({ source: literalSource(node.text), anyCase: true })
        : printPhrase(node.text);
    case 'regex':
      return printRegex(node);
    case 'attribute':
      return printAttribute(node.name, node.value);
  }
}

function printAttribute(name: string, value: AttributeValue): string {
  const text = quotedText(value);
  if (text === undefined || isReadAsWord(text)) return `${name}:${printValue(value)}`;
  // What can be neither in quotes nor a word is the text of an expression.
  const source =
    value.kind === 'glob' ? text.split(/\*+/).map(literalSource).join('.*') : literalSource(text);
  const isWhole = value.kind !== 'text' || name === 'source' || name === 'dyno';
  if (isWhole) return `${name}:${printRegex({ source: `^${source}$`, anyCase: true })}`;
  if (isLineAttribute(name)) return `${name}:${printRegex({ source, anyCase: true })}`;
  const words = `${wordEdge(text[0], '^')}${source}${wordEdge(text[text.length - 1], '$')}`;
  const written = printRegex({ source: literalSource(`${name}:`) + source, anyCase: true });
  return `(${name}:${printRegex({ source: words, anyCase: true })} OR message:${written})`;
}

/** The text of a value that has quotes of both kinds. */
function quotedText(value: AttributeValue): string | undefined {
  const text =
    value.kind === 'text'
      ? value.text
      : value.kind === 'glob'
        ? value.pattern
        : value.kind === 'compare'
          ? value.operand
          : '';
  return text.includes('"') && text.includes("'") ? text : undefined;
}

/** Written as it is, and read as that, whatever stands behind it. */
function isReadAsWord(text: string): boolean {
  return !/^['"/<>=(]|[\s()*]/.test(text);
}

/** What is beside a word that begins or ends with this character. */
function wordEdge(character: string, end: '^' | '$'): string {
  return WORD_CHARACTER.test(character) ? `(?:${end}|[^\\pL\\pN_])` : '';
}

function printValue(value: AttributeValue): string {
  switch (value.kind) {
    case 'text':
      return printPhrase(value.text);
    case 'glob':
      // Behind the name's colon another one would be read as part of a text.
      return value.pattern.startsWith(':') ? `(${value.pattern})` : value.pattern;
    case 'exists':
      return '*';
    case 'regex':
      return printRegex(value);
    case 'compare':
      return value.operator + printPhrase(value.operand);
  }
}

function printRegex({ source, anyCase }: { source: string; anyCase: boolean }): string {
  return `/${source}/${anyCase ? 'i' : ''}`;
}

/** Written as they are: nothing in them has a meaning. */
const PLAIN = /^[\p{L}\p{N}_.@#%&+,;?!][\p{L}\p{N}_.@#%&+,;?!/-]*$/u;

/** A word with quotes of both kinds that, written as it is, something behind it may close. */
function isReadAsQuoted(text: string): boolean {
  return text.includes('"') && text.includes("'") && /^'|[()]/.test(text);
}

/** A word or a phrase. What has quotes of both kinds can't be in quotes. */
export function printPhrase(text: string): string {
  if (PLAIN.test(text) && text !== 'OR' && text !== 'AND') return text;
  if (!text.includes('"')) return `"${text}"`;
  return text.includes("'") ? text : `'${text}'`;
}
