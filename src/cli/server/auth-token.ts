import type { Command } from 'commander';
import { findServer } from '../api-client.ts';

/** `tailrace auth:token`: an API key on stdout and nothing else, for scripts. */
export function authTokenCommand(program: Command): void {
  program
    .command('auth:token')
    .description('print an API key')
    .action(() => {
      process.stdout.write(`${findServer().key}\n`);
    });
}
