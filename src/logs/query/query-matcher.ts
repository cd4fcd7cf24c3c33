/** Matches lines against a search expression. */
import { RE2JS, RE2JSException } from 're2js';
import { TailraceError } from '../../common/errors.ts';
import { PATTERN_SIZE_MAX, PATTERNS_SIZE_MAX, patternSize } from '../../common/limits/pattern-size.ts';
import type { RecordCursor } from '../syslog/batch.ts';
import { PROCID_BYTES_MAX, storedHeaderField } from '../syslog/fields/header-field.ts';
import type { LineMatcher } from '../syslog/line-filter.ts';
import { FieldPath, someDataField, someMessageField, type ValueTest } from './field-scanner.ts';
import { patternFault } from './pattern-fault.ts';
import { ColorScanner } from './prefilter/color-scanner.ts';
import { LiteralScanner } from './prefilter/literal-scanner.ts';
import {
  exclusionLiterals,
  isDecidedByExclusions,
  isDecidedByLiterals,
  queryLiterals,
} from './prefilter/query-literals.ts';
import { QueryLine } from './query-line.ts';
import { regexPosition } from './query-parser.ts';
import {
  type AttributeValue,
  facilityName,
  facilityNumber,
  isLineAttribute,
  type LineAttribute,
  type Query,
  type QueryNode,
  severityNumber,
} from './query-syntax.ts';
import { readQuery } from './read-query.ts';
import { isAscii, literalSource, roughSource } from './text-pattern.ts';
import { compareTest, globTest, holds, wordsTest } from './value-tests.ts';

/** Longest regular expression: RE2's time grows with the expression times the message. */
const REGEX_LENGTH_MAX = 250;

type LinePredicate = (line: QueryLine) => boolean;

/** Decides on one line after the other. */
export class QueryMatcher implements LineMatcher {
  readonly key: string;
  readonly definition: QueryNode;
  private readonly predicate: LinePredicate;
  private readonly scanner: LiteralScanner | undefined;
  /** Does a line in which the scanner finds nothing match? */
  private readonly excludes: boolean;
  /** Does one match, or not, by what the scanner finds in its message alone? */
  private readonly isDecided: boolean;
  private readonly colors = new ColorScanner();
  private readonly line = new QueryLine();

  /**
   * @param key equal for expressions that mean the same
   * @param name of the parameter or option, for the error
   * @throws TailraceError `invalid_params` for a regular expression that can't be read, or is too large.
   */
  constructor(expression: QueryNode, key: string, name?: string) {
    this.key = key;
    this.definition = expression;
    this.predicate = new Compiler(name).compile(expression);
    const needed = queryLiterals(expression);
    const literals = needed ?? exclusionLiterals(expression);
    this.excludes = needed === undefined;
    this.isDecided = needed ? isDecidedByLiterals(expression) : isDecidedByExclusions(expression);
    this.scanner = literals && new LiteralScanner(literals);
  }

  mayMatch(batch: Buffer): boolean {
    const isColored = this.colors.startBatch(batch);
    const isFound = this.scanner?.startBatch(batch) ?? true;
    return isFound || isColored || this.excludes;
  }

  nextCandidate(from: number): number {
    if (!this.scanner || this.excludes) return from;
    return Math.min(this.scanner.nextAt(from), this.colors.nextFrom(from));
  }

  matches(line: RecordCursor, bytes: Buffer): boolean {
    const { scanner, colors } = this;
    const isColored = colors.mayBeIn(bytes, line.messageStart, line.textEnd);
    if (!isColored && scanner?.isIn(bytes)) {
      if (!scanner.mayMatch(line.textStart, line.textEnd)) return this.excludes;
      if (this.isDecided && scanner.isFoundIn(line.messageStart, line.textEnd)) return !this.excludes;
    }
    this.line.setLine(line, bytes, isColored);
    return this.predicate(this.line);
  }

  /** Does a line match, whatever batch it is of? For whoever asks many expressions about one line, which is then read once for all. */
  test(line: QueryLine): boolean {
    return this.predicate(line);
  }
}

/** A query that is ready: what it matches, and the range that it names. */
export interface PreparedQuery extends Query {
  /** Undefined: every line matches. */
  readonly matcher: QueryMatcher | undefined;
}

/**
 * Reads an expression, and prepares to match lines.
 * @param name of the parameter or option, for the error
 * @throws TailraceError `invalid_params` with a sentence that says where the fault is.
 */
export function prepareQuery(text: string, name?: string): PreparedQuery {
  const query = readQuery(text, name);
  return { ...query, matcher: query.expression && new QueryMatcher(query.expression, text, name) };
}

/**
 * Does one value of a field pass what an expression asks of it? For whoever has read values before.
 * @throws TailraceError `invalid_params` as {@link QueryMatcher} does
 */
