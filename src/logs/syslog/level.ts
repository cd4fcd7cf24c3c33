/**
 * The level of a line. Its severity gives it where the sender has set one; but apps write to their standard output, where every
 * line gets the same `<190>`, so for those the message is searched for a level.
 */
import { stripColors } from '../../common/text/colors.ts';

/** Highest severity first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Characters of a message in which a level is looked for. */
export const LEVEL_SEARCHED_MAX = 2_000;
/** Words at the start of a message that are examined: a time, a name, a level. */
const WORDS_MAX = 6;

const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const NAME =
  'emerg(?:ency)?|alert|crit(?:ical)?|fatal|d?panic|severe|err(?:or)?|warn(?:ing)?|notice|info(?:rmation(?:al)?)?|debug|trace|verbose';
/**
 * `level=warn`, `"level":"error"`, `"level":50` (pino, bunyan), `severity: ERROR`, `"level_name":"ERROR"` (Monolog), `"@l":"Error"`
 * (Serilog), `"@level":"error"` (HashiCorp), `at=error` (Heroku's router).
 */
const FIELD = new RegExp(
  `(?:^|[\\s,{;|"'])(?:(?:(?:@|log[._]?)?(?:level|lvl|level_?name|severity|severity_?text)|@l)["']?\\s{0,2}[=:]\\s{0,2}["']?(${NAME}|\\d{1,3})|at=(${NAME}))(?=["'\\s,;|}\\])]|[+-]\\d|$)`,
  'i',
);
const WORD = new RegExp(`^(?:${NAME})$`, 'i');
/** What some write instead, behind a time only: `[08:00:00 ERR]` (Serilog), `8:00AM WRN` (zerolog), `[erro]` (RabbitMQ). */
const SHORT_WORD = /^(?:ERR|WRN|INF|DBG|TRC|VRB|FTL|PNC|erro|noti|debu)$/;
/** Heroku's own error codes (`Error R14 (…)`), the name of an exception. */
const FAILURE =
  /^(?:Error [A-Z]\d+\b|(?:Uncaught )?(?!(?:[Nn]o|has|last|Last)(?:Error|Exception)\b)[\w.$:]{0,80}(?:Error|Exception)(?::|$))/;
/** The same with nothing behind it that went wrong: `Error: none`. */
const NOTHING_FAILED = /^[\w.$]{1,80}:\s*(?:0|none|null|nil|false)\s*(?:$|[,;|])/i;

/**
 * Forms in which a level isn't among the first words, or isn't a word of its own, by how they begin. The first group is the level where
 * it isn't given beside the expression.
 */
