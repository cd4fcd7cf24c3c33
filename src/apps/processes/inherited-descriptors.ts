/**
 * What a process starts inherits its open files unless they are close-on-exec. Node.js opens all of its own so; LMDB doesn't: the descriptor of
 * the store, open for writing, was in every dyno, also in those that can't see the file. Node.js can't change that of a descriptor, so a shell closes
 * them on the way.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { findShell } from './shell.ts';

const DESCRIPTORS = '/proc/self/fd';
/** For a shell that knows descriptors of several digits: bash, and Alpine's. Another one ends at the first word, with nothing started. */
const CLOSE_ALL = `exec 99>&-; for fd in ${DESCRIPTORS}/*; do fd=\${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done`;
/** As far as the shell can. */
const CLOSE_MOST = `for fd in ${DESCRIPTORS}/*; do fd=\${fd##*/}; [ "$fd" -le 2 ] || ! (eval "exec $fd>&-") 2>/dev/null || eval "exec $fd>&-"; done`;

/** How a command is to be started. */
export interface ClosingOptions {
  /** Shell commands before it. */
  readonly before?: string;
  /** It may be started with what the shell can't close. Default: no. */
  readonly isLenient?: boolean;
}

/** What is started, and with what. */
interface StartedCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * A command that has none of this process's open files but stdin, stdout and stderr. To be started with an environment that nobody else has a say in:
 * shells read more than what they are told to.
 * @param command a program, looked for in the `PATH` that it gets, and its arguments
 */
export function closingDescriptors(
  command: readonly string[],
  { before, isLenient = false }: ClosingOptions = {},
): StartedCommand {
  const close = existsSync(DESCRIPTORS) ? [isLenient ? CLOSE_MOST : CLOSE_ALL] : [];
  const script = [...(before === undefined ? [] : [before]), ...close, 'exec "$0" "$@"'].join('; ');
  return { program: findShell(process.env.PATH), args: ['-c', script, ...command] };
}

/**
 * The same for a program that others may set the environment of: a build's, git, a dyno without a sandbox. It can't get at more than this process's user
 * can, but what writes to a descriptor that isn't its own writes into the store. Where there is no bash, some may stay open.
 */
export function closingDescriptorsOf(program: string, args: readonly string[]): StartedCommand {
  if (!existsSync(DESCRIPTORS)) return { program, args };
  const shell = findShell(process.env.PATH);
  const isBash = basename(shell) === 'bash';
  // It takes nothing of its environment for commands then, and reads no .bashrc where its input is a socket; other shells don't anyway.
  const mode = isBash ? ['--norc', '-p'] : [];
  return {
    program: shell,
    args: [...mode, '-c', `${isBash ? CLOSE_ALL : CLOSE_MOST}; exec "$0" "$@"`, program, ...args],
  };
}
