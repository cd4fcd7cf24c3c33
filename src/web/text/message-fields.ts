/** Structured messages: JSON objects and logfmt (`key=value key="two words"`), alone or behind some text. */
import type { StyledRange } from './text-spans.ts';

export interface MessageField {
  readonly key: string;
  readonly value: string;
  readonly kind: 'text' | 'number' | 'word' | 'list';
}

export interface StructuredMessage {
  readonly fields: readonly MessageField[];
  /** Keys and values in the text. */
  readonly ranges: readonly StyledRange[];
}

const NONE: StructuredMessage = { fields: [], ranges: [] };
/** Longer messages are shown as they are. */
const LENGTH_MAX = 65_536;
const FIELDS_MAX = 200;
const DEPTH_MAX = 4;

/** The fields of a message; none when it isn't structured. */
export function parseFields(text: string): StructuredMessage {
  if (text.length > LENGTH_MAX) return NONE;
  return parseJson(text) ?? parseLogfmt(text) ?? NONE;
}

function parseJson(text: string): StructuredMessage | undefined {
  const start = text.indexOf('{');
  const end = text.lastIndexOf('}');
  if (start === -1 || end < start || text.slice(end + 1).trim() !== '') return undefined;
  const fields: MessageField[] = [];
  try {
    const value: unknown = JSON.parse(text.slice(start, end + 1));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    flatten('', value, 0, fields);
  } catch {
    // It isn't JSON, or nested so deeply that nobody could read it.
    return undefined;
  }
  return fields.length === 0 ? undefined : { fields, ranges: jsonRanges(text, start, end + 1) };
}

function flatten(prefix: string, value: object, depth: number, fields: MessageField[]): void {
  for (const [name, inner] of Object.entries(value)) {
    if (fields.length >= FIELDS_MAX) return;
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (typeof inner === 'string') fields.push({ key, value: inner, kind: 'text' });
    else if (typeof inner === 'number') fields.push({ key, value: String(inner), kind: 'number' });
    else if (typeof inner !== 'object' || inner === null)
      fields.push({ key, value: String(inner), kind: 'word' });
    else if (Array.isArray(inner) || depth >= DEPTH_MAX || Object.keys(inner).length === 0)
      fields.push({ key, value: JSON.stringify(inner), kind: 'list' });
    else flatten(key, inner, depth + 1, fields);
  }
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g;

function jsonRanges(text: string, from: number, to: number): StyledRange[] {
  const ranges: StyledRange[] = [];
  for (const match of text.slice(from, to).matchAll(JSON_TOKEN)) {
    const [token, colon = ''] = match;
    const start = from + match.index;
    const name = colon ? 'key' : token.startsWith('"') ? 'value' : 'number';
    ranges.push({ from: start, to: start + token.length - colon.length, className: name });
  }
  return ranges;
}

const LOGFMT_PAIR = /(?<=^|\s)([A-Za-z_][\w.#@/-]{0,63})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)/g;

function parseLogfmt(text: string): StructuredMessage | undefined {
  if (!text.includes('=')) return undefined;
  const fields: MessageField[] = [];
  const ranges: StyledRange[] = [];
  for (const match of text.matchAll(LOGFMT_PAIR)) {
    if (fields.length >= FIELDS_MAX) break;
    const [, key, raw] = match;
    const value = raw.startsWith('"') ? unquote(raw) : raw;
    const isNumber = /^-?\d+(?:\.\d+)?[a-zA-Z%]{0,3}$/.test(raw);
    fields.push({ key, value, kind: isNumber ? 'number' : 'text' });
    const middle = match.index + key.length + 1;
    ranges.push({ from: match.index, to: middle, className: 'key' });
    ranges.push({ from: middle, to: middle + raw.length, className: isNumber ? 'number' : 'value' });
  }
  // A single `a=b` in the middle of a sentence isn't logfmt.
  const enough = fields.length > 1 || (fields.length === 1 && ranges[0].from === 0);
  return enough ? { fields, ranges } : undefined;
}

function unquote(raw: string): string {
  return raw.slice(1, -1).replace(/\\(.)/g, (_all, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}
