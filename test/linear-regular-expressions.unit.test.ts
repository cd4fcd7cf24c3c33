/**
 * Every regular expression takes time that is linear in its text: what is matched came from somebody else, and one that goes back again
 * and again holds the event loop for as long as its sender likes.
 *
 * Two checks, both by structure: `scslre` finds quantifiers that can share a text in many ways, and the one here finds matches that begin
 * anew in the middle of what a failed one has consumed, as `/"[^"]*"/` does in a text of quotes.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AST, RegExpParser, visitRegExpAST } from '@eslint-community/regexpp';
import { getConsumedChars, getFirstConsumedChar, isPotentiallyEmpty } from 'regexp-ast-analysis';
import { parseAst } from 'rolldown/parseAst';
import { analyse } from 'scslre';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** From here on a bounded number of repetitions counts as unbounded. */
const REPETITIONS_MAX = 600;

/** Expressions that are linear all the same, or never see a long text, by how they begin. */
const EXCEPTIONS: readonly (readonly [file: string, beginning: string, reason: string])[] = [
  [
    'drains/viewer/archive/search-archive.ts',
    'new RegExp(literals.map',
    'words of letters, digits and spaces: nothing in them repeats',
  ],
  [
    'drains/viewer/store/columns/text-query.ts',
    'new RegExp(source.join',
    'a literal text, all of it escaped, each word of which may be one other character: nothing in it repeats',
  ],
  [
    'src/common/text/hidden-characters.ts',
    'new RegExp(`(?=',
    'it matches one character, and looks at one before and one behind: nothing in it repeats',
  ],
  [
    'src/logs/query/field-scanner.ts',
    'new RegExp(`${literalSource',
    'a literal text, all of it escaped: nothing in it repeats',
  ],
  [
    'drains/viewer/archive/search-archive.ts',
    'new RegExp(literals.map',
    'literal texts of letters, digits and spaces: nothing in them repeats',
  ],
  [
    'src/logs/query/query-matcher.ts',
    'new RegExp(literalSource(text)',
    'a literal text, all of it escaped: nothing in it repeats',
  ],
  [
    'src/logs/query/query-matcher.ts',
    'new RegExp(roughSource(text)',
    'a literal text, all of it escaped: a backslash before one of its characters may be there, nothing repeats',
  ],
  [
    'src/web/text/message-fields.ts',
    String.raw`/"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g`,
    'of what JSON.parse has read: every text in it has its end',
  ],
];

interface RegularExpression {
  readonly place: string;
  readonly file: string;
  /** As it is written. */
  readonly code: string;
  /** Undefined when it is put together of what isn't known here. */
  readonly literal: { readonly source: string; readonly flags: string } | undefined;
}

/** Of ESTree, what is needed here. */
interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly name?: string;
  readonly value?: unknown;
  readonly regex?: { readonly pattern: string; readonly flags: string };
  readonly id?: SyntaxNode;
  readonly init?: SyntaxNode | null;
  readonly callee?: SyntaxNode;
  readonly arguments?: readonly SyntaxNode[];
  readonly expressions?: readonly SyntaxNode[];
  readonly operator?: string;
  readonly left?: SyntaxNode;
  readonly right?: SyntaxNode;
  readonly quasis?: readonly { readonly value: { readonly cooked: string } }[];
}

/** All of a file, also those that are made with `new RegExp` of texts in the same file. */
function expressionsOf(file: string, text: string): RegularExpression[] {
  const found: RegularExpression[] = [];
  const constants = new Map<string, string>();
  const add = (node: SyntaxNode, literal: RegularExpression['literal']): void => {
    const line = text.slice(0, node.start).split('\n').length;
    found.push({ place: `${file}:${line}`, file, code: text.slice(node.start, node.end), literal });
  };
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const node = value as SyntaxNode;
    if (node.type === 'VariableDeclarator' && node.id?.name !== undefined) {
      const constant = constantText(node.init, constants);
      if (constant !== undefined) constants.set(node.id.name, constant);
    }
    if (node.regex) add(node, { source: node.regex.pattern, flags: node.regex.flags });
    if (node.callee?.name === 'RegExp' && node.arguments) {
      const [source, flags] = node.arguments.map((one) => constantText(one, constants));
      const isKnown = source !== undefined && (node.arguments.length === 1 || flags !== undefined);
      add(node, isKnown ? { source, flags: flags ?? '' } : undefined);
    }
    for (const child of Object.values(value)) visit(child);
  };
  visit(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }));
  return found;
}

