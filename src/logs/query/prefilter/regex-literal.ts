/** What every match of a regular expression has in it, as far as that is easily seen. */

/** Escapes that stand for one character of a class, or for a place. */
const CLASSES = 'dDwWsSbB';
/** With `i`, these match a character that isn't ASCII, too (RE2's simple folding). */
const FOLDED = /[ks]/i;
/** Alternatives beyond these would be slower than to look at each line. */
const ALTERNATIVES_MAX = 20;
/** Groups within each other. */
const DEPTH_MAX = 20;
const GROUP_START = /\((?:\?:|\?P?<\w{1,32}>|(?!\?))/y;

/**
 * Texts without choice in a regular expression (RE2's syntax), one of which every match has, in any case: the longest there are. None when
 * there are none, or when the expression has flags in it, or rare escapes.
 */
export function regexLiterals(source: string, anyCase: boolean): readonly string[] {
  const reader = new LiteralReader(source, anyCase);
  const found = reader.alternatives(0);
  return found && reader.isAtEnd ? found : [];
}

/** How good alternatives are to look for: long, and few. */
export function literalScore(lengths: readonly number[]): number {
  return lengths.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...lengths) - lengths.length / 4;
}

/** Reads an expression from left to right; undefined is for what it doesn't know. */
class LiteralReader {
  private readonly source: string;
  private readonly anyCase: boolean;
  private at = 0;

  constructor(source: string, anyCase: boolean) {
    this.source = source;
    this.anyCase = anyCase;
  }

  get isAtEnd(): boolean {
    return this.at === this.source.length;
  }

  /** Up to the end, or to the parenthesis that ends them. */
  alternatives(depth: number): readonly string[] | undefined {
    const all: string[] = [];
    let isAny = false;
    for (;;) {
      const found = this.sequence(depth);
      if (!found) return undefined;
      if (found.length === 0) isAny = true;
      all.push(...found);
      if (this.source[this.at] !== '|') break;
      this.at++;
    }
    return isAny || all.length > ALTERNATIVES_MAX ? [] : [...new Set(all)];
  }

  private sequence(depth: number): readonly string[] | undefined {
    const { source } = this;
    let best: readonly string[] = [];
    let run = '';
    const offer = (texts: readonly string[]): void => {
      const score = literalScore(texts.map(({ length }) => length));
      if (texts.length > 0 && score > literalScore(best.map(({ length }) => length))) best = texts;
    };
    const end = (): void => {
      if (run !== '') offer([run]);
      run = '';
    };
    for (; this.at < source.length; this.at++) {
      const character = source[this.at];
      switch (character) {
        case '|':
        case ')':
          end();
          return best;
        case '(': {
          GROUP_START.lastIndex = this.at;
          const start = GROUP_START.exec(source);
          if (!start || depth >= DEPTH_MAX) return undefined;
          this.at += start[0].length;
          end();
          const inside = this.alternatives(depth + 1);
          if (!inside || source[this.at] !== ')') return undefined;
          // What may be left out is in no match for sure.
          if (!/[?*{]/.test(source[this.at + 1] ?? '')) offer(inside);
          break;
        }
        case '[': {
          const close = classEnd(source, this.at);
          if (close === -1) return undefined;
          end();
          this.at = close;
          break;
        }
        case '?':
        case '*':
        case '{':
          // What is before it may be left out.
          run = run.slice(0, -1);
          end();
          if (character === '{') {
            const close = source.indexOf('}', this.at);
            if (close === -1) return undefined;
            this.at = close;
          }
          break;
        case '\\': {
          const escaped = source[++this.at];
          if (escaped === undefined || (/[\p{L}\p{N}]/u.test(escaped) && !CLASSES.includes(escaped)))
            return undefined;
          if (CLASSES.includes(escaped) || !isPlain(escaped, this.anyCase)) end();
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
          if (isPlain(character, this.anyCase)) run += character;
          else end();
      }
    }
    end();
    return best;
  }
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
