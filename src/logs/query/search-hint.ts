/** Why a search that found nothing was perhaps meant otherwise: how other languages of searches write what is written another way here. Pure: the pages show it, too. */

/** Names that others have for levels. */
const LEVEL = /^(emerg|alert|crit|critical|err|error|warn|warning|notice|info|debug|fatal)$/i;
/** A phrase in quotes or a regular expression, in which nothing has a meaning. */
const QUOTED = /"[^"]*"|'[^']*'|(?<!\S)-?(?:[\w.@-]+:)?\/\S[^/]*\/i?(?=[\s)]|$)/g;

type Hint = readonly [pattern: RegExp, hint: (...groups: string[]) => string];

/** The first that fits says what to write. */
const HINTS: readonly Hint[] = [
  [/[“”„«»]/, () => 'A phrase stands between straight quotes: "could not connect".'],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?)\s?[=:!]~/i,
    (name) => `A regular expression on a field stands between slashes: ${name}:/5\\d\\d/.`,
  ],
  [
    /\|[=~]|!=\s|\{\w+="/,
    () => 'Words are written side by side here, and a word with a - in front of it is left out.',
  ],
  [
    /(?:^|\s)(?:\|\||&&)(?:\s|$)/,
    () => 'OR is written as a word, in capitals; words side by side must all be there.',
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?):([[{])([\w.*-]+) TO ([\w.*-]+)([\]}])/i,
    (name, opened, from, to, closed) => {
      const bounds = [
        from === '*' ? '' : `${name}:${opened === '[' ? '>=' : '>'}${from}`,
        to === '*' ? '' : `${name}:${closed === ']' ? '<=' : '<'}${to}`,
      ].filter(Boolean);
      return `A range is written ${bounds.join(' ') || `${name}:*`}.`;
    },
  ],
  [/(?:^|[\s(])-?_exists_:"?([\w.@-]+)/i, (name) => `${name}:* finds lines that have the field.`],
  [
    /(?:^|[\s(])-?@([a-z_][\w.@-]*?):\S/i,
    (name) => `A field is named as the lines have it, without an @: ${name}:….`,
  ],
  [
    /(?:^|[\s(])-?([a-z_][\w.@-]*?):\s+((?:[<>]=?)?)\s?(-?\d[\w.]*)/,
    (name, operator, value) => `A value stands right behind the colon: ${name}:${operator}${value}.`,
  ],
  [/(?:^|[\s(])-?([a-z_][\w.@-]*?):\s+""/, (name) => `A value stands right behind the colon: ${name}:"…".`],
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
  [
    /(?:^|[\s(])\+(\w+)/,
    (word) => `Words side by side must all be there: ${word} is found without a + in front of it.`,
  ],
  [
    /(?:^|[\s(])(\w+)\|(\w+)/,
    (one, other) => `Alternatives are written ${one} OR ${other}, or /${one}|${other}/.`,
  ],
  [
    /\.[*+]|\\[dwsbDWSB]|\][*+]|(?:^|\s)\^\w/,
    () => 'A regular expression stands between slashes: /time.*out/.',
  ],
  [/(?:^|\s)!(\w+)/, (word) => `-${word} leaves out lines with this word.`],
  [/\S\s+or\s+\S/, () => 'OR is written in capitals: in small letters it is a word that is looked for.'],
  [
    /\S\s+and\s+\S/,
    () => 'AND is written in capitals, or left out: in small letters it is a word that is looked for.',
  ],
  [/(?:^|[\s(])(?:not|NOT)\s+(\w+)/, (word) => `-${word} leaves out lines with this word.`],
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
