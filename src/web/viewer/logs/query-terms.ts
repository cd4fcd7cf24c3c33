/** Searches with something added or taken away. */

import { QuerySyntaxError } from '../../../logs/query/query-syntax.ts';
import { readSearch } from '../../stream/search-expression.ts';
import { toFieldSearch, toSearchPhrase } from '../../text/search-terms.ts';

/** A search for what `q` finds, and this as well. */
export function withTerm(q: string, term: string): string {
  const trimmed = q.trim();
  if (trimmed === '' || trimmed === term) return term;
  if (trimmed.endsWith(` ${term}`) || trimmed.startsWith(`${term} `)) return trimmed;
  const query = readSearch(trimmed);
  const isAlternative = !(query instanceof QuerySyntaxError) && query.expression?.kind === 'or';
  return isAlternative ? `(${trimmed}) ${term}` : `${trimmed} ${term}`;
}

/** Of a field with a value, as `api/values` gives it; `level` and names of the line itself too. */
export function valueTerm(field: string, value: string): string {
  if (field === 'level' || field === 'severity') return `severity:=${value}`;
  if (value === '') return `${field}:""`;
  if (LINE_FIELDS.has(field)) return `${field}:${/^[\w.-]+$/.test(value) ? value : toSearchPhrase(value)}`;
  return toFieldSearch(field, value);
}

const LINE_FIELDS = new Set(['source', 'dyno', 'program', 'sender', 'facility']);
