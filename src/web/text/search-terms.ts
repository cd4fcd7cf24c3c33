/** Search expressions, as far as the page has to know: what it highlights, and how it asks for a value. The server does the searching. */
import { printPhrase, printQuery } from '../../logs/query/query-printer.ts';
import { isLineAttribute, type QueryNode, QuerySyntaxError } from '../../logs/query/query-syntax.ts';
import { readSearch } from '../stream/search-expression.ts';
import type { MessageField } from './message-fields.ts';
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

/**
 * A search for a field of a line: with its name, also where a search would take the name for something else; of an object or a list by
 * its text.
 */
export function fieldSearch({ key, value, kind }: MessageField, message: string): string {
  const [line] = value.split('\n', 1);
  if (kind === 'list' || line !== value) return toSearchPhrase(line);
  const search = toFieldSearch(key, line);
  const query = readSearch(search);
  if (!(query instanceof QuerySyntaxError) && query.expression?.kind === 'attribute') return search;
  const json = JSON.stringify(value);
  const written = [
    `${key}=${value}`,
    `${key}=${json}`,
    ...[value, json].flatMap((text) => [`"${key}":${text}`, `"${key}": ${text}`]),
  ];
  const found = written.find((text) => message.includes(text) && isPhrase(text));
  return found === undefined ? search : toSearchPhrase(found);
}

/** A search with one term more, or without what that finds; a term that is there already isn't added again, its opposite goes. */
export function narrowedSearch(text: string, term: string, isExcluded: boolean): string {
  const query = readSearch(text);
  const added = readSearch(term);
  if (added instanceof QuerySyntaxError || !added.expression) return text;
  const child = added.expression;
  const wanted: QueryNode = isExcluded ? { kind: 'not', child } : child;
  const opposite: QueryNode = isExcluded ? child : { kind: 'not', child };
  if (query instanceof QuerySyntaxError) return printQuery({ expression: wanted });
  const { expression } = query;
  const parts = !expression ? [] : expression.kind === 'and' ? expression.children : [expression];
  const others = parts.filter((part) => !isSameNode(part, opposite) && !isSameNode(part, wanted));
  const children = [...others, wanted];
  return printQuery({ ...query, expression: children.length === 1 ? wanted : { kind: 'and', children } });
}

function isSameNode(one: QueryNode, other: QueryNode): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Can it be searched for as it is? A phrase has no quotes of both kinds in it. */
function isPhrase(text: string): boolean {
  return text.length <= VALUE_LENGTH_MAX && !(text.includes('"') && text.includes("'"));
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