/** The text of a literal, of a constant, of a difference of two, or of a template of these. */
function constantText(
  node: SyntaxNode | null | undefined,
  constants: ReadonlyMap<string, string>,
): string | undefined {
  switch (node?.type) {
    case 'Literal':
      return typeof node.value === 'string' || typeof node.value === 'number' ? `${node.value}` : undefined;
    case 'Identifier':
      return constants.get(node.name ?? '');
    case 'BinaryExpression': {
      const [left, right] = [node.left, node.right].map((side) => Number(constantText(side, constants)));
      return node.operator === '-' && !Number.isNaN(left - right) ? `${left - right}` : undefined;
    }
    case 'TemplateLiteral': {
      const inserted = node.expressions?.map((one) => constantText(one, constants)) ?? [];
      if (inserted.includes(undefined)) return undefined;
      return node.quasis?.map(({ value }, i) => `${value.cooked}${inserted[i] ?? ''}`).join('');
    }
  }
  return undefined;
}

/** What is wrong with an expression. */
function faultsOf({ source, flags }: { source: string; flags: string }): string[] {
  const reports = analyse({ source, flags }, { assumeRejectingSuffix: false }).reports;
  const faults = reports.map(({ type, character }) => `${type} with ${character.literal.source}`);
  const parser = new RegExpParser();
  const pattern = parser.parsePattern(source, undefined, undefined, { unicode: flags.includes('u') });
  const parsedFlags = parser.parseFlags(flags);
  if (parsedFlags.sticky) return faults;
  visitRegExpAST(pattern, {
    onQuantifierEnter(quantifier) {
      if (quantifier.max < REPETITIONS_MAX || !canFailBehind(quantifier)) return;
      const start = rootAlternative(quantifier);
      const [first] = start.elements;
      if (first.type === 'Assertion' && (first.kind === 'start' || first.kind === 'lookbehind')) return;
      const { chars } = getConsumedChars(quantifier, parsedFlags);
      const begins = getFirstConsumedChar(start, 'ltr', parsedFlags).char;
      // What is needed before it, and isn't in what it consumes, ends what an earlier match has consumed.
      const isEnded = elementsBefore(quantifier).some(
        (element) =>
          !isPotentiallyEmpty(element, parsedFlags) &&
          getConsumedChars(element, parsedFlags).chars.isDisjointWith(chars),
      );
      if (!isEnded && !begins.isDisjointWith(chars))
        faults.push(`a match can begin within ${quantifier.raw}`);
    },
  });
  return faults;
}

function rootAlternative(node: AST.Node): AST.Alternative {
  const { parent } = node;
  if (node.type === 'Alternative' && parent?.type === 'Pattern') return node;
  return rootAlternative(parent!);
}

/** All that has to match before a part of an expression does. */
function elementsBefore(node: AST.Node): readonly AST.Element[] {
  const { parent } = node;
  if (!parent || parent.type === 'Pattern') return [];
  const before =
    parent.type === 'Alternative'
      ? parent.elements.slice(0, parent.elements.indexOf(node as AST.Element))
      : [];
  return [...before, ...elementsBefore(parent)];
}

/** Is there something behind a part of an expression that may not match? */
function canFailBehind(node: AST.Node): boolean {
  const { parent } = node;
  if (!parent || parent.type === 'Pattern') return false;
  if (parent.type === 'Alternative') {
    const behind = parent.elements.slice(parent.elements.indexOf(node as AST.Element) + 1);
    if (behind.some((element) => element.type === 'Assertion' || !isPotentiallyEmpty(element, NO_FLAGS)))
      return true;
  }
  return canFailBehind(parent);
}

