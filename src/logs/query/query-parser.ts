/**
 * Reads search expressions:
 *
 *     or     = and *( "OR" and )
 *     and    = 1*( ["AND"] term )
 *     term   = ["-"] ( "(" or ")" / phrase / regex / name ":" value / word )
 *     value  = "(" list ")" / phrase / regex / compare / word
 *
 * Words side by side in the list of an attribute are alternatives, elsewhere all of them are needed. A name with nothing behind its colon, a URL
 * and what else has a colon but no name before it are words. docs/search.md describes it for users.
 */
import { explainTime, parseTime } from '../../common/time-expression.ts';
import { parseQuantity } from './quantity.ts';
import {
  type AttributeValue,
  type CompareOperator,
  facilityNumber,
  isLineAttribute,
  QUERY_DEPTH_MAX,
  QUERY_LENGTH_MAX,
  QUERY_TERMS_MAX,
  type Query,
  type QueryNode,
  QuerySyntaxError,
  severityNumber,
} from './query-syntax.ts';

/**
 * Reads an expression.
 * @throws QuerySyntaxError when it can't be read, or is too long.
 */
export function parseQuery(text: string): Query {
  if (text.length > QUERY_LENGTH_MAX)
    throw new QuerySyntaxError(
      `it may have ${QUERY_LENGTH_MAX} characters at the most.`,
      QUERY_LENGTH_MAX + 1,
    );
  return new QueryParser(text).parse();
}

