/**
 * The level of a line. Its severity gives it where the sender has set one; but apps write to their standard output, where every
 * line gets the same `<190>`, so for those the message is searched for a level.
 */

/** Highest severity first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Characters of a message in which a level is looked for. */
export const LEVEL_SEARCHED_MAX = 2_000;
/** Words at the start of a message that are examined: a time, a name, a level. */
const WORDS_MAX = 6;

const NAME =
  'emerg(?:ency)?|alert|crit(?:ical)?|fatal|panic|severe|err(?:or)?|warn(?:ing)?|notice|info(?:rmation(?:al)?)?|debug|trace|verbose';
/** `level=warn`, `"level":"error"`, `"level":50` (pino, bunyan), `severity: ERROR`, `at=error` (Heroku's router). */
const FIELD = new RegExp(
  `(?:^|[\\s,{;|"'])(?:(?:log[._]?)?(?:level|lvl|levelname|severity)["']?\\s{0,2}[=:]\\s{0,2}["']?(${NAME}|\\d{1,2})|at=(${NAME}))(?=["'\\s,;|}\\])]|$)`,
  'i',
);
const WORD = new RegExp(`^(?:${NAME})$`, 'i');
/** Ruby's logger (`E, [2012-12-10T03:00:48 #7] ERROR -- : …`) and klog (`E1210 03:00:48.1 7 main.go:1] …`). */
const INITIAL = /^([DIWEF])(?:, \[|\d{4} \d\d:)/;
/** Heroku's own error codes (`Error R14 (…)`), the name of an exception, a Python or Go stack trace. */
const FAILURE =
  /^(?:Error [A-Z]\d+\b|Traceback \(most recent|panic: |(?:Uncaught )?[\w.$:]{0,80}(?:Error|Exception)(?::|$))/;

/**
 * The level of a line: severities 0 to 3 are `error`, 4 is `warn`, 7 is `debug` (RFC 5424 section 6.2.1). For 5 and 6 (the
 * defaults of senders that set none) the message decides, by a level field or by an obvious word at its start; else `info`.
 *
 * @param message decoded as UTF-8 or Latin-1: levels are ASCII.
 */
export function logLevelOf(severity: number, message: string): LogLevel {
  return severityLevel(severity) ?? messageLevel(message) ?? 'info';
}

/** The level that a severity alone decides; see {@link logLevelOf}. */
export function severityLevel(severity: number): LogLevel | undefined {
  if (severity <= 3) return 'error';
  if (severity === 4) return 'warn';
  return severity >= 7 ? 'debug' : undefined;
}

/** The level that a message itself names, if it does. */
export function messageLevel(message: string): LogLevel | undefined {
  const text = message.length > LEVEL_SEARCHED_MAX ? message.slice(0, LEVEL_SEARCHED_MAX) : message;
  const field = mayHaveField(text) ? FIELD.exec(text) : null;
  if (field) {
    const level = levelFromWord(field[1] ?? field[2]);
    if (level) return level;
  }
  if (FAILURE.test(text)) return 'error';
  const initial = INITIAL.exec(text);
  return initial ? levelFromWord(initial[1]) : leadingWordLevel(text);
}

/** Is a part of a field's name there at all? A cheap test before the regular expression. */
function mayHaveField(text: string): boolean {
  return (
    text.includes('eve') ||
    text.includes('at=') ||
    text.includes('lvl') ||
    text.includes('EVE') ||
    text.includes('LVL') ||
    text.includes('AT=')
  );
}

/** A beginning such as `method=` or `hello world`, which most lines have, has no level in it. */
const PLAIN_START = /^[a-z]+[\s=]/;

/**
 * A level among the first words: `ERROR …`, `[warn] …`, `Warning: …`, `2012-12-10 03:00:48,123 - app - ERROR - …`. A word in small
 * letters counts only with a bracket or colon, since messages may begin with any word (`error handling improved`).
 */
function leadingWordLevel(text: string): LogLevel | undefined {
  if (PLAIN_START.test(text)) return undefined;
  let timed = false;
  let strangers = 0;
  const words = /[^\s|]+/g;
  for (let count = 0; count < WORDS_MAX; count++) {
    const raw = words.exec(text)?.[0];
    if (raw === undefined) return undefined;
    const colon = raw.indexOf(':');
    const bare = (colon > 0 ? raw.slice(0, colon) : raw).replace(/^[[(<*-]{1,3}|[\])>*,-]{1,3}$/g, '');
    if (WORD.test(bare)) {
      const shouted = bare === bare.toUpperCase();
      return shouted || (bare !== raw && !timed) ? levelFromWord(bare) : undefined;
    }
    if (/\d/.test(bare)) timed = true;
    else if (bare !== '' && !/^[[(<]/.test(raw) && ++strangers > (timed ? 3 : 0)) return undefined;
  }
  return undefined;
}

/** The level that a word, an initial or a number stands for. */
function levelFromWord(word: string): LogLevel | undefined {
  const number = Number(word);
  if (!Number.isNaN(number)) {
    // Below 8 a syslog severity (GELF), else pino's and bunyan's figures.
    if (number < 8) return number <= 3 ? 'error' : number === 4 ? 'warn' : number === 7 ? 'debug' : 'info';
    return number >= 50 ? 'error' : number >= 40 ? 'warn' : number >= 30 ? 'info' : 'debug';
  }
  switch (word[0].toLowerCase()) {
    case 'w':
      return 'warn';
    case 'n':
    case 'i':
      return 'info';
    case 'd':
    case 't':
    case 'v':
      return 'debug';
    default:
      return 'error';
  }
}
