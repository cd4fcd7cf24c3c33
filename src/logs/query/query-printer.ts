/** Writes search expressions: what is read from the text is what was written. */

import type { AttributeValue, Query, QueryNode } from './query-syntax.ts';
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
      return `${node.name}:${printValue(node.value)}`;
  }
}

function printValue(value: AttributeValue): string {
  switch (value.kind) {
    case 'text':
      return printPhrase(value.text);
    case 'glob':
      return value.pattern;
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
