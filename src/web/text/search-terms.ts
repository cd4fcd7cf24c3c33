/** Search expressions, as far as the page has to know: what it highlights, and how it asks for a value. The server does the searching. */
import { printPhrase, printQuery } from '../../logs/query/query-printer.ts';
import { isLineAttribute, type QueryNode, QuerySyntaxError } from '../../logs/query/query-syntax.ts';
import { readSearch } from '../stream/search-expression.ts';
import type { StyledRange } from './text-spans.ts';

/** Longer values are searched for by their beginning. */
const VALUE_LENGTH_MAX = 400;

/** The words and phrases that have to be in a line, and the values of its fields, in lower case. Patterns aren't among them. */
export function searchTerms(text: string): string[] {
  const query = readSearch(text);
  const terms: string[] = [];
  if (!(query instanceof QuerySyntaxError)) collectTerms(query.expression, terms);
  return terms;
}

/** Where the terms are in a text. */
export function highlightTerms(text: string, terms: readonly string[]): StyledRange[] {
  if (terms.length === 0) return [];
  const lower = text.toLowerCase();
  // Lower case has another length in some languages: better no highlight than a wrong one.
  if (lower.length !== text.length) return [];
  const ranges: StyledRange[] = [];
  for (const term of terms)
    for (let from = lower.indexOf(term); from !== -1 && ranges.length < 100; ) {
      ranges.push({ from, to: from + term.length, className: 'match' });
      from = lower.indexOf(term, from + term.length);
    }
  return ranges;
}

/** A search for exactly this text. */
export function toSearchPhrase(text: string): string {
  const shortened = text.slice(0, VALUE_LENGTH_MAX);
  return printPhrase(shortened.includes("'") ? shortened.replaceAll('"', ' ') : shortened);
}

/** A search for a field with this value; for the value alone where its name can't be written, or means something else. */
export function toFieldSearch(key: string, value: string): string {
  const expression: QueryNode = { kind: 'attribute', name: key, value: { kind: 'text', text: value } };
  const text = printQuery({ expression });
  const query =
    value.length > VALUE_LENGTH_MAX || isLineAttribute(key.toLowerCase()) ? undefined : readSearch(text);
  return JSON.stringify(query) === JSON.stringify({ expression }) ? text : toSearchPhrase(value);
}

function collectTerms(node: QueryNode | undefined, terms: string[]): void {
  if (node?.kind === 'and' || node?.kind === 'or')
    for (const child of node.children) collectTerms(child, terms);
  else if (node?.kind === 'text') terms.push(node.text.toLowerCase());
  else if (
    node?.kind === 'attribute' &&
    node.value.kind === 'text' &&
    isInMessage(node.name) &&
    node.value.text
  )
    terms.push(node.value.text.toLowerCase());
}

/** Is its value in the message, probably? */
function isInMessage(name: string): boolean {
  return name === 'message' || !isLineAttribute(name);
}
