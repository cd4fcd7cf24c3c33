/**
 * The query of a search box: `timeout "could not connect" -healthcheck /status=5\d\d/`. All terms have to match
 * the message, those with a dash must not. Color codes in it count for nothing, unless they are searched for.
 */
import { RE2JS, RE2JSException } from 're2js';
import { TailraceError } from '../../common/errors.ts';
import { PATTERN_SIZE_MAX, patternSize } from '../../common/limits/pattern-size.ts';
import type { MessageMatcher } from '../syslog/line-filter.ts';
import { hasColors, type MessageText, stripColors } from '../syslog/message-text.ts';

/** Longest query, in characters, and most terms in it: every line of a stream is matched against each of them. */
const QUERY_LENGTH_MAX = 1_000;
const TERMS_MAX = 20;
/** Longest regular expression: RE2's time grows with the expression times the message. */
const REGEX_LENGTH_MAX = 250;

/** One term; lines that it matches are left out when it is `negated`. */
interface Term {
  readonly negated: boolean;
  readonly matches: (message: MessageText) => boolean;
  /** Matches all bytes (as Latin-1) that may hold a line that the term matches; undefined when there is no such test. */
  readonly prefilter?: RegExp;
}

/** A parsed query. */
export class SearchQuery implements MessageMatcher {
  readonly key: string;
  private readonly terms: readonly Term[];
  private readonly prefilters: readonly RegExp[];

  /**
   * Parses a query: words and "phrases" (found anywhere, in any case), `/regular expressions/` (RE2 syntax, linear time; `/…/i`
   * for any case), each with a `-` in front to leave lines out that have it. A path such as `/api/users` is a word.
   * @throws TailraceError `invalid_params` for an expression that can't be read, or too long a query.
   */
  constructor(query: string) {
    if (query.length > QUERY_LENGTH_MAX)
      throw new TailraceError('invalid_params', `q may have ${QUERY_LENGTH_MAX} characters at the most.`);
    this.key = query;
    this.terms = tokenize(query).map(({ negated, text, kind }) =>
      kind === 'words' ? wordTerm(text, negated) : regexTerm(text, negated, kind === 'regex-i'),
    );
    if (this.terms.length > TERMS_MAX)
      throw new TailraceError('invalid_params', `q may have ${TERMS_MAX} terms at the most.`);
    this.prefilters = this.terms.flatMap(({ negated, prefilter }) =>
      prefilter && !negated ? [prefilter] : [],
    );
  }

  /** It has no terms. */
  get empty(): boolean {
    return this.terms.length === 0;
  }

  /** Does the message match? */
  matches(message: MessageText): boolean {
    for (const { negated, matches: termMatches } of this.terms)
      if (termMatches(message) === negated) return false;
    return true;
  }

  /** False when none of these bytes' lines can match: faster than matching each of them. */
  mayMatch(bytes: Buffer): boolean {
    if (this.prefilters.length === 0) return true;
    const text = bytes.toString('latin1', 0, bytes.length);
    const plain = hasColors(text) ? stripColors(text) : undefined;
    return this.prefilters.every((prefilter) => prefilter.test(text) || (plain && prefilter.test(plain)));
  }
}

interface QueryToken {
  readonly negated: boolean;
  readonly text: string;
  readonly kind: 'words' | 'regex' | 'regex-i';
}

/** `-`, then a phrase, an expression that ends before a space, or a word. A phrase without its end goes to the end. */
const TOKEN = /(-?)(?:"([^"]*)"?|\/((?:[^/\\]|\\.)+)\/(i?)(?=\s|$)|(\S+))/gsy;

function tokenize(query: string): QueryToken[] {
  const tokens: QueryToken[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(query[at] ?? '')) at++;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(query);
    if (!match) return tokens;
    at = TOKEN.lastIndex;
    const [whole, dash, phrase, regex, flag, word] = match;
    if (whole === '-') continue;
    const text = phrase ?? regex ?? word;
    if (text === '') continue;
    tokens.push({
      negated: dash === '-',
      text,
      kind: regex === undefined ? 'words' : flag ? 'regex-i' : 'regex',
    });
  }
}

function wordTerm(text: string, negated: boolean): Term {
  // Nothing but literal characters: no backtracking.
  const literal = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const pattern = new RegExp(literal, 'i');
  if (/^[\x20-\x7e]*$/.test(text))
    return {
      negated,
      matches: (message) => pattern.test(message.latin1) || pattern.test(message.plainLatin1 ?? ''),
      prefilter: pattern,
    };
  const lower = text.toLowerCase();
  const isIn = (searched: string | undefined): boolean => searched?.toLowerCase().includes(lower) === true;
  return { negated, matches: (message) => isIn(message.utf8) || isIn(message.plainUtf8) };
}

function regexTerm(text: string, negated: boolean, anyCase: boolean): Term {
  if (text.length > REGEX_LENGTH_MAX)
    throw new TailraceError(
      'invalid_params',
      `q: a regular expression may have ${REGEX_LENGTH_MAX} characters at the most.`,
    );
  if (patternSize(text) > PATTERN_SIZE_MAX)
    throw new TailraceError(
      'invalid_params',
      `q: /${text}/ repeats too much: ${PATTERN_SIZE_MAX} characters in all, at the most.`,
    );
  try {
    const expression = RE2JS.compile(text, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
    return {
      negated,
      matches: (message) => {
        if (expression.test(message.utf8)) return true;
        const plain = message.plainUtf8;
        return plain !== undefined && expression.test(plain);
      },
    };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new TailraceError(
      'invalid_params',
      `q: /${text}/ is not a regular expression (${error.message}); it is read as RE2 does, without look-around and back-references.`,
      { cause: error },
    );
  }
}
