/**
 * About how many instructions RE2 makes of a pattern. Its time is linear in the text, but it is that times the size of the pattern; and
 * `((x{10}){10}){10}` is a thousand of `x`. Known before it is compiled, which takes the longer the larger it is.
 */

/** Of one pattern, and of all patterns of a query or of an option together. */
export const PATTERN_SIZE_MAX = 500;
export const PATTERNS_SIZE_MAX = 2_000;

/** Behind the bracket of a group: `?:`, `?i:`, `?P<name>`; a group without is counted with what remembers it. */
const GROUP_OPTIONS = /\?(?:[a-zA-Z-]{0,8}:|P?<\w{0,100}>)?/y;
const REPETITION = /\{(\d{1,4})(?:,(\d{0,4}))?\}/y;

/** What is open: a group, or the pattern itself. */
interface Level {
  size: number;
  /** Of what a repetition behind it repeats. */
  last: number;
}

/** The size of a pattern in RE2's syntax; of one that can't be compiled any number. */
export function patternSize(source: string): number {
  let level: Level = { size: 0, last: 0 };
  const levels: Level[] = [];
  const add = (size: number): void => {
    level.size += size;
    level.last = size;
  };
  for (let i = 0; i < source.length; i++) {
    const character = source[i];
    if (character === '\\') {
      i++;
      add(1);
    } else if (character === '[') {
      i = classEnd(source, i);
      add(1);
    } else if (character === '(') {
      levels.push(level);
      GROUP_OPTIONS.lastIndex = i + 1;
      const options = GROUP_OPTIONS.exec(source)?.[0] ?? '';
      i += options.length;
      level = { size: options.startsWith('?') && !options.includes('<') ? 0 : 2, last: 0 };
    } else if (character === ')') {
      const { size } = level;
      level = levels.pop() ?? { size: 0, last: 0 };
      add(size);
    } else if (character === '{') {
      REPETITION.lastIndex = i;
      const found = REPETITION.exec(source);
      if (found) {
        const count = Math.max(1, Number(found[1]), Number(found[2] || 0));
        const { last } = level;
        level.size += last * (count - 1);
        level.last = last * count;
        i = REPETITION.lastIndex - 1;
      } else add(1);
    } else if (character === '*' || character === '+' || character === '?') {
      level.size++;
      level.last++;
    } else add(1);
  }
  return levels.reduce((sum, { size }) => sum + size, level.size);
}

/** Where the class that begins at `start` ends: its last bracket, or the end. */
export function classEnd(source: string, start: number): number {
  // A bracket right at the beginning belongs to it, as in `[]a]` and `[^]a]`.
  let i = source[start + 1] === '^' ? start + 2 : start + 1;
  if (source[i] === ']') i++;
  for (; i < source.length && source[i] !== ']'; i++)
    if (source[i] === '\\') i++;
    else if (source.startsWith('[:', i)) i = Math.max(i, source.indexOf(':]', i) + 1);
  return i;
}