const FORMS: readonly (readonly [first: string, form: RegExp, level?: LogLevel])[] = [
  // The first lines of stack traces, and of what ends a program: Python, Go, Java, Rust, Elixir, Node.
  ['T', /^Traceback \(most recent/, 'error'],
  ['p', /^panic: /, 'error'],
  ['f', /^fatal error: /, 'error'],
  ['E', /^Exception in thread /, 'error'],
  ['t', /^thread '[^']{1,80}' panicked at /, 'error'],
  ['*', /^\*\* \(\w/, 'error'],
  ['(', /^\(node:\d{1,10}\) Unhandled/, 'error'],
  // Ruby's logger (`E, [2012-12-10T03:00:48 #7] ERROR -- : …`) and klog (`E1210 03:00:48.1 7 main.go:1] …`).
  ['E', /^(E)(?:, \[|\d{4}(?:\d\d)? \d\d:)/],
  ['W', /^(W)(?:, \[|\d{4}(?:\d\d)? \d\d:)/],
  ['F', /^(F)(?:, \[|\d{4}(?:\d\d)? \d\d:)/],
  ['I', /^(I)(?:, \[|\d{4}(?:\d\d)? \d\d:)/],
  ['D', /^(D)(?:, \[|\d{4}(?:\d\d)? \d\d:)/],
  // sd-daemon(3): a severity before the text.
  ['<', /^<([0-7])>/],
  // Apache: `[Sat Nov 21 08:00:00.123 2026] [core:error] [pid 7] …`.
  ['[', /^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:.]{8,15} \d{4}\] \[(?:[\w-]{0,40}:)?([a-z]{4,6})\d?\]/],
  ['[', /^\[Nest\] \d{1,10} {1,4}- [\d/.,: -]{8,30}(?:[AP]M)? {1,10}([A-Z]{3,7}) /],
  // Elasticsearch, Envoy: `[2026-11-21T08:00:00,123][ERROR][o.e.b.Bootstrap] …`.
  ['[', new RegExp(`^\\[[\\d][^\\]]{7,40}\\](?:\\[\\d{1,10}\\])?\\[(${NAME}) {0,4}\\]`, 'i')],
  // Celery: `[2026-11-21 08:00:00,123: ERROR/MainProcess] …`.
  ['[', /^\[[\d-]{8,10} [\d:,.]{8,16}: ([A-Z]{4,8})\/[\w-]{1,40}\]/],
  // Monolog, Laravel: `[2026-11-21 08:00:00] local.ERROR: …`.
  ['[', /^\[\d[^\]]{7,40}\] [\w-]{1,40}\.(EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG):/],
  [
    '[',
    /^(?:\[[^\]]{8,40}\] )?PHP (Fatal|Parse|Recoverable|Core|Compile|Warning|Notice|Deprecated)\b[ \w]{0,20}:/,
  ],
  ['P', /^PHP (Fatal|Parse|Recoverable|Core|Compile|Warning|Notice|Deprecated)\b[ \w]{0,20}:/],
  ['N', /^NOTICE: PHP message: PHP (Fatal|Parse|Warning|Notice|Deprecated)\b[ \w]{0,20}:/],
  // .NET's console: `fail: Microsoft.AspNetCore.Server.Kestrel[13]`.
  ['f', /^(fail): \S/],
  ['d', /^(dbug): \S/],
  ['t', /^(trce): \S/],
  ['n', /^npm (ERR!|error|WARN|warn|notice|verb|http)\s/],
  // logrus on a terminal: `ERRO[0003] …`.
  ['E', /^(ERRO)\[\d{4,8}\]/],
  ['W', /^(WARN)\[\d{4,8}\]/],
  ['F', /^(FATA)\[\d{4,8}\]/],
  ['P', /^(PANI)\[\d{4,8}\]/],
  ['I', /^(INFO)\[\d{4,8}\]/],
  ['D', /^(DEBU)\[\d{4,8}\]/],
  ['T', /^(TRAC)\[\d{4,8}\]/],
  ['F', /^FINE(?:R|ST)?: /, 'debug'],
  ['C', /^CONFIG: /, 'debug'],
  ['=', /^=(ERROR|CRASH|WARNING|INFO|NOTICE|DEBUG|SUPERVISOR|PROGRESS) REPORT==/],
  ['{', /^\{"t":\{"\$date":"[^"]{10,40}"\},\s?"s":"([FEWID])\d?"/],
  ['(', /^\(node:\d{1,10}\) (?:\[\w{1,20}\] )?(?!Unhandled)\w{0,40}(Warning):/],
];
/** {@link FORMS} by the code of the first character. */
const FORMS_BY_FIRST: (readonly (typeof FORMS)[number][] | undefined)[] = new Array(128).fill(undefined);
for (const form of FORMS) {
  const code = form[0].charCodeAt(0);
  FORMS_BY_FIRST[code] = [...(FORMS_BY_FIRST[code] ?? []), form];
}
/** Redis: `7:M 21 Nov 2026 08:00:00.123 # …`, where a character is the level. */
const REDIS = /^\d{1,10}:[MSCX] \d{2} [A-Z][a-z]{2} (?:\d{4} )?[\d:.]{8,15} ([.*#-]) /;
const REDIS_LEVELS: Readonly<Record<string, LogLevel>> = {
  '#': 'warn',
  '*': 'info',
  '-': 'debug',
  '.': 'debug',
};
/** Compilers: `main.c:3:5: error: …`. */
const COMPILER = /^[\w./-]{1,200}:\d{1,7}(?::\d{1,7})?: (?:fatal )?(error|warning): /;
/** Ruby's exceptions: `/app/x.rb:3:in 'pay': no money (RuntimeError)`. */
const RUBY = /^\S{1,200}\.rb:\d+:in .{1,300}Error\)$/;
/** java.util.logging, whose level is on the second line. */
const JAVA_UTIL = /^[A-Z][a-z]{2} \d{1,2}, \d{4} [^\n]{8,200}\n(SEVERE|WARNING|INFO): /;

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

/** The level that somebody means by a word, in any case: `warning`, `ERR`, `fatal`, `errors`; undefined for other words. */
export function levelByName(word: string): LogLevel | undefined {
  const singular = /^(?:error|warning)s$/i.test(word) ? word.slice(0, -1) : word;
  return WORD.test(singular) ? levelFromWord(singular) : undefined;
}

/** The level that a message itself names, if it does. Colors count for nothing. */
export function messageLevel(message: string): LogLevel | undefined {
  const start = message.length > LEVEL_SEARCHED_MAX ? message.slice(0, LEVEL_SEARCHED_MAX) : message;
  const text = stripSymbol(stripColors(start));
  const field = mayHaveField(text) ? FIELD.exec(text) : null;
  if (field) {
    const level = levelFromWord(field[1] ?? field[2]);
    if (level) return level;
  }
  const level = formLevel(text);
  if (level) return level;
  if (mayNameFailure(text) && FAILURE.test(text)) return NOTHING_FAILED.test(text) ? undefined : 'error';
  return leadingWordLevel(text);
}

/** What some command line tools begin lines with: `✘ [ERROR] …`, `❌ Error: …`, in UTF-8 or Latin-1. */
const SYMBOL = /^\s{0,8}[^\x00-\x7f]{1,12}\s{1,8}(?=\S)/;

function stripSymbol(text: string): string {
  const first = text.charCodeAt(0);
  return first >= 0x80 || first === SPACE ? text.replace(SYMBOL, '') : text;
}

/** How lines of Heroku's router, of logfmt and of JSON begin, by their first byte. */
const BEGINNINGS: (Buffer | undefined)[] = new Array<Buffer | undefined>(256).fill(undefined);
for (const text of ['at=', 'level=', '{"level":"']) BEGINNINGS[text.charCodeAt(0)] = Buffer.from(text);
const LEVEL_BYTES = LOG_LEVELS.map((level) => Buffer.from(level));
/** What {@link FIELD} takes as the end of a word. */
const WORD_ENDS = new Set(Buffer.from('"\' \t,;|}])'));

/** The level that a message names at its very beginning, as most do; undefined says nothing. The same as {@link messageLevel}, on bytes. */
export function leadingLevel(bytes: Uint8Array, start: number, end: number): LogLevel | undefined {
  const beginning = BEGINNINGS[bytes[start]];
  if (!beginning || !isAt(bytes, start, end, beginning)) return undefined;
  const at = start + beginning.length;
  for (let i = 0; i < LEVEL_BYTES.length; i++) {
    const word = LEVEL_BYTES[i];
    if (bytes[at] === word[0] && isAt(bytes, at, end, word) && WORD_ENDS.has(bytes[at + word.length]))
      return at + word.length < end ? LOG_LEVELS[i] : undefined;
  }
  return undefined;
}

function isAt(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (start + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

/** The level of one of {@link FORMS}, and of others that can't be told by how they begin. */
function formLevel(text: string): LogLevel | undefined {
  const first = text.charCodeAt(0);
  const forms = first < 128 ? FORMS_BY_FIRST[first] : undefined;
  if (forms)
    for (const [, form, level] of forms) {
      const match = form.exec(text);
      if (match) return level ?? levelFromWord(match[1]);
    }
  if (isDigit(first)) {
    const redis = text.charCodeAt(text.indexOf(':') + 2) === SPACE ? REDIS.exec(text) : null;
    return redis ? REDIS_LEVELS[redis[1]] : undefined;
  }
  const colon = text.indexOf(':');
  // A file and a line number.
  if (colon < text.indexOf(' ') && isDigit(text.charCodeAt(colon + 1))) {
    if (text.endsWith('Error)') && RUBY.test(text)) return 'error';
    const compiler = COMPILER.exec(text);
    if (compiler) return levelFromWord(compiler[1]);
  }
  const java = text.charCodeAt(3) === SPACE && text.includes('\n') ? JAVA_UTIL.exec(text) : null;
  return java ? levelFromWord(java[1]) : undefined;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The same before {@link FAILURE}. */
function mayNameFailure(text: string): boolean {
  return text.includes('rror') || text.includes('xception');
}

/** Is a part of a field's name there at all? A cheap test before the regular expression. */
function mayHaveField(text: string): boolean {
  return (
    text.includes('eve') ||
    text.includes('at=') ||
    text.includes('lvl') ||
    text.includes('EVE') ||
    text.includes('LVL') ||
    (text.charCodeAt(0) === OPEN_BRACE && text.includes('"@l"')) ||
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
      // Behind a time, what is bare may be any word of a sentence: `[error]` and `error:` aren't.
      if (!shouted && !(timed ? isMarked(raw, strangers) : bare !== raw)) return undefined;
      if (raw.endsWith(':') && NOTHING_FAILED.test(text.slice(words.lastIndex - raw.length)))
        return undefined;
      return levelFromWord(bare);
    }
    if (timed && bare.length <= 4 && SHORT_WORD.test(bare)) return levelFromWord(bare);
    if (/\d/.test(bare)) timed = true;
    else if (
      bare !== '' &&
      !/^[[(<]/.test(raw) &&
      !(timed && raw.includes('=')) &&
      ++strangers > (timed ? 3 : 0)
    )
      return undefined;
  }
  return undefined;
}

/** Is a word behind a time more than one of a sentence? */
function isMarked(word: string, strangers: number): boolean {
  return BRACKETED.test(word) || (strangers === 0 && word.endsWith(':'));
}

/** `[error]`, `<warning>:`, and `[error]:`, but not the beginning of more. */
const BRACKETED = /^[[(<]\w{3,13}[\])>]:?$/;

/** The level that a word, an initial or a number stands for. */
function levelFromWord(word: string): LogLevel | undefined {
  const number = Number(word);
  if (!Number.isNaN(number)) {
    // Below 8 a syslog severity (GELF), from 100 on Monolog's figures, else pino's and bunyan's.
    if (number >= 100)
      return number >= 400 ? 'error' : number >= 300 ? 'warn' : number >= 200 ? 'info' : 'debug';
    if (number < 8) return number <= 3 ? 'error' : number === 4 ? 'warn' : number === 7 ? 'debug' : 'info';
    return number >= 50 ? 'error' : number >= 40 ? 'warn' : number >= 30 ? 'info' : 'debug';
  }
  switch (word[0].toLowerCase()) {
    case 'w':
      return 'warn';
    case 'n':
    case 'i':
    case 'l':
    case 'h':
    case 's':
      if (/^severe$/i.test(word)) return 'error';
      return 'info';
    case 'd':
      if (/^dep/i.test(word)) return 'warn';
      return /^dpanic$/i.test(word) ? 'error' : 'debug';
    case 't':
    case 'v':
      return 'debug';
    default:
      return 'error';
  }
}
