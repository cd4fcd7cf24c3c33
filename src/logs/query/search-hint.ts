/** Why a search that found nothing was perhaps meant otherwise: how other languages of searches write what is written another way here. Pure: the pages show it, too. */

/** Names that others have for levels. */
const LEVEL = /^(emerg|alert|crit|critical|err|error|warn|warning|notice|info|debug|fatal)$/i;
/** A phrase in quotes or a regular expression, in which nothing has a meaning. */
const QUOTED = /"[^"]*"|'[^']*'|(?<!\S)-?(?:[\w.@-]+:)?\/\S[^/]*\/i?(?=[\s)]|$)/g;

type Hint = readonly [pattern: RegExp, hint: (...groups: string[]) => string];

/** The first that fits says what to write. */
const HINTS: readonly Hint[] = [
  [
    /\|[=~]|!=\s|\{\w+="/,
    () => 'Words are written side by side here, and a word with a - in front of it is left out.',
  ],
  [
    /(?:^|\s)(?:\|\||&&)(?:\s|$)/,
    () => 'OR is written as a word, in capitals; words side by side must all be there.',
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?):\[([\w.-]+) TO ([\w.-]+)\]/i,
    (name, from, to) => `A range is written ${name}:>=${from} ${name}:<=${to}.`,
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?):(-?\d[\w.]*)\.\.(-?\d[\w.]*)/i,
    (name, from, to) => `A range is written ${name}:>=${from} ${name}:<=${to}.`,
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?)\s?([<>]=?)\s?(-?\d[\w.]*)/i,
    (name, operator, value) => `A field is compared with a colon: ${name}:${operator}${value}.`,
  ],
  [
    /(?:^|[\s(])-?(?:level|severity|lvl)==?"?(\w+)/i,
    (level) =>
      LEVEL.test(level)
        ? `level:${level} finds lines of this level and more serious ones, however they say it.`
        : 'level:error finds lines by their level, however they say it.',
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*)==?([\w.@-]+)(?=\s|\)|$)/i,
    (name, value) =>
      `${name}:${value} finds the field in JSON and structured data too, not just as this text.`,
  ],
  [
    /(?:^|\s)-?(?:\*\w|\w+\*(?:\s|$))/,
    () => 'Words are found within other words without a *, which is for fields (path:/api/*).',
  ],
  [/(?:^|\s)!(\w+)/, (word) => `-${word} leaves out lines with this word.`],
  [/\S\s+or\s+\S/, () => 'OR is written in capitals: in small letters it is a word that is looked for.'],
  [/(?:^|\s)not\s+(\w+)/, (word) => `-${word} leaves out lines with this word.`],
];

/**
 * What to write instead, in a sentence; undefined: nothing looks like another language.
 * @param text a search that can be read
 */
export function searchHint(text: string): string | undefined {
  const plain = text.replace(QUOTED, '""');
  for (const [pattern, hint] of HINTS) {
    const match = pattern.exec(plain);
    if (match) return hint(...match.slice(1));
  }
  return undefined;
}
