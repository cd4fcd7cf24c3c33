/** How a search asks for a value that was counted. */
import { toFieldSearch, toSearchPhrase } from '../../text/search-terms.ts';

const LINE_FIELDS = new Set(['source', 'dyno', 'program', 'sender', 'facility']);

/** Of a field with a value, as `api/values` gives it; `level` and names of the line itself too. */
export function valueTerm(field: string, value: string): string {
  if (field === 'level' || field === 'severity') return `severity:=${value}`;
  if (value === '') return `${field}:""`;
  if (LINE_FIELDS.has(field)) return `${field}:${/^[\w.-]+$/.test(value) ? value : toSearchPhrase(value)}`;
  return toFieldSearch(field, value);
}
