/** An app as an export format needs it, to be run elsewhere. */
export interface ExportSpec {
  readonly app: string;
  readonly processes: readonly {
    readonly type: string;
    readonly command: string;
    readonly quantity: number;
  }[];
  readonly config: Readonly<Record<string, string>>;
  /** Of the source `app`: what the dynos' lines are sent with. */
  readonly token: string;
  /** The server that takes the lines. */
  readonly url: string;
  /** `host:port` of its syslog over TCP. */
  readonly syslog: string;
  /** First port of the web dynos. */
  readonly basePort: number;
  /** Where the app's files are, on the machine that runs it. */
  readonly folder: string;
  /** The user that runs it there. */
  readonly user: string;
  /** The container image of the app, and one with tailrace in it. */
  readonly image: string;
  readonly shipperImage: string;
  /** The tailrace program on the machine that runs the app. */
  readonly program: string;
}

/** A file to be written. */
export interface ExportedFile {
  readonly name: string;
  readonly text: string;
  /** Holds config vars or a token. */
  readonly isSecret?: boolean;
}

/** The files of a format, and what to do with them: shell commands, or sentences. */
export interface ExportResult {
  readonly files: readonly ExportedFile[];
  readonly nextSteps: readonly string[];
}

/** Process types that run; `release` is a part of deploying. */
export function runnableProcesses({ processes }: ExportSpec): ExportSpec['processes'] {
  return processes.filter(({ type, quantity }) => type !== 'release' && quantity > 0);
}

/** More than one command, or one whose words a shell has to make first. */
const COMPOUND = /[;&|\n()`]/;
/** `NAME=value`, with quotes as a shell has them; what is in front of a command. */
const ASSIGNMENT = /^\s*[A-Za-z_]\w*=(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])*/;
/** They are the shell's own: words of its grammar, and commands that change it. */
const SHELL_WORDS = new Set(
  '! { } [ [[ . : alias bg break builtin case cd command continue coproc declare do done elif else esac eval exec exit export fg fi for function getopts hash if jobs let local pushd popd read readonly return select set shift shopt source test then time times trap type typeset ulimit umask unalias unset until wait while'.split(
    ' ',
  ),
);

/**
 * A command as a shell's last words: with `exec`, so that signals reach the program and not the shell, unless it is more
 * than one command, or the shell's own. Assignments stay in front of it (POSIX.1-2017, section 2.9.1).
 */
export function withExec(command: string): string {
  if (COMPOUND.test(command)) return command;
  let start = 0;
  for (;;) {
    const length = ASSIGNMENT.exec(command.slice(start))?.[0].length ?? 0;
    // One that goes on is none.
    if (length === 0 || !/^(?:\s|$)/.test(command.slice(start + length))) break;
    start += length;
  }
  const rest = command.slice(start);
  const program = rest.trimStart();
  const [word] = program.split(/\s/, 1);
  // What looks like an assignment here has a quote that doesn't end.
  const isProgram = word !== '' && !SHELL_WORDS.has(word) && !/^(?:\d*[<>]|\w+=)/.test(word);
  if (!isProgram) return command;
  return `${command.slice(0, start)}${rest.slice(0, rest.length - program.length)}exec ${program}`;
}

/** Runs `$0` as the Procfile's runner does: with bash where there is one. */
const WITH_BASH = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; else exec sh -c "$0"; fi';
/** What every shell reads alike: words, with variables in them. */
const PLAIN_WORDS = /^(?:[^$`{}[\]();&|<>\n]|\$\w|\$\{\w+\}|\$\{\w+:-[\w./:-]*\})*$/;

/**
 * The command of a container for a Procfile's: a container's `sh` may know no `[[ … ]]` or other words of bash.
 * @param before what the shell does first, in the words of any shell
 */
export function containerCommand(command: string, before = ''): string[] {
  const script = before + withExec(command);
  return PLAIN_WORDS.test(command) ? ['/bin/sh', '-c', script] : ['/bin/sh', '-c', WITH_BASH, script];
}
