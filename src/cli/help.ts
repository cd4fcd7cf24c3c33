import { type Command, Option } from 'commander';
import { findCommand } from '../common/command-line/typed-command.ts';
import { VERSION } from '../common/package-info.ts';
import { printResult } from './format.ts';

/** `tailrace help [command]`, a command like the others: commander's own has no help of itself. */
export function helpCommand(program: Command): void {
  program
    .command('help [command]')
    .description('show how a command is used; without a name, all that there are')
    // `help` may have been typed in front of a whole command line.
    .allowExcessArguments()
    .allowUnknownOption()
    .addOption(new Option('-n, --nested-commands', 'all commands are listed, as always').hideHelp())
    .action((name?: string) => {
      (findCommand(program, name) ?? program).help();
    });
}

/** `tailrace version`, which is what many tools have instead of `--version`. */
export function versionCommand(program: Command): void {
  program
    .command('version')
    .alias('local:version')
    .description('print the version')
    .option('-j, --json', 'print JSON')
    .action((options: { json?: boolean }) => {
      printResult(options.json, { version: VERSION, node: process.version }, () => VERSION);
    });
}
