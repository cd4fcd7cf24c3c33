/** What a block has to have for a line in it to match a query: an expression of rows of its filter. */
import {
  type AttributeValue,
  isLineAttribute,
  type QueryNode,
} from '../../../../src/logs/query/query-syntax.ts';
import { isAscii } from '../../../../src/logs/query/text-pattern.ts';
import { isPlainNumber } from '../../../../src/logs/query/value-tests.ts';
import { gramRows } from './grams.ts';

export type FilterPlan =
  | { readonly kind: 'rows'; readonly rows: readonly number[] }
  | { readonly kind: 'and' | 'or'; readonly children: readonly FilterPlan[] };

/** Rows that are looked at for one fragment: more hardly say more. */
const ROWS_MAX = 12;
/** Names in structured data are cut there when they are stored. */
const STORED_NAME_MAX = 32;

/** Undefined when a filter can't tell anything. It holds for the same texts as `queryLiterals` does, and asks for all of them, not for one. */
export function filterPlan(node: QueryNode): FilterPlan | undefined {
  switch (node.kind) {
    case 'and':
      return all(node.children.map(filterPlan));
    case 'or': {
      const children = node.children.map(filterPlan);
      const known = children.filter((one) => one !== undefined);
      return known.length === children.length ? { kind: 'or', children: known } : undefined;
    }
    case 'text':
      return textPlan(node.text);
    case 'attribute':
      return isLineAttribute(node.name)
        ? lineAttributePlan(node.name, node.value)
        : all([namePlan(node.name), valuePlan(node.value)]);
    case 'not':
    case 'regex':
      return undefined;
  }
}

function all(plans: readonly (FilterPlan | undefined)[]): FilterPlan | undefined {
  const children = plans.filter((one) => one !== undefined);
  return children.length > 1 ? { kind: 'and', children } : children[0];
}

function rowsPlan(fragments: readonly string[]): FilterPlan | undefined {
  return all(
    fragments.map((fragment) => {
      const rows = gramRows(fragment);
      if (rows.length === 0) return undefined;
      const step = Math.max(1, rows.length / ROWS_MAX);
      return {
        kind: 'rows',
        rows: rows.filter((_row, i) => Math.floor(i / step) !== Math.floor((i - 1) / step)),
      } as const;
    }),
  );
}

function textPlan(text: string): FilterPlan | undefined {
  // Small k and i have large forms that aren't ASCII.
  return rowsPlan(isAscii(text) ? [text] : text.split(/[^\x20-\x7e]|[ki]/i));
}

function lineAttributePlan(name: string, value: AttributeValue): FilterPlan | undefined {
  if (name === 'severity' || name === 'level' || name === 'facility') return undefined;
  if (value.kind === 'text' && (name === 'message' || name === 'program' || name === 'sender'))
    return textPlan(value.text);
  return value.kind === 'text' || value.kind === 'glob' ? valuePlan(value) : undefined;
}

/** Letters and digits are written as they are in every format. */
function valuePlan(value: AttributeValue): FilterPlan | undefined {
  if (value.kind === 'glob') return rowsPlan(asciiRuns(value.pattern));
  if (value.kind !== 'text') return undefined;
  const { text } = value;
  return rowsPlan(isPlainNumber(text) ? [String(Math.trunc(Math.abs(Number(text))))] : asciiRuns(text));
}

function namePlan(name: string): FilterPlan | undefined {
  if (name.length > STORED_NAME_MAX) return undefined;
  const lastKey = name
    .split(/[.[\]]/)
    .filter((part) => !/^\d*$/.test(part))
    .at(-1);
  return rowsPlan(asciiRuns(lastKey ?? ''));
}

function asciiRuns(text: string): string[] {
  return isAscii(text) ? text.split(/[^A-Za-z0-9]/) : text.split(/[^A-Za-z0-9]|[ki]/i);
}
