import { closeSync, existsSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import { writeFullySync } from '../../common/files/write-fully.ts';
import { APP_OPTION, isGitRemote, remoteOption, resolveEndpoint, useGitRemote } from '../api-client.ts';
import { runInTerminal, shellCommandLine } from './attached-terminal.ts';
import { splitDyno } from './trailing-app.ts';

const SHELL = 'if command -v bash >/dev/null; then exec bash; else exec sh; fi';
/** What `ps:copy` ends with when there is no such file. */
const STATUS_NO_FILE = 66;

interface ExecOptions {
  readonly app?: string;
  readonly dyno?: string;
  readonly tty: boolean;
}

/** `tailrace ps:exec web.1 -- ls`, `tailrace ps:copy log/app.log`: inside a dyno that is there. */
export function psExecCommands(program: Command): void {
  program
    .command('ps:exec [words...]')
    .aliases(['exec', 'run:inside', 'ps:ssh'])
    .usage('[dyno] [--] [command...]')
    .description(
      'run a command (default: a shell) inside a running dyno: with its files, variables and isolation, and this terminal',
    )
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-d, --dyno <dyno>', 'the dyno (default: the first word when it is one, else web.1)')
    .option('--no-tty', 'no terminal, only pipes')
    .addOption(new Option('--no-launcher', 'nothing is put in front of the command').hideHelp())
    .option('-x, --exit-code', "end with the command's status; it always does")
    .passThroughOptions()
    .action(async (words: string[], options: ExecOptions) => {
      const wanted = splitDyno(words, options.dyno, isGitRemote);
      const named = wanted.app ?? (wanted.remote === undefined ? undefined : useGitRemote(wanted.remote));
      const { app, client, path } = await resolveEndpoint({ app: options.app ?? named }, '/dynos');
      const command = wanted.command.length > 0 ? wanted.command : [SHELL];
      const where = `${path}/${encodeURIComponent(wanted.dyno)}`;
      const tty = options.tty && !wanted.noTty;
      process.exitCode = await runInTerminal({ app, client, path }, where, command, { tty });
    });
  program
    .command('ps:copy <file>')
    .description('copy a file out of a running dyno to this folder')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-d, --dyno <dyno>', 'the dyno (default: web.1)')
    .option('-o, --output <file>', 'what to call it here (default: as there)')
    .action(copyFile);
}

/** @throws TailraceError `invalid_params` when it can't be written there */
function openPart(part: string, to: string): number {
  try {
    return openSync(part, 'wx');
  } catch (error) {
    throw new TailraceError(
      'invalid_params',
      `${to} can't be written (${reasonOf(error)}): name another file with --output.`,
      { cause: error },
    );
  }
}

async function copyFile(
  file: string,
  options: { readonly app?: string; readonly dyno?: string; readonly output?: string },
): Promise<void> {
  const to = options.output ?? basename(file);
  if (existsSync(to))
    throw new TailraceError('conflict', `${to} is there already: name another file with --output.`);
  const endpoint = await resolveEndpoint(options, '/dynos');
  const dyno = options.dyno ?? 'web';
  let bytes = 0;
  const write = async (part: string): Promise<void> => {
    const out = openPart(part, to);
    try {
      const test = shellCommandLine(['test', '-f', file]);
      const copy = shellCommandLine(['cat', '--', file]);
      const status = await runInTerminal(
        endpoint,
        `${endpoint.path}/${encodeURIComponent(dyno)}`,
        [`${test} || exit ${STATUS_NO_FILE}; exec ${copy} 2>/dev/null`],
        {
          tty: false,
          output: (chunk) => {
            writeFullySync(out, chunk);
            bytes += chunk.length;
          },
        },
      );
      if (status === STATUS_NO_FILE)
        throw new TailraceError('not_found', `There is no file ${file} in ${dyno} of ${endpoint.app}.`);
      if (status !== 0) throw new TailraceError('bad_request', `${file} can't be read in ${dyno}.`);
    } finally {
      closeSync(out);
    }
  };
  // As `cp` does, which doesn't sync either.
  await replaceFileWith(to, write, { temporary: `${to}.${process.pid}.part`, sync: false });
  process.stderr.write(`${file} of ${dyno} is in ${to} (${bytes} bytes).\n`);
}
