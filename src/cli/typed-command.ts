import { Command, type ErrorOptions } from 'commander';

/** A command that refuses what was typed the way in which all errors of the command line are told, with its usage below. */
export class TypedCommand extends Command {
  override createCommand(name?: string): Command {
    return new TypedCommand(name);
  }

  override error(message: string, options?: ErrorOptions): never {
    const usage = this.createHelp().commandUsage(this);
    super.error(` ›   Error: ${sentence(message)}\n     Usage: ${usage}`, options);
  }
}

/**
 * Does the program lack the command that was asked for, by itself or after `help`?
 * @param typed what stands behind the program's name
 * @returns its name, or undefined when nothing is wrong
 */
export function unknownCommand(program: Command, typed: readonly string[]): string | undefined {
  const asked = typed[0] === 'help' ? typed[1] : typed[0];
  if (asked === undefined || asked.startsWith('-')) return undefined;
  return commandOf(program, asked) ? undefined : asked;
}

/** The command of this name or alias. */
export function commandOf(program: Command, name = ''): Command | undefined {
  return program.commands.find((one) => one.name() === name || one.aliases().includes(name));
}

/** `error: unknown command 'lgos'\n(Did you mean logs?)` as one line of sentences. */
function sentence(message: string): string {
  const [what = '', hint] = message.replace(/^error: /, '').split('\n');
  const said = `${what.charAt(0).toUpperCase()}${what.slice(1).replace(/\.$/, '')}.`;
  return hint === undefined ? said : `${said} ${hint.replace(/^\((.*)\)$/, '$1')}`;
}
