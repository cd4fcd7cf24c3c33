import { Command, type ErrorOptions } from 'commander';
import { capitalize } from '../text/capitalize.ts';

type OptionAdvice = (command: string, option: string) => string | undefined;

/** A command that prints errors of its arguments like all errors of the command line, with its usage below; so do its subcommands. */
export class TypedCommand extends Command {
  private readonly adviceOnOption: OptionAdvice;

  /** @param adviceOnOption what to do instead of an option that a command hasn't; undefined: it isn't known */
  constructor(name?: string, adviceOnOption: OptionAdvice = () => undefined) {
    super(name);
    this.adviceOnOption = adviceOnOption;
  }

  override createCommand(name?: string): Command {
    return new TypedCommand(name, this.adviceOnOption);
  }

  override error(message: string, options?: ErrorOptions): never {
    const usage = this.createHelp().commandUsage(this);
    const advice = this.adviceOn(message);
    const text = advice === undefined ? message : `${message.split('\n', 1)[0]}\n(${advice})`;
    super.error(` ›   Error: ${formatErrorMessage(text)}\n     Usage: ${usage}`, options);
  }

  private adviceOn(message: string): string | undefined {
    const option = /^error: unknown option '([^']+)'/.exec(message)?.[1];
    if (option === undefined) return undefined;
    // `-sheroku-24` is `-s` with a value.
    const name = option.startsWith('--') ? option.split('=', 1)[0] : option.slice(0, 2);
    return [this.name(), ...this.aliases()]
      .map((command) => this.adviceOnOption(command, name))
      .find((sentence) => sentence !== undefined);
  }
}

/**
 * Does the program lack the command that was asked for, by itself or after `help`?
 * @param typed the program's arguments
 * @returns its name, or undefined when nothing is wrong
 */
export function unknownCommand(program: Command, typed: readonly string[]): string | undefined {
  const requested = typed[0] === 'help' ? typed[1] : typed[0];
  if (requested === undefined || requested.startsWith('-')) return undefined;
  return findCommand(program, requested) ? undefined : requested;
}

/** The command of this name or alias. */
export function findCommand(program: Command, name = ''): Command | undefined {
  return program.commands.find((one) => one.name() === name || one.aliases().includes(name));
}

/** `error: unknown command 'lgos'\n(Did you mean logs?)` as one line of sentences. */
function formatErrorMessage(message: string): string {
  const [what = '', hint] = message.replace(/^error: /, '').split('\n');
  const firstSentence = `${capitalize(what).replace(/\.$/, '')}.`;
  return hint === undefined ? firstSentence : `${firstSentence} ${hint.replace(/^\((.*)\)$/, '$1')}`;
}
