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

/**
 * A command as a shell's last words: with `exec`, so that signals reach the program and not the shell, unless it is more
 * than one command.
 */
export function withExec(command: string): string {
  const isSingleCommand =
    !/[;&|\n()`]|^\s*(cd|export|source|\.|if|for|while|until|case|exec|\w+=)(\s|$|\S*=)/.test(command);
  return isSingleCommand ? `exec ${command}` : command;
}
