/**
 * The grammar of searches in ClickHouse's SQL, for whoever keeps archives there (clickhouse-table.ts): the same lines are found, with the
 * differences that docs/viewer-archive.md names. Pure.
 */

import { TailraceError } from '../../../../src/common/errors.ts';
import { compareQuantities, parseQuantity } from '../../../../src/logs/query/quantity.ts';
import {
  type AttributeValue,
  type CompareOperator,
  facilityName,
  facilityNumber,
  isLineAttribute,
  type LineAttribute,
  type QueryNode,
  severityNumber,
  WORD_CHARACTER,
} from '../../../../src/logs/query/query-syntax.ts';
import { isPlainNumber } from '../../../../src/logs/query/value-tests.ts';

const PROGRAM = "concat(source, '/', dyno, ' ', source, '[', dyno, ']')";
const ORIGIN = `concat(hostname, ' ', ${PROGRAM})`;
const DATA_VALUES = `extractAll(structured_data, '="((?:[^"\\\\\\\\]|\\\\\\\\.)*)"')`;
/** Of logfmt and JSON. */
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const NUMBER = '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]{1,3})?';
const UNITS =
  'ns us µs ms s sec secs second seconds m min mins minutes h hours d days b byte bytes k kb kib mb mib g gb gib tb tib';

/**
 * The condition of a `WHERE`.
 * @throws TailraceError `invalid_params` for what can't be asked there
 */
export function clickHouseCondition(node: QueryNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.children.map(clickHouseCondition).join(node.kind === 'and' ? ' AND ' : ' OR ')})`;
    case 'not':
      return `NOT (${clickHouseCondition(node.child)})`;
    case 'text':
      return textCondition(node.text);
    case 'regex':
      return matchSql('text', node);
    case 'attribute':
      return isLineAttribute(node.name)
        ? lineCondition(node.name, node.value)
        : fieldCondition(node.name, node.value);
  }
}

function textCondition(text: string): string {
  const inData = `arrayExists(v -> ${contains('v', text)}, ${DATA_VALUES})`;
  const inOrigin = text.includes(' ') ? [] : [contains(ORIGIN, text)];
  return `(${[contains('text', text), ...inOrigin, contains('app', text), inData].join(' OR ')})`;
}

function lineCondition(name: LineAttribute, value: AttributeValue): string {
  switch (name) {
    case 'severity':
    case 'level':
      return severityCondition(value);
    case 'facility': {
      const number = facilityNumber(operandOf(value) ?? '');
      if (number !== undefined) return `facility = ${number}`;
      const names = Array.from({ length: 24 }, (_, i) => quote(facilityName(i))).join(', ');
      return valueCondition('', value, `[${names}][facility + 1]`);
    }
    case 'source':
      if (value.kind !== 'text') return knownCondition(value, 'source');
      return `(lower(source) = ${quote(value.text.toLowerCase())} OR ${dynoCondition(value.text)})`;
    case 'dyno':
      return value.kind === 'text' ? dynoCondition(value.text) : knownCondition(value, 'dyno');
    case 'program':
      if (value.kind === 'text') return fragment(PROGRAM, value.text);
      return `(${["concat(source, '/', dyno)", 'source', 'dyno'].map((column) => knownCondition(value, column)).join(' OR ')})`;
    case 'sender':
      return hostCondition(value);
    case 'host':
      return `(${hostCondition(value)} OR ${fieldCondition(name, value)})`;
    case 'message':
      return value.kind === 'text' ? contains('text', value.text) : knownCondition(value, 'text');
  }
}

function hostCondition(value: AttributeValue): string {
  const hostname =
    value.kind === 'text' ? fragment('hostname', value.text) : knownCondition(value, 'hostname');
  const app = value.kind === 'text' ? contains('app', value.text) : knownCondition(value, 'app');
  return `(${hostname} OR ${app})`;
}

function dynoCondition(text: string): string {
  const wanted = text.toLowerCase();
  return `(lower(dyno) = ${quote(wanted)} OR startsWith(lower(dyno), ${quote(`${wanted}.`)}))`;
}

/** Of something that every line has; `-` stands for what isn't known. */
function knownCondition(value: AttributeValue, column: string): string {
  return value.kind === 'exists' ? `${column} NOT IN ('', '-')` : valueCondition('', value, column);
}

function severityCondition(value: AttributeValue): string {
  if (value.kind === 'exists') return '1';
  const text = operandOf(value) ?? '';
  const wanted = severityNumber(text) ?? 7;
  if (value.kind !== 'compare') return `rank <= ${wanted}`;
  return /^\d/.test(text) ? `rank ${value.operator} ${wanted}` : `${wanted} ${value.operator} rank`;
}

function fieldCondition(name: string, value: AttributeValue): string {
  const keys = name.toLowerCase().split('.');
  if (keys.some((key) => key === '' || /^\d+$|[[\]]/.test(key)))
    throw new TailraceError(
      'invalid_params',
      `${name} is a place in a list, which can't be asked for in ClickHouse: ask for the list itself.`,
    );
  const condition = valueCondition(name, value, 'v');
  const exists = `arrayExists(v -> ${condition}, ${fieldValues(keys)})`;
  const text = value.kind === 'text' ? value.text : value.kind === 'glob' ? value.pattern : '';
  return text === '' ? exists : `(${contains('text', `${name}:${text}`)} OR ${exists})`;
}

