/** Search expressions, as far as the page reads them itself; the server does the searching. */
import { capitalize } from '../../common/text/capitalize.ts';
import { parseQuery } from '../../logs/query/query-parser.ts';
import { type Query, type QueryNode, QuerySyntaxError } from '../../logs/query/query-syntax.ts';

/** Reads an expression; the error when it can’t be read. */
export function readSearch(text: string): Query | QuerySyntaxError {
  try {
    return parseQuery(text);
  } catch (error) {
    if (error instanceof QuerySyntaxError) return error;
    throw error;
  }
}

/** What is wrong with an expression, as a sentence; empty when it can be read. */
export function searchFault(text: string): string {
  const query = readSearch(text);
  return query instanceof QuerySyntaxError ? capitalize(query.message) : '';
}

/** Has it a regular expression, which only the server can check? */
export function hasRegex(text: string): boolean {
  const query = readSearch(text);
  return !(query instanceof QuerySyntaxError) && someNode(query.expression, isRegex);
}

/** Does it end before what is still to come? */
export function endsInThePast(text: string): boolean {
  const query = readSearch(text);
  return !(query instanceof QuerySyntaxError) && query.until !== undefined;
}

function someNode(node: QueryNode | undefined, test: (node: QueryNode) => boolean): boolean {
  if (!node) return false;
  if (node.kind === 'and' || node.kind === 'or') return node.children.some((child) => someNode(child, test));
  return node.kind === 'not' ? someNode(node.child, test) : test(node);
}

function isRegex(node: QueryNode): boolean {
  return node.kind === 'regex' || (node.kind === 'attribute' && node.value.kind === 'regex');
}
