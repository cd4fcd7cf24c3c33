/** The `tailrace` command. One file a command in this folder; they talk HTTP to a server, like any client. */
import { CommanderError } from 'commander';
import { unsupportedCommand } from '../apps/host/unsupported-features.ts';
import { handleOutputErrors } from '../common/command-line/output-errors.ts';
import { TypedCommand, unknownCommand } from '../common/command-line/typed-command.ts';
import { TailraceError } from '../common/errors.ts';
import { VERSION } from '../common/package-info.ts';
import { addAllCommands, addSingleCommand } from './commands.ts';
import { printText } from './format.ts';
import { withProgramName } from './program-name.ts';
import { handlesShutdown } from './signals.ts';
import { unsupportedOption } from './unsupported/unsupported-options.ts';

void main();

async function main(): Promise<void> {
  const program = new TypedCommand('tailrace', unsupportedOption)
    .description('A log router: every line of an app in one stream, out to live tails and drains.')
    .version(VERSION, '-v, --version')
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride();

  const first = process.argv[2];
  const isVersion = first === '-v' || first === '--version';
  if (!isVersion && !(await addSingleCommand(program, first))) await addAllCommands(program);

  // A closed pipe (`| head`) is no error. A command with a shutdown handler (dynos to stop) ends by itself.
  handleOutputErrors(() => {
    if (!handlesShutdown()) process.exit(0);
  }, handlesShutdown);

  // Nothing is left to wait for, and the command hasn't ended: what it waited for never comes.
  const stopShort = (): void => {
    printText(
      ' ›   Error: The connection ended before the command was done: look what is there, and try again.',
      process.stderr,
    );
    process.exitCode = 1;
  };
  process.once('beforeExit', stopShort);
  try {
    const typed = process.argv.slice(2);
    const unknown = unknownCommand(program, typed);
    const instead = unknown === undefined ? undefined : unsupportedCommand(unknown);
    if (instead !== undefined) throw new TailraceError('bad_request', instead);
    // Alone it is rejected; after `help`, commander would print the help of all commands.
    await program.parseAsync(unknown === undefined ? typed : [unknown], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else {
      printText(` ›   Error: ${withProgramName(describeError(error))}`, process.stderr);
      process.exitCode = 1;
    }
  } finally {
    process.off('beforeExit', stopShort);
  }
}

/** Expected errors are one sentence; others keep their stack trace, for a bug report. */
function describeError(error: unknown): string {
  if (error instanceof TailraceError) return error.message;
  if (
    error instanceof Error &&
    ['ProcfileError', 'EnvFileError', 'FormationError', 'RunnerActiveError'].includes(error.name)
  )
    return error.message;
  return (
    describeSystemError(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error))
  );
}

/** A file that can't be used, or a program that can't be started, is nobody's bug; undefined for other errors. */
function describeSystemError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, syscall }: NodeJS.ErrnoException = error;
  if (code === undefined || path === undefined || syscall === undefined) return undefined;
  return syscall.startsWith('spawn')
    ? `${path} can't be started (${code}): is it installed?`
    : `${path} can't be used (${error.message.split(', ', 1)[0]}): name another, or make it possible.`;
}