/** All values that a field of this name has in a line. */
function fieldValues(keys: readonly string[]): string {
  const whole = escapeRegex(keys.join('.'));
  const pair = `(?i:(?:^|[\\s({\\[])(?:[\\w.]{1,40}#)?${whole}=(${QUOTED}|[^\\s"]*))`;
  const json = (path: readonly string[]): string =>
    `(?i:${path.map((key) => `"${escapeRegex(key)}"\\s*:\\s*`).join('\\{(?:[^{}]|\\{[^{}]*\\})*?')}(${QUOTED}|[-+\\w.]+))`;
  const data = `(?i: ${whole}=(${QUOTED}))`;
  const found = [
    `extractAll(text, ${quote(pair)})`,
    `extractAll(text, ${quote(json([keys.join('.')]))})`,
    ...(keys.length > 1 ? [`extractAll(text, ${quote(json(keys))})`] : []),
    `extractAll(structured_data, ${quote(data)})`,
  ];
  return `arrayMap(v -> if(startsWith(v, '"'), replaceAll(substring(v, 2, length(v) - 2), '\\\\"', '"'), replaceRegexpOne(v, '[,;)\\\\]}]+$', '')), arrayConcat(${found.join(', ')}))`;
}

function valueCondition(name: string, value: AttributeValue, column: string): string {
  switch (value.kind) {
    case 'exists':
      return `${column} != 'null'`;
    case 'regex':
      return matchSql(column, value);
    case 'glob':
      return `match(${column}, ${quote(`(?is:^${value.pattern.split(/\*+/).map(escapeRegex).join('.*')}$)`)})`;
    case 'text':
      return wordsCondition(value.text, column);
    case 'compare':
      return compareCondition(name, value.operator, value.operand, column);
  }
}

function wordsCondition(text: string, column: string): string {
  if (text === '') return `${column} = ''`;
  const before = WORD_CHARACTER.test(text[0]) ? '(?:^|[^\\pL\\pN_])' : '';
  const behind = WORD_CHARACTER.test(text.slice(-1)) ? '(?:$|[^\\pL\\pN_])' : '';
  const words = `match(${column}, ${quote(`(?i:${before}${escapeRegex(text)}${behind})`)})`;
  if (!isPlainNumber(text)) return words;
  const isNumber = `match(${column}, '^[+-]?[0-9]{1,15}([.][0-9]{1,15})?$')`;
  return `if(${isNumber}, toFloat64OrZero(${column}) = ${Number(text)}, ${words})`;
}

function compareCondition(name: string, operator: CompareOperator, operand: string, column: string): string {
  const equal = operator === '=' ? `lower(${column}) = ${quote(operand.toLowerCase())} OR ` : '';
  const wanted = parseQuantity(operand);
  if (!wanted) return `(${equal}0)`;
  const units = ['', '%', ...UNITS.split(' ')];
  const isQuantity = `match(${column}, ${quote(`(?i:${NUMBER} ?(${units.filter(Boolean).join('|')})?$)`)})`;
  const number = `toFloat64OrZero(extract(${column}, ${quote(`(?i:(${NUMBER}))`)}))`;
  // What one of a unit is in that of the operand; what can't be compared with it is less and more than nothing.
  const factors = units.map((unit) => {
    const one = parseQuantity(`1${unit}`);
    const difference = one && compareQuantities(name, one, { ...wanted, value: 0, plain: 0 });
    return difference === undefined ? 'nan' : difference.toExponential();
  });
  const unit = `lower(extract(${column}, '([a-zA-Zµ%]*)$'))`;
  const value = `${number} * transform(${unit}, [${units.map(quote).join(', ')}], [${factors.join(', ')}], nan)`;
  return `(${equal}(${isQuantity} AND ${value} ${operator} ${wanted.value}))`;
}

function operandOf(value: AttributeValue): string | undefined {
  return value.kind === 'text' ? value.text : value.kind === 'compare' ? value.operand : undefined;
}

function fragment(column: string, text: string): string {
  return text.includes(' ') ? '0' : contains(column, text);
}

function contains(column: string, text: string): string {
  return `positionCaseInsensitiveUTF8(${column}, ${quote(text)}) > 0`;
}

/**
 * Flags stand around an expression, since old versions look for the text behind `(?i)` as it is. Both have RE2's syntax; there a dot is any character, unless
 * it is said.
 */
function matchSql(column: string, { source, anyCase }: { source: string; anyCase: boolean }): string {
  return `match(${column}, ${quote(`(?${anyCase ? 'i' : ''}-s:${source})`)})`;
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&').replace(/ /g, '[ ]');
}

/** A text of SQL. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\0', '')}'`;
}