const NO_FLAGS = {};

const files = ['src', 'drains'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !/\.(?:as|d)\.ts$/.test(name))
    .map((name) => `${folder}/${name}`),
);
/**
 * To parse all files takes two seconds of processor time, and to look for faults half of one: what is in them, and what is wrong with it, is
 * kept for the next run, by their text, by how it is found here, and by what is installed for that.
 */
const CACHE = join(ROOT, 'node_modules', '.cache', 'regular-expressions.json');

interface JudgedExpression extends RegularExpression {
  /** Undefined when it is put together of what isn't known here. */
  readonly faults: readonly string[] | undefined;
}

function allExpressions(): JudgedExpression[] {
  const known = new Map<string, JudgedExpression[]>(readCache());
  const finder = createHash('sha256');
  for (const file of [import.meta.filename, join(ROOT, 'package-lock.json')])
    finder.update(readFileSync(file));
  const now = files.map((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const key = finder.copy().update(`\0${file}\0${text}`).digest('base64');
    return [key, known.get(key) ?? expressionsOf(file, text).map(judged)] as const;
  });
  if (now.some(([key]) => !known.has(key))) {
    mkdirSync(dirname(CACHE), { recursive: true });
    // Whole or not at all.
    writeFileSync(`${CACHE}.${process.pid}`, JSON.stringify(now));
    renameSync(`${CACHE}.${process.pid}`, CACHE);
  }
  return now.flatMap(([, found]) => found);
}

const judged = (one: RegularExpression): JudgedExpression => ({
  ...one,
  faults: one.literal && faultsOf(one.literal),
});

function readCache(): [string, JudgedExpression[]][] {
  try {
    return JSON.parse(readFileSync(CACHE, 'utf8'));
  } catch {
    return [];
  }
}

const all = allExpressions();
const isExcepted = ({ file, code }: RegularExpression): boolean =>
  EXCEPTIONS.some(([inFile, beginning]) => file === inFile && code.startsWith(beginning));

describe('regular expressions', () => {
  it('are found', () => expect(all.length).toBeGreaterThan(200));

  it('take time that is linear in the text', () => {
    const faulty = all
      .filter((one) => !isExcepted(one))
      .flatMap(({ place, code, faults = ['it is put together of what isn’t known'] }) =>
        faults.map((fault) => `${place}: ${code}: ${fault}`),
      );
    expect(faulty).toEqual([]);
  });

  it('that are excepted are there, and need it', () => {
    const needless = EXCEPTIONS.filter(([file, beginning]) => {
      const found = all.find((one) => one.file === file && one.code.startsWith(beginning));
      return !found || found.faults?.length === 0;
    });
    expect(needless).toEqual([]);
  });

  it.each([
    ['\\}\\s*\\n\\s*\\{', ''],
    ['(:\\/\\/[^/?#@]*?):[^/?#]*@', ''],
    ['"(?:[^"\\\\]|\\\\.)*"', 'g'],
    ['^(a+)+$', ''],
    ['^(\\w+)\\s*(.*)$', ''],
    ['\\s+$', ''],
    ['<!--.*-->', 's'],
  ])('a check that finds nothing in /%s/%s would be none', (source, flags) =>
    expect(faultsOf({ source, flags })).not.toEqual([]),
  );

  it.each([
    ['^\\s+', ''],
    ['[^\\s|]+', 'g'],
    ['\\x1b\\[[0-9;:]*m', 'g'],
    ['^[A-Za-z_]\\w*$', ''],
    ["name '([^']+)' is", ''],
    ['(?:^|\\s)source=([^\\s"]{1,100})', ''],
  ])('nothing is found in /%s/%s', (source, flags) => expect(faultsOf({ source, flags })).toEqual([]));
});
