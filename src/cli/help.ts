import type { Command } from 'commander';
import { findCommand } from './typed-command.ts';

/** `tailrace help [command]`, a command like the others: commander's own knows no help of itself. */
export function helpCommand(program: Command): void {
  program
    .command('help [command]')
    .description('show how a command is used; without a name, all that there are')
    // Somebody put `help` in front of what they were about to type.
    .allowExcessArguments()
    .allowUnknownOption()
    .action((name?: string) => {
      (findCommand(program, name) ?? program).help();
    });
}
