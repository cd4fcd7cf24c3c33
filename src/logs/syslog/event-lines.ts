/**
 * Which lines of a sender are one event: a stack trace is written line by line, and each comes by itself. A line either begins an event or goes on
 * with the one before it, of the same sender; nothing that comes later changes that.
 */

/** What an event is so far: what may follow depends on it. */
type EventKind =
  /** Nothing is known of it. */
  | 'plain'
  /** It has the form of an error, or frames of a stack. */
  | 'error'
  /** Node.js has printed where it threw, and the error follows. */
  | 'node-source'
  /** Between Python's `Traceback` and the line that names the error. */
  | 'python-frames'
  /** Behind that line: another one may follow that was its cause. */
  | 'python-end'
  | 'python-chain'
  | 'go'
  /** The panic's message comes in the next line. */
  | 'rust-message'
  | 'rust'
  | 'php';

/** An event so far. One that has ended is taken as it is: the next line says whether it goes on. */
export interface EventState {
  readonly kind: EventKind;
  readonly lines: number;
  /** Lines that end with an opening bracket and aren't closed. */
  readonly open: number;
  /** Its first line. */
  readonly head: string;
}

/** An event of more lines is several. */
export const EVENT_LINES_MAX = 400;
/** Lines of an event follow each other this closely, milliseconds. */
export const EVENT_GAP_MS_MAX = 2_000;
/** So much of a line is looked at. */
const LOOKED_AT_MAX = 500;

const INDENTED = /^(?:\t| {2})\s{0,200}\S/;
const BLANK = /^\s*$/;
const OPENING = /[{[(]$/;
const CLOSING = /^\s{0,40}[}\])]{1,10}[,;]?$/;
/** Goes on with any event: causes of Java, Kotlin, .NET and Rust, the end of .NET's inner traces. */
const ANYWHERE =
  /^(?:Caused by:|Suppressed: |\.\.\. \d+ (?:more|common frames)| ---> |--- End of (?:inner exception )?stack trace|Stack trace:$|\[stacktrace\]$|PHP Stack trace:$|PHP {2,4}\d+\. |[Ss]tack backtrace:$)/;
const PYTHON_HEAD = /^(?:Traceback \(most recent call last\):|Exception Group Traceback)/;
const PYTHON_ERROR = /^[A-Za-z_][\w.]{0,200}(?::|$)/;
const PYTHON_CHAIN =
  /^(?:During handling of the above exception, another exception occurred:|The above exception was the direct cause of the following exception:)/;
