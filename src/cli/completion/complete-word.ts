import type { Argument, Command, Option } from 'commander';
import { findCommand } from '../../common/command-line/typed-command.ts';
import { ownValue } from '../../common/own-value.ts';

/** What the server is asked for. */
export type ValueKind =
  | 'apps'
  | 'dynos'
  | 'process types'
  | 'sources'
  | 'drains'
  | 'add-ons'
  | 'services'
  | 'releases'
  | 'builds'
  | 'config vars'
  | 'domains';

/** What a word may become. */
export type Completion =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: ValueKind };

/** Options and arguments, by the names that stand in the help. */
const VALUES: Readonly<Record<string, ValueKind | 'files'>> = {
  '--app': 'apps',
  '--to': 'apps',
  '--dyno': 'dynos',
  '--ps': 'dynos',
  '--source': 'sources',
  '--addon': 'add-ons',
  '--dir': 'files',
  '--env': 'files',
  '--file': 'files',
  '--procfile': 'files',
  '--output': 'files',
  '--ca': 'files',
  '--cert': 'files',
  '--key': 'files',
  '--spool': 'files',
  dyno: 'dynos',
  types: 'process types',
  changes: 'process types',
  sizes: 'process types',
  drain: 'drains',
  addon: 'add-ons',
  database: 'add-ons',
  attachment: 'add-ons',
  service: 'services',
  'service:plan': 'services',
  release: 'releases',
  build: 'builds',
  names: 'config vars',
  vars: 'config vars',
  files: 'files',
  file: 'files',
  folder: 'files',
  manifest: 'files',
};
/** Arguments that name an app in some commands, and in others what is only to be. */
const APP_ARGUMENTS = ['destroy', 'apps:destroy'];

/**
 * What the last of the words behind the program's name may become.
 * @param words the last one is unfinished, and may be empty
 */
export function completeWord(program: Command, words: readonly string[]): Completion {
  const word = words.at(-1) ?? '';
  if (words.length <= 1)
    return { kind: 'words', words: word.startsWith('-') ? ['--help', '--version'] : commandNames(program) };
  const command = findCommand(program, words[0]);
  if (!command) return { kind: 'words', words: [] };
  if (command.name() === 'help') return { kind: 'words', words: commandNames(program) };
  const before = words.slice(1, -1);
  // Behind `--` stands a command of the app's.
  if (before.includes('--')) return { kind: 'files' };
  const option = command.options.find((one) => takesValue(one) && isOption(one, before.at(-1) ?? ''));
  if (option) return completeOption(command, option);
  if (word.startsWith('-'))
    return {
      kind: 'words',
      words: [...visibleOptions(command).map(({ long, short }) => long ?? short ?? ''), '--help'],
    };
  return completeArgument(command, argumentAt(command, before));
}

function commandNames(program: Command): string[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .flatMap((command) => [command.name(), ...command.aliases()])
    .sort();
}

function visibleOptions(command: Command): Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help');
}

function isOption({ long, short }: Option, typed: string): boolean {
  return typed === long || typed === short;
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function completeOption(command: Command, option: Option): Completion {
  if (option.argChoices) return { kind: 'words', words: option.argChoices };
  const long = option.long ?? '';
  // `run --env A=1` sets variables.
  if (long === '--env' && command.name().startsWith('run')) return { kind: 'words', words: [] };
  if (long === '--confirm') return { kind: 'apps' };
  const kind = VALUES[long];
  return kind === undefined ? { kind: 'words', words: [] } : { kind };
}

function completeArgument(command: Command, argument: Argument | undefined): Completion {
  if (!argument) return { kind: 'words', words: [] };
  if (argument.argChoices) return { kind: 'words', words: argument.argChoices };
  const name = argument.name();
  if (name === 'name' && [command.name(), ...command.aliases()].some((one) => APP_ARGUMENTS.includes(one)))
    return { kind: 'apps' };
  const kind = ownValue(VALUES, name);
  return kind === undefined ? { kind: 'words', words: [] } : { kind };
}

/** The argument that comes behind these words; the last one may be given several times. */
function argumentAt(command: Command, before: readonly string[]): Argument | undefined {
  const { registeredArguments } = command;
  let count = 0;
  for (let i = 0; i < before.length; i++) {
    const typed = before[i];
    if (!typed.startsWith('-')) count++;
    else if (command.options.some((option) => option.required && isOption(option, typed))) i++;
  }
  const last = registeredArguments.at(-1);
  return registeredArguments[count] ?? (last?.variadic ? last : undefined);
}
