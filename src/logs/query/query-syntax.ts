/** What a search expression is once it is read; docs/search.md describes it for users. Pure: the page reads expressions with it, too. */

/** Longest expression, in characters, most terms in it, and most parentheses within each other. */
export const QUERY_LENGTH_MAX = 1_000;
export const QUERY_TERMS_MAX = 20;
export const QUERY_DEPTH_MAX = 20;

/** What a word is made of, for where one begins and ends. */
export const WORD_CHARACTER = /[\p{L}\p{N}_]/u;

/** One part of an expression. */
export type QueryNode =
  | { readonly kind: 'and'; readonly children: readonly QueryNode[] }
  | { readonly kind: 'or'; readonly children: readonly QueryNode[] }
  | { readonly kind: 'not'; readonly child: QueryNode }
  /** A word or a phrase, in sender, program, structured data or message. */
  | { readonly kind: 'text'; readonly text: string }
  /** A regular expression on the message. */
  | { readonly kind: 'regex'; readonly source: string; readonly anyCase: boolean }
  | { readonly kind: 'attribute'; readonly name: string; readonly value: AttributeValue };

/** What is asked of an attribute. */
export type AttributeValue =
  | { readonly kind: 'text'; readonly text: string }
  /** With `*` for any characters; not `*` alone. */
  | { readonly kind: 'glob'; readonly pattern: string }
  /** `*`: it is there. */
  | { readonly kind: 'exists' }
  | { readonly kind: 'regex'; readonly source: string; readonly anyCase: boolean }
  | { readonly kind: 'compare'; readonly operator: CompareOperator; readonly operand: string };

export type CompareOperator = '>=' | '<=' | '>' | '<' | '=';

/** An expression, and the range of time that it names. */
export interface Query {
  /** Undefined: every line matches. */
  readonly expression: QueryNode | undefined;
  /** When the line came, in the grammar of common/time-expression.ts. */
  readonly since?: string;
  readonly until?: string;
}

/** An expression that can't be read: a sentence that says where, and what to do. */
export class QuerySyntaxError extends Error {
  /** Of the first character that is wrong, from 1. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.name = 'QuerySyntaxError';
    this.position = position;
  }
}

/** Attributes of every line; all other names are fields that a line may have. */
const LINE_ATTRIBUTES = [
  'program',
  'source',
  'dyno',
  'host',
  'sender',
  'message',
  'facility',
  'severity',
  'level',
] as const;
export type LineAttribute = (typeof LINE_ATTRIBUTES)[number];

/** Is it a part of every line, rather than a field of its message? Names are in lower case. */
export function isLineAttribute(name: string): name is LineAttribute {
  return LINE_ATTRIBUTES.some((one) => one === name);
}

/** RFC 5424 section 6.2.1, table 1, by number. */
const FACILITIES: readonly string[] = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'console',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
];

/** The number of a facility, by its name or number; undefined for none. */
export function facilityNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) < FACILITIES.length ? Number(text) : undefined;
  const index = FACILITIES.indexOf(text.toLowerCase());
  return index === -1 ? undefined : index;
}

/** RFC 5424's keyword for a facility; its number when it has none. */
export function facilityName(number: number): string {
  return FACILITIES[number] ?? String(number);
}

/** RFC 5424 section 6.2.1, table 2, and what people write for them. */
const SEVERITY_NUMBERS: Readonly<Record<string, number>> = {
  emerg: 0,
  emergency: 0,
  panic: 0,
  alert: 1,
  crit: 2,
  critical: 2,
  fatal: 2,
  err: 3,
  error: 3,
  warn: 4,
  warning: 4,
  notice: 5,
  info: 6,
  informational: 6,
  debug: 7,
};

/** The number of a severity, 0 (emergency) to 7 (debug), by its name or number; undefined for none. */
export function severityNumber(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text);
  const name = text.toLowerCase();
  return Object.hasOwn(SEVERITY_NUMBERS, name) ? SEVERITY_NUMBERS[name] : undefined;
}
