/** Why RE2 doesn't take a regular expression: where, and what to write instead. */
import type { RE2JSException } from 're2js';
import { classEnd } from '../../common/limits/pattern-size.ts';

export interface PatternFault {
  /** Of the expression's character that is wrong, from 0. */
  readonly at: number;
  /** `"(" isn't closed: add ")"`, without a full stop. */
  readonly sentence: string;
}

/** @param error what RE2 threw for this expression */
export function patternFault(source: string, error: RE2JSException): PatternFault {
  const [kind, part] = partOf(error);
  const found = part === '' ? -1 : source.indexOf(part);
  const at = Math.max(0, found);
  const fault = (what: string, place = at): PatternFault => ({ at: place, sentence: what });
  switch (kind) {
    case 'missing closing ]':
      return fault('"[" isn\'t closed: add "]", or write \\[ for the bracket itself');
    case 'missing closing )':
      return fault(
        '"(" isn\'t closed: add ")", or write \\( for the parenthesis itself',
        lonelyParenthesis(source, '('),
      );
    case 'unexpected )':
      return fault(
        '")" closes none: remove it, or write \\) for the parenthesis itself',
        lonelyParenthesis(source, ')'),
      );
    case 'missing argument to repetition operator':
      return fault(
        `"${part}" has nothing before it to repeat: write what, or \\${part} for the character itself`,
      );
    case 'invalid nested repetition operator':
      return fault(`"${part}" repeats a repetition: write one of them, or a group around the first`);
    case 'invalid repeat count':
      return fault(`"${part}" repeats too often, or less at most than at least: {2,5} is up to 1000 times`);
    case 'invalid escape sequence':
      return fault(escapeAdvice(part));
    case 'invalid character class range':
      return fault(
        /^(?:\\p|\[:)/i.test(part)
          ? `there is no class ${part}: \\p{L} are letters, [[:digit:]] digits`
          : `"${part}" goes backwards: write the first character of the range first`,
      );
    case 'invalid or unsupported Perl syntax':
    case 'invalid named capture':
      return fault(groupAdvice(part));
    case 'duplicate capture group name':
      return fault(`two groups have the name ${part}: take one away`, source.lastIndexOf(`<${part}>`) + 1);
    default:
      return fault(`it is no expression of RE2 (${kind})`);
  }
}

/** RE2's kind of a fault, and the part of the expression that it names. */
function partOf(error: RE2JSException): [kind: string, part: string] {
  const { error: kind, input } = error as { error?: unknown; input?: unknown };
  return [typeof kind === 'string' ? kind : error.message, typeof input === 'string' ? input : ''];
}

function escapeAdvice(part: string): string {
  if (/^\\[1-9]/.test(part))
    return `${part} would repeat what a group found, which can't be asked for: write the expression again`;
  if (/^\\[xu]/.test(part)) return `${part} is no character: write it as \\x{e9}, or as it is`;
  if (part === '\\Z') return '\\Z means nothing: the end is $ or \\z';
  return `${part} means nothing here: write the character without the backslash`;
}

function groupAdvice(part: string): string {
  if (/^\(\?<?[=!]/.test(part))
    return `${part.slice(0, part[2] === '<' ? 4 : 3)} looks ahead or behind, which can't be asked for: search for both, side by side, or with a - for what isn't to be there`;
  if (part.startsWith('(?P<') || part.startsWith('(?<'))
    return 'the name of a group has letters, digits and _, and ends with >: (?P<name>…)';
  return `${part} is no group: there are (…), (?:…), (?P<name>…) and (?i:…)`;
}

/** Where the first parenthesis is that has no other half. */
function lonelyParenthesis(source: string, which: '(' | ')'): number {
  const open: number[] = [];
  for (let i = 0; i < source.length; i++) {
    const character = source[i];
    if (character === '\\') i++;
    else if (character === '[') i = classEnd(source, i);
    else if (character === '(') open.push(i);
    else if (character === ')' && open.pop() === undefined && which === ')') return i;
  }
  return open[0] ?? 0;
}