const GO_HEAD = /^(?:panic: |fatal error: |runtime: |SIG[A-Z]{2,8}: |goroutine \d+ \[)/;
const GO_LINE =
  /^(?:goroutine \d+ [^\n]{0,100}\]:?$|created by |\[signal |panic: |exit status \d|runtime\.|\.\.\.additional frames)/;
/** `main.(*Server).serve(0xc000, …)` */
const GO_CALL = /^[\w./*()[\]·-]{1,300}\(.{0,300}\)$/;
const RUST_HEAD = /^thread '[^']{0,100}' (?:\(\d+\) )?panicked at /;
const RUST_LINE = /^(?:note: |stack backtrace:)/;
const PHP_HEAD = /^(?:PHP )?(?:Fatal|Parse|Recoverable fatal) error: /;
const PHP_LINE = /^(?:#\d+ |Next [\w\\]{1,200}: |"\} ?$)/;
const NODE_SOURCE = /^(?:node:|file:\/\/|\/|[A-Z]:\\)\S{1,300}:\d+$/;
const NODE_LINE = /^Node\.js v\d/;
/** `Error: …`, `TypeError [ERR_X]: …`, `java.lang.IllegalStateException: …`, `NoMethodError (…):`, `** (RuntimeError) …`. */
const ERROR_LINE =
  /^(?:Uncaught |Unhandled exception\. |Exception in thread |\*\* \(|\[)?(?:[\w$\\.:]{0,200}(?:Error|Exception|Throwable|Rejection)\b|"[^"]{0,100}" [\w$.]{1,200})/;
/** The same with the name of a package: what a logger writes below its own line. */
const PACKAGED_ERROR = /^(?:[a-z_][\w$]{0,60}\.){1,12}[A-Z][\w$]{0,100}(?::|$)/;
const RUBY_HEAD = /^\S{1,300}\.rb:\d+:in .{1,400}\(\S{1,100}\)$/;
const RUBY_FRAME = /^(?:[\w./<>@+-]{1,300}\.(?:rb|erb|rake|ru)|<internal:[\w/-]{1,60}>|\(eval\)):\d+:in /;
/** What most lines begin with, and what goes on with a plain line never does. */
const PLAIN_START = /^(?!goroutine )(?:\d|[a-z][a-z\d]{0,60}[^\w$.])/;
/** A line of a log that a trace may come below. */
const LOGGED_ERROR =
  /\b(?:ERROR|FATAL|CRITICAL|SEVERE|WARN|WARNING|error|fatal|critical|panic|Exception|exception)\b/;

/** What a line is that begins an event. */
function kindOfHead(message: string): EventKind {
  switch (message.charCodeAt(0)) {
    case 0x20: // its beginning isn't there
    case 0x09:
      return 'error';
  }
  if (PYTHON_HEAD.test(message)) return 'python-frames';
  if (GO_HEAD.test(message)) return 'go';
  if (RUST_HEAD.test(message)) return message.endsWith(':') ? 'rust-message' : 'rust';
  if (PHP_HEAD.test(message)) return 'php';
  if (NODE_SOURCE.test(message)) return 'node-source';
  if (ERROR_LINE.test(message) || RUBY_HEAD.test(message)) return 'error';
  return 'plain';
}

/** Is it a line that no event begins with? */
export function isContinuation(message: string): boolean {
  return INDENTED.test(message) || ANYWHERE.test(message);
}

/** The event that a line begins. */
export function beginEvent(message: string): EventState {
  const text = message.length > LOOKED_AT_MAX ? message.slice(0, LOOKED_AT_MAX) : message;
  return { kind: kindOfHead(text), lines: 1, open: OPENING.test(message) ? 1 : 0, head: text };
}

/** May a message go on with an event at all? By its first character: cheap, and true says nothing. */
export function mayContinue(message: string, state: EventState): boolean {
  return state.kind !== 'plain' || !PLAIN_START.test(message);
}

/** Lines that go on with an event of some kind. */
const CONTINUATIONS: readonly RegExp[] = [
  INDENTED,
  BLANK,
  ANYWHERE,
  CLOSING,
  /^goroutine \d+ \[/,
  PYTHON_HEAD,
  PYTHON_ERROR,
  PYTHON_CHAIN,
  PACKAGED_ERROR,
  RUBY_HEAD,
  RUBY_FRAME,
  GO_LINE,
  GO_CALL,
  RUST_LINE,
  PHP_LINE,
  ERROR_LINE,
  NODE_LINE,
];

/** What most lines begin with, and none of those does, unless it names a file of Ruby. */
const BEGINS_ANEW =
  /^(?:(?!goroutine |created by |exit status |stack backtrace)[a-z][a-z\d]{0,60}[ =]|(?!PHP )[A-Z]{2,20} |\d[\dTZ:.,+-]{0,40} |\{)/;

/** May a line go on with any event at all? False: it begins one, whatever came before, except behind one that {@link takesAnyLine}. */
export function mayContinueAny(message: string): boolean {
  const text = message.length > LOOKED_AT_MAX ? message.slice(0, LOOKED_AT_MAX) : message;
  if (BEGINS_ANEW.test(text) && !text.includes('.rb:')) return false;
  return CONTINUATIONS.some((form) => form.test(text));
}

/** Stands in every line that begins an event that {@link takesAnyLine}. */
export const TAKES_ANY_MARK = 'panicked at ';

/** Does it go on with the next line, whatever that is? */
export function takesAnyLine({ kind }: EventState): boolean {
  return kind === 'rust-message';
}

/**
 * The event with a line more; undefined when the line begins another one.
 * @param gapMs between the two lines; NaN when that isn't known
 */
export function continueEvent(state: EventState, message: string, gapMs: number): EventState | undefined {
  if (state.lines >= EVENT_LINES_MAX || Math.abs(gapMs) > EVENT_GAP_MS_MAX) return undefined;
  const text = message.length > LOOKED_AT_MAX ? message.slice(0, LOOKED_AT_MAX) : message;
  const kind = nextKind(state, text);
  if (kind === undefined) return undefined;
  const open = CLOSING.test(text)
    ? Math.max(0, state.open - 1)
    : state.open + (OPENING.test(message) ? 1 : 0);
  return { kind, lines: state.lines + 1, open, head: state.head };
}

/** Undefined: the line doesn't belong to it. */
function nextKind({ kind, open, head, lines }: EventState, text: string): EventKind | undefined {
  if (kind === 'rust-message') return 'rust';
  if (INDENTED.test(text)) return kind === 'plain' ? 'error' : kind === 'python-end' ? 'error' : kind;
  if (BLANK.test(text)) return kind === 'plain' ? undefined : kind;
  if (ANYWHERE.test(text))
    return /^(?:Stack trace|\[stack|PHP)/.test(text) ? 'php' : kind === 'plain' ? 'error' : kind;
  if (open > 0 && CLOSING.test(text)) return kind;
  if (/^goroutine \d+ \[/.test(text)) return kind === 'go' || LOGGED_ERROR.test(head) ? 'go' : undefined;
  if (PYTHON_HEAD.test(text)) {
    if (kind === 'python-chain') return 'python-frames';
    return lines === 1 && LOGGED_ERROR.test(head) && !PYTHON_HEAD.test(head) ? 'python-frames' : undefined;
  }
  if (lines === 1 && PACKAGED_ERROR.test(text) && LOGGED_ERROR.test(head) && !PACKAGED_ERROR.test(head))
    return 'error';
  switch (kind) {
    case 'plain':
      return undefined;
    case 'python-frames':
      // Older Ruby writes the same head.
      if (lines === 1) return undefined;
      return PYTHON_ERROR.test(text) || RUBY_HEAD.test(text) ? 'python-end' : undefined;
    case 'python-end':
      return PYTHON_CHAIN.test(text) ? 'python-chain' : undefined;
    case 'python-chain':
      return undefined;
    case 'go':
      return GO_LINE.test(text) || GO_CALL.test(text) ? kind : undefined;
    case 'rust':
      return RUST_LINE.test(text) ? kind : undefined;
    case 'php':
      return PHP_LINE.test(text) ? kind : undefined;
    case 'node-source':
      if (ERROR_LINE.test(text)) return 'error';
      return NODE_LINE.test(text) ? kind : undefined;
    case 'error':
      if (NODE_LINE.test(text) || RUBY_FRAME.test(text)) return kind;
      return PYTHON_CHAIN.test(text) ? 'python-chain' : undefined;
  }
}

/** Frames of what others wrote: languages themselves, and packages. */
const FOREIGN =
  /node:internal|node_modules|\(node:|at async Promise|site-packages|dist-packages|\/lib\/python\d|<frozen |\/gems\/|\/ruby\/|<internal:|\bat (?:java|javax|jdk|sun|kotlin|kotlinx|scala|org\.springframework|org\.apache|io\.netty|System|Microsoft)\.|\/vendor\/|\/usr\/(?:local\/)?(?:go|lib|share)\/|\/rustc\/|\.cargo\/registry|\/pkg\/mod\/|std::|core::|\balloc::/;
const FRAME =
  /^\s*(?:at \S|File "|from \S|\S{1,300}:\d+:in |#\d+ (?!\{main\})|\S{1,300}\.go:\d+|at \/?\S+\.rs:\d+)/;

/** The line of a trace that says what went wrong, where its first one only says where: of Python, and of what Node.js doesn't catch. */
export function errorLine(lines: readonly string[]): string | undefined {
  if (NODE_SOURCE.test(lines[0].slice(0, LOOKED_AT_MAX)))
    return lines.find((line) => ERROR_LINE.test(line.slice(0, LOOKED_AT_MAX)));
  if (!PYTHON_HEAD.test(lines[0])) return undefined;
  return lines.findLast(
    (line) =>
      PYTHON_ERROR.test(line.slice(0, LOOKED_AT_MAX)) && !PYTHON_HEAD.test(line) && !PYTHON_CHAIN.test(line),
  );
}

/** The first frame of a trace that is the app's own code, trimmed; undefined when there is none. */
export function ownFrame(lines: readonly string[]): string | undefined {
  // Python's last call is the innermost one.
  const isPython = lines.some((line) => line.includes('Traceback (most recent call last)'));
  const frames = lines
    .slice(1)
    .filter((line) => FRAME.test(line.slice(0, LOOKED_AT_MAX)) && !FOREIGN.test(line));
  return (isPython ? frames.at(-1) : frames[0])?.trim().replace(/ ?[{,]$/, '');
}