export function fieldValueTest(name: string, value: AttributeValue): ValueTest {
  return new Compiler().valueTest(name, value);
}

class Compiler {
  /** Of the parameter or option, for errors. */
  private readonly name: string;
  private patternsSize = 0;

  constructor(name = 'q') {
    this.name = name;
  }

  compile(node: QueryNode): LinePredicate {
    switch (node.kind) {
      case 'and': {
        // What is decided fast decides first.
        const predicates = [...node.children]
          .sort((a, b) => queryCost(a) - queryCost(b))
          .map((one) => this.compile(one));
        return (line) => {
          for (const predicate of predicates) if (!predicate(line)) return false;
          return true;
        };
      }
      case 'or': {
        const predicates = [...node.children]
          .sort((a, b) => queryCost(a) - queryCost(b))
          .map((one) => this.compile(one));
        return (line) => {
          for (const predicate of predicates) if (predicate(line)) return true;
          return false;
        };
      }
      case 'not': {
        const predicate = this.compile(node.child);
        return (line) => !predicate(line);
      }
      case 'text':
        return textPredicate(node.text);
      case 'regex': {
        const regex = this.regex(node);
        return (line) => regex.test(line.message);
      }
      case 'attribute':
        return isLineAttribute(node.name)
          ? this.lineAttribute(node.name, node.value)
          : this.field(node.name, node.value);
    }
  }

  private lineAttribute(name: LineAttribute, value: AttributeValue): LinePredicate {
    switch (name) {
      case 'severity':
      case 'level':
        return severityPredicate(value);
      case 'facility':
        return this.facility(value);
      case 'source':
        if (value.kind !== 'text') return this.stringPredicate(value, (line) => line.source);
        return namesPredicate(value.text);
      case 'dyno': {
        if (value.kind !== 'text') return this.stringPredicate(value, (line) => line.dyno);
        const isDyno = dynoTest(value.text);
        return (line) => isDyno(line.dyno);
      }
      case 'program': {
        if (value.kind === 'text') return fragmentPredicate(value.text, (line) => line.program);
        const slashed = this.stringPredicate(value, (line) => `${line.source}/${line.dyno}`);
        const source = this.stringPredicate(value, (line) => line.source);
        const dyno = this.stringPredicate(value, (line) => line.dyno);
        return (line) => slashed(line) || source(line) || dyno(line);
      }
      case 'sender':
        return this.hostPredicate(value);
      case 'host': {
        const host = this.hostPredicate(value);
        const field = this.field(name, value);
        return (line) => host(line) || field(line);
      }
      case 'message':
        if (value.kind === 'text') return messagePredicate(value.text);
        return this.stringPredicate(value, (line) => line.message);
    }
  }

  private hostPredicate(value: AttributeValue): LinePredicate {
    if (value.kind === 'text') return fragmentPredicate(value.text, (line) => line.host);
    return this.stringPredicate(value, (line) => line.host);
  }

  private facility(value: AttributeValue): LinePredicate {
    const number = facilityNumber(
      value.kind === 'text' ? value.text : value.kind === 'compare' ? value.operand : '',
    );
    if (number !== undefined) return (line) => line.facility === number;
    return this.stringPredicate(value, (line) => facilityName(line.facility));
  }

  /** Of something that every line has; `-` stands for what isn't known. */
  private stringPredicate(value: AttributeValue, read: (line: QueryLine) => string): LinePredicate {
    if (value.kind === 'exists') return (line) => read(line) !== '' && read(line) !== '-';
    const test = this.valueTest('', value);
    return (line) => test(read(line));
  }

  /** A field, or what is written as its name and value in the text: `localhost:3000`. */
  private field(name: string, value: AttributeValue): LinePredicate {
    const path = new FieldPath(name);
    const test = this.valueTest(name, value);
    const text = value.kind === 'text' ? value.text : value.kind === 'glob' ? value.pattern : undefined;
    const asText = text === undefined || text === '' ? undefined : messagePredicate(`${name}:${text}`);
    return (line) => {
      if (asText?.(line)) return true;
      const { data } = line;
      return (data !== '' && someDataField(data, path, test)) || someMessageField(line.message, path, test);
    };
  }

  valueTest(name: string, value: AttributeValue): ValueTest {
    switch (value.kind) {
      case 'text':
        return wordsTest(value.text);
      case 'glob':
        return globTest(value.pattern);
      case 'exists':
        return (found) => found !== 'null';
      case 'regex': {
        const regex = this.regex(value);
        return (found) => regex.test(found);
      }
      case 'compare':
        return compareTest(name, value.operator, value.operand);
    }
  }

