/** What every match of a regular expression has in it, as far as that is easily seen. */

/** Escapes that stand for one character of a class, or for a place. */
const CLASSES = 'dDwWsSbB';
/** With `i`, these match a character that isn't ASCII, too (RE2's simple folding). */
const FOLDED = /[ks]/i;

/**
 * The longest text without choice in a regular expression (RE2's syntax): every match has it, in any case. '' when there is none, or
 * when the expression has groups, alternatives or rare escapes.
 */
export function regexLiteral(source: string, anyCase: boolean): string {
  let best = '';
  let run = '';
  const end = (): void => {
    if (run.length > best.length) best = run;
    run = '';
  };
  for (let i = 0; i < source.length; i++) {
    const character = source[i];
    switch (character) {
      case '|':
      case '(':
      case ')':
        return '';
      case '[': {
        const close = classEnd(source, i);
        if (close === -1) return '';
        end();
        i = close;
        break;
      }
      case '?':
      case '*':
      case '{':
        // What is before it may be left out.
        run = run.slice(0, -1);
        end();
        if (character === '{') {
          const close = source.indexOf('}', i);
          if (close === -1) return '';
          i = close;
        }
        break;
      case '\\': {
        const escaped = source[++i];
        if (escaped === undefined || (/[\p{L}\p{N}]/u.test(escaped) && !CLASSES.includes(escaped))) return '';
        if (CLASSES.includes(escaped) || !isPlain(escaped, anyCase)) end();
        else run += escaped;
        break;
      }
      case '+':
      case '.':
      case '^':
      case '$':
        end();
        break;
      default:
        if (isPlain(character, anyCase)) run += character;
        else end();
    }
  }
  end();
  return best;
}

/** Is it found in a stored message as it is? */
function isPlain(character: string, anyCase: boolean): boolean {
  return character >= ' ' && character <= '~' && !(anyCase && FOLDED.test(character));
}

/** Where a class of characters ends; -1 for one that isn't simple. */
function classEnd(source: string, start: number): number {
  const close = source.indexOf(']', start + 2);
  const inside = source.slice(start + 1, close);
  return close === -1 || /[[\\]/.test(inside) || inside === '^' ? -1 : close;
}