/** Letters first: `10:30` and `::1` are words. */
const NAME = /[A-Za-z_@$][\w.@$#/[\]-]{0,127}:/y;
const REGEX = /\/((?:[^/\\]|\\.)+)\/(i?)/sy;
const OPERATOR = /[<>]=?|=/y;
const SPACE = /\s/;
/** Ends an operator's word: `OR)` and `OR(` are operators as well. */
const WORD_END = /[\s()]/;

/** Of regular expressions where they stand in what was read: no part of what they mean. */
const regexPositions = new WeakMap<object, number>();

/**
 * Where a regular expression that {@link parseQuery} has read begins: of its slash, from 1; undefined for one that it hasn't.
 * @param regex a node, or an attribute's value
 */
export function regexPosition(regex: object): number | undefined {
  return regexPositions.get(regex);
}

/** Where the times of a query stand in its text. */
interface TimeSpan {
  readonly name: 'since' | 'until';
  readonly from: number;
  readonly to: number;
}
const timeSpans = new WeakMap<Query, readonly TimeSpan[]>();

/** Where `since:` and `until:` stand in the text of a query that {@link parseQuery} has read, in their order. */
export function timesInText(query: Query): readonly TimeSpan[] {
  return timeSpans.get(query) ?? [];
}

class QueryParser {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private terms = 0;
  /** Parentheses that were opened within words, as in `main(argc, argv)`, and not closed. */
  private openInWords = 0;
  private since: string | undefined;
  private until: string | undefined;
  private readonly times: TimeSpan[] = [];
  /** The attribute whose list is read. */
  private listName: string | undefined;

  constructor(text: string) {
    this.text = text;
  }

  parse(): Query {
    const expression = this.parseOr();
    // Only a parenthesis ends an expression before the text ends.
    if (this.at < this.text.length) throw this.unopened(this.at);
    const { since, until } = this;
    const query = {
      expression,
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    };
    timeSpans.set(query, this.times);
    return query;
  }

  private parseOr(): QueryNode | undefined {
    const children: QueryNode[] = [];
    let operatorAt = -1;
    for (;;) {
      const child = this.parseAnd();
      const isOr = this.isOperator('OR');
      if (child !== undefined) children.push(child);
      else if (isOr || operatorAt !== -1) {
        const at = isOr ? this.at : operatorAt;
        throw this.error(
          `"OR" at character ${at + 1} has nothing ${isOr ? 'before' : 'behind'} it: write what is the alternative, or "OR" in quotes`,
          at,
        );
      }
      if (!isOr) return combine('or', children);
      operatorAt = this.at;
      this.at += 2;
    }
  }

  private parseAnd(): QueryNode | undefined {
    const children: QueryNode[] = [];
    const alternatives: QueryNode[] = [];
    for (;;) {
      this.skipSpace();
      if (this.at >= this.text.length || this.isGroupEnd() || this.isOperator('OR')) break;
      const isFirst = children.length === 0 && alternatives.length === 0;
      if (!isFirst && this.isOperator('AND') && this.hasTermBehind(this.at + 3)) {
        this.at += 3;
        continue;
      }
      const node = this.parseTerm();
      if (node === undefined) continue;
      // In a list what is left out is left out of all alternatives.
      if (this.listName !== undefined && node.kind !== 'not') alternatives.push(node);
      else children.push(node);
    }
    const either = combine('or', alternatives);
    return combine('and', either ? [either, ...children] : children);
  }

  private parseTerm(): QueryNode | undefined {
    if (this.text[this.at] !== '-') return this.parsePrimary(false);
    this.at++;
    // A dash alone is none of the terms, as in `web - worker`.
    if (this.at >= this.text.length || SPACE.test(this.text[this.at]) || this.isGroupEnd()) return undefined;
    const node = this.parsePrimary(true);
    return node && { kind: 'not', child: node };
  }

  private parsePrimary(isNegated: boolean): QueryNode | undefined {
    const { text, listName } = this;
    if (text[this.at] === '(' && text[this.at + 1] !== ')') return this.parseGroup(listName);
    if (listName !== undefined) {
      const startAt = this.at;
      const value = this.parseValue(listName);
      return value && this.attribute(listName, value, startAt);
    }
    const phrase = this.takePhrase();
    if (phrase !== undefined) return phrase === '' ? undefined : this.term({ kind: 'text', text: phrase });
    const regex = this.takeRegex();
    if (regex) return this.term(regex);
    const attribute = this.takeAttribute(isNegated);
    if (attribute === 'time') return undefined;
    return attribute ?? this.term({ kind: 'text', text: this.takeWord() });
  }

  /** Counts a term. */
  private term<T extends QueryNode>(node: T): T {
    if (++this.terms > QUERY_TERMS_MAX)
      throw this.error(`it may have ${QUERY_TERMS_MAX} terms at the most`, this.at);
    return node;
  }

  /** `(…)`; the list of an attribute when it has a name. */
  private parseGroup(listName: string | undefined): QueryNode | undefined {
    const openedAt = this.at;
    if (++this.depth > QUERY_DEPTH_MAX)
      throw this.error(`parentheses may be ${QUERY_DEPTH_MAX} deep at the most`, openedAt);
    const { listName: listNameOutside, openInWords, since, until } = this;
    this.at++;
    this.listName = listName;
    this.openInWords = 0;
    const node = this.parseOr();
    if (this.at >= this.text.length)
      throw this.error(
        `the parenthesis at character ${openedAt + 1} isn't closed: add ")", or put it in quotes`,
        openedAt,
      );
    if (this.since !== since || this.until !== until)
      throw this.error(
        'since: and until: hold for the whole search: write them outside of parentheses',
        openedAt,
      );
    this.at++;
    this.depth--;
    this.listName = listNameOutside;
    this.openInWords = openInWords;
    return node;
  }

  /** `name:value`, or a time, which is no term; undefined, and nothing is taken, when there is neither. */
  private takeAttribute(isNegated: boolean): QueryNode | 'time' | undefined {
    const startAt = this.at;
    NAME.lastIndex = startAt;
    const name = NAME.exec(this.text)?.[0].slice(0, -1);
    if (name === undefined) return undefined;
    const valueAt = startAt + name.length + 1;
    const next = this.text[valueAt];
    // `Error: …`, `https://…`, `ActiveRecord::…`
    if (
      next === undefined ||
      SPACE.test(next) ||
      next === ':' ||
      next === ')' ||
      this.text.startsWith('//', valueAt)
    )
      return undefined;
    const lower = name.toLowerCase();
    this.at = valueAt;
    if (lower === 'since' || lower === 'until') {
      this.takeTime(lower, isNegated, startAt);
      return 'time';
    }
    if (next === '(' && this.text[valueAt + 1] !== ')') {
      const list = this.parseGroup(isLineAttribute(lower) ? lower : name);
      if (list) return list;
      throw this.error(`${name}:() at character ${startAt + 1} is empty: write what to look for`, startAt);
    }
    const value = this.parseValue(name);
    if (value) return this.attribute(isLineAttribute(lower) ? lower : name, value, startAt);
    this.at = startAt;
    return undefined;
  }

  private attribute(name: string, value: AttributeValue, startAt: number): QueryNode {
    const fault = attributeFault(name, value);
    if (fault !== undefined) throw this.error(`at character ${startAt + 1}, ${fault}`, startAt);
    return this.term({ kind: 'attribute', name, value });
  }

  /** The value of an attribute; undefined for `""` in a list. */
  private parseValue(name: string): AttributeValue | undefined {
    const startAt = this.at;
    const phrase = this.takePhrase();
    if (phrase !== undefined)
      return phrase === '' && this.listName !== undefined ? undefined : { kind: 'text', text: phrase };
    const regex = this.takeRegex();
    if (regex) return regex;
    OPERATOR.lastIndex = startAt;
    const operator = OPERATOR.exec(this.text)?.[0] as CompareOperator | undefined;
    if (operator !== undefined) {
      this.at += operator.length;
      const operand = this.takePhrase() ?? (this.isWordEnd(this.at) ? '' : this.takeWord());
      if (operand === '')
        throw this.error(
          `at character ${startAt + 1}, ${name}:${operator} has nothing behind it: write the value, without a space before it`,
          startAt,
        );
      return { kind: 'compare', operator, operand };
    }
    const word = this.takeWord();
    if (/^\*+$/.test(word)) return { kind: 'exists' };
    return word.includes('*') ? { kind: 'glob', pattern: word } : { kind: 'text', text: word };
  }

  private takeTime(name: 'since' | 'until', isNegated: boolean, startAt: number): void {
    const time = this.takePhrase() ?? this.takeWord();
    if (isNegated || this[name] !== undefined)
      throw this.error(
        isNegated
          ? `-${name}: at character ${startAt} can't be left out: use ${name === 'since' ? 'until' : 'since'}:`
          : `${name}: at character ${startAt + 1} is there twice: remove one`,
        startAt,
      );
    if (parseTime(time, 0) === undefined) {
      const why = explainTime(time);
      throw new QuerySyntaxError(`${name}: at character ${startAt + 1}: ${why}`, startAt + 1);
    }
    this[name] = time;
    this.times.push({ name, from: startAt, to: this.at });
  }

  /** `"…"` or `'…'`. One in double quotes may go on to the end; a single quote that isn't closed is an apostrophe. */
  private takePhrase(): string | undefined {
    const { text, at } = this;
    const quote = text[at];
    if (quote !== '"' && quote !== "'") return undefined;
    const end = text.indexOf(quote, at + 1);
    if (end === -1 && quote === "'") return undefined;
    this.at = end === -1 ? text.length : end + 1;
    return text.slice(at + 1, end === -1 ? text.length : end);
  }

  /** `/…/` or `/…/i`, which end before a space, or a group's end. */
  private takeRegex(): { kind: 'regex'; source: string; anyCase: boolean } | undefined {
    REGEX.lastIndex = this.at;
    const match = REGEX.exec(this.text);
    if (!match || !this.isWordEnd(REGEX.lastIndex)) return undefined;
    const regex = { kind: 'regex', source: match[1], anyCase: match[2] !== '' } as const;
    regexPositions.set(regex, this.at + 1);
    this.at = REGEX.lastIndex;
    return regex;
  }

  /** Up to a space. Parentheses belong to it as long as they are opened in it, or in a word before. */
  private takeWord(): string {
    const { text } = this;
    const startAt = this.at;
    let i = startAt;
    for (; i < text.length && !SPACE.test(text[i]); i++) {
      if (text[i] === '(') this.openInWords++;
      if (text[i] !== ')') continue;
      if (this.openInWords > 0) this.openInWords--;
      else if (this.depth > 0) break;
      else throw this.unopened(i);
    }
    this.at = i;
    return text.slice(startAt, i);
  }

  private unopened(at: number): QuerySyntaxError {
    return this.error(
      `the parenthesis at character ${at + 1} closes none: remove it, or put it in quotes`,
      at,
    );
  }

  private skipSpace(): void {
    while (this.at < this.text.length && SPACE.test(this.text[this.at])) this.at++;
  }

  private isGroupEnd(): boolean {
    return this.text[this.at] === ')' && this.openInWords === 0;
  }

  private isWordEnd(at: number): boolean {
    return at >= this.text.length || SPACE.test(this.text[at]) || (this.depth > 0 && this.text[at] === ')');
  }

  private isOperator(word: 'OR' | 'AND'): boolean {
    const end = this.at + word.length;
    return this.text.startsWith(word, this.at) && (end >= this.text.length || WORD_END.test(this.text[end]));
  }

  private hasTermBehind(at: number): boolean {
    const rest = this.text.slice(at).trimStart();
    return rest !== '' && !rest.startsWith(')');
  }

  private error(sentence: string, at: number): QuerySyntaxError {
    return new QuerySyntaxError(`${sentence}.`, at + 1);
  }
}

/** Flat: `a b c` is one list of three. */
function combine(kind: 'and' | 'or', nodes: readonly QueryNode[]): QueryNode | undefined {
  if (nodes.length <= 1) return nodes[0];
  return { kind, children: nodes.flatMap((node) => (node.kind === kind ? node.children : [node])) };
}

/** What can't be asked of an attribute, and what can instead; undefined when it can. */
function attributeFault(name: string, value: AttributeValue): string | undefined {
  const isSeverity = name === 'severity' || name === 'level';
  if (isSeverity) {
    if (value.kind === 'exists') return undefined;
    const text = value.kind === 'text' ? value.text : value.kind === 'compare' ? value.operand : '';
    return severityNumber(text) === undefined
      ? `${name}: takes emerg, alert, crit, error, warn, notice, info, debug or a number from 0 to 7`
      : undefined;
  }
  if (name === 'facility' && value.kind === 'text')
    return facilityNumber(value.text) === undefined
      ? `facility: takes kern, user, mail, daemon, auth, syslog, cron, authpriv, local0 to local7 … or a number from 0 to 23, not "${value.text}"`
      : undefined;
  if (value.kind !== 'compare' || value.operator === '=') return undefined;
  if (isLineAttribute(name)) return `${name}: can't be compared: write ${name}:NAME`;
  return parseQuantity(value.operand) === undefined
    ? `${name}:${value.operator} takes a number such as 500, 1.5s or 10kb, not "${value.operand}"`
    : undefined;
}