  private regex(regex: { readonly source: string; readonly anyCase: boolean }): RE2JS {
    const { source, anyCase } = regex;
    const position = regexPosition(regex);
    const where = position === undefined ? '' : ` at character ${position}`;
    if (source.length > REGEX_LENGTH_MAX)
      throw this.error(
        `the regular expression${where} has ${source.length} characters: it may have ${REGEX_LENGTH_MAX} at the most.`,
      );
    const size = patternSize(source);
    if (size > PATTERN_SIZE_MAX)
      throw this.error(
        `/${source}/${where} repeats too much: ${PATTERN_SIZE_MAX} characters in all, at the most.`,
      );
    this.patternsSize += size;
    if (this.patternsSize > PATTERNS_SIZE_MAX)
      throw this.error(
        `its regular expressions are too large together: ${PATTERNS_SIZE_MAX} characters in all, at the most.`,
      );
    try {
      return RE2JS.compile(source, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      const { at, sentence } = patternFault(source, error);
      const character = position === undefined ? `its character ${at + 1}` : `character ${position + 1 + at}`;
      throw this.error(`/${source}/ is not a regular expression: at ${character}, ${sentence}.`, error);
    }
  }

  private error(message: string, cause?: unknown): TailraceError {
    return new TailraceError('invalid_params', `${this.name}: ${message}`, { cause });
  }
}

/** How long a part takes, in about tenths of a microsecond. */
function queryCost(node: QueryNode): number {
  switch (node.kind) {
    case 'not':
      return queryCost(node.child);
    case 'and':
    case 'or':
      return Math.max(...node.children.map(queryCost));
    case 'text':
      return 2;
    case 'regex':
      return 9;
    case 'attribute':
      if (node.value.kind === 'regex') return 8;
      if (node.name === 'severity' || node.name === 'level') return 4;
      return isLineAttribute(node.name) && node.name !== 'host' ? 1 : 7;
  }
}

/** A word or phrase, anywhere. */
function textPredicate(text: string): LinePredicate {
  if (!isAscii(text)) {
    const lower = text.toLowerCase();
    return (line) =>
      line.message.toLowerCase().includes(lower) ||
      (line.data !== '' && line.dataValues.some((value) => value.toLowerCase().includes(lower)));
  }
  const exact = new RegExp(literalSource(text), 'i');
  const rough = new RegExp(roughSource(text), 'i');
  const hasSpace = text.includes(' ');
  return (line) => {
    if (!rough.test(line.whole)) return false;
    if (exact.test(line.latin1)) return true;
    if (!hasSpace && exact.test(line.origin)) return true;
    return line.data !== '' && line.dataValues.some((value) => exact.test(value));
  };
}

function messagePredicate(text: string): LinePredicate {
  if (isAscii(text)) {
    const pattern = new RegExp(literalSource(text), 'i');
    return (line) => pattern.test(line.latin1);
  }
  const lower = text.toLowerCase();
  return (line) => line.message.toLowerCase().includes(lower);
}

/** A part of a header field, which has no spaces. */
function fragmentPredicate(text: string, read: (line: QueryLine) => string): LinePredicate {
  if (text.includes(' ')) return () => false;
  const lower = text.toLowerCase();
  return (line) => read(line).toLowerCase().includes(lower);
}

/** The name of a source, or of what of it wrote the line: `heroku`, `router`. */
function namesPredicate(text: string): LinePredicate {
  const wanted = text.toLowerCase();
  const isDyno = dynoTest(text);
  return (line) => line.source.toLowerCase() === wanted || isDyno(line.dyno);
}

/** A dyno, or a type for all of its dynos: `web` is `web.1`. */
function dynoTest(text: string): ValueTest {
  // As it is stored.
  const wanted = Buffer.from(storedHeaderField(text, PROCID_BYTES_MAX)).toString('latin1').toLowerCase();
  return (value) => {
    const dyno = value.toLowerCase();
    return dyno === wanted || (dyno.startsWith(wanted) && dyno[wanted.length] === '.');
  };
}

/** At least as serious; with an operator, names by how serious they are, numbers as numbers. */
function severityPredicate(value: AttributeValue): LinePredicate {
  const test = severityTest(value);
  return (line) => test(line.severity);
}

/** What is asked of a severity, 0 to 7. */
export function severityTest(value: AttributeValue): (severity: number) => boolean {
  if (value.kind === 'exists') return () => true;
  const text = value.kind === 'text' ? value.text : value.kind === 'compare' ? value.operand : '';
  // The parser has refused all others.
  const wanted = severityNumber(text) ?? 7;
  if (value.kind !== 'compare') return (severity) => severity <= wanted;
  const { operator } = value;
  if (/^\d/.test(text)) return (severity) => holds(operator, severity - wanted);
  return (severity) => holds(operator, wanted - severity);
}
