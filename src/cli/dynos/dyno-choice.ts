import type { Command } from 'commander';

/** Which dynos, when options say so. */
export interface DynoChoice {
  readonly dynoName?: string;
  readonly processType?: string;
}

/** Adds `-d, --dyno-name` and `-p, --process-type`, which Heroku's command has in place of an argument. */
export function addDynoOptions(command: Command): Command {
  return command
    .option('-d, --dyno-name <dyno>', 'this dyno: the same as the argument')
    .option('-p, --process-type <type>', 'all dynos of this type: the same as the argument');
}
