import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  APP_OPTION,
  ApiClient,
  findServer,
  remoteOption,
  resolveApp,
  serverUrlFromEnvironment,
} from '../api-client.ts';
import { shipFiles } from './ship-files.ts';
import type { ShipDestination, ShipOptions } from './ship-options.ts';
import { shipOutput } from './ship-output.ts';

const TOKEN = /^t\.[\w-]{1,64}$/;

/** `tailrace ship -- COMMAND…`, `tailrace ship --follow FILE…`: the lines of a program or of files, shipped to a server. */
export function shipCommand(program: Command): void {
  program
    .command('ship')
    .description(
      'run a command and ship its output, or follow files: `ship -- COMMAND…`, `ship --follow FILE…`; `… | ship -` ships what it reads',
    )
    .argument(
      '[what...]',
      'the command with its arguments (after --), or with --follow the files; - for stdin',
    )
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option(
      '-s, --source <name>',
      'the name that the lines will carry; its token is made if there is none',
      'app',
    )
    .option('-d, --dyno <name>', "who speaks, in brackets (default: the command's or the file's name)")
    .option('-t, --token <token>', 'a source token instead of an API key (or TAILRACE_TOKEN)')
    .option(
      '-f, --follow',
      "follow files through rotation, instead of running a command: names, FIFOs, and quoted patterns ('logs/*.log') with what will match later",
    )
    .option('--from-start', 'with --follow: ship also what new files hold already')
    .option('--max-files <n>', 'with --follow: files that one pattern may name', '256')
    .option('--tee', 'print the lines too')
    .option(
      '--block',
      'when the server takes no lines and the buffer is full: let the command wait, instead of dropping lines (L12)',
    )
    .option('--batch <lines>', 'lines in one request at the most', '500')
    .option('--wait <time>', 'how long a line waits for others to travel with: 250ms, 1s', '250ms')
    .option('--buffer <MB>', 'lines that wait, in memory or in --spool (default: 8, in --spool 1024)')
    .option(
      '--spool <folder>',
      'keep lines that wait on disk: they outlive this process, and the next one with this folder sends them. With --follow there is always one, with the place in each file (default: $XDG_STATE_HOME/tailrace/ship)',
    )
    .action(async (what: string[], options: ShipOptions) => {
      if (what.length === 0)
        throw new TailraceError(
          'invalid_params',
          'Say what to ship: a command after --, files after --follow, or - for what is piped in.',
        );
      const destination = await findDestination(options);
      // As `tail -f -` reads it.
      const isStdin = what.length === 1 && what[0] === '-';
      process.exitCode =
        options.follow && !isStdin
          ? await shipFiles(what, options, destination)
          : await shipOutput(what, options, destination);
    });
}

async function findDestination(options: ShipOptions): Promise<ShipDestination> {
  const token = options.token ?? process.env.TAILRACE_TOKEN;
  if (token !== undefined) {
    if (!TOKEN.test(token))
      throw new TailraceError(
        'invalid_params',
        'The token must be one that `tailrace tokens:add` has printed: t.…',
      );
    const url = serverUrlFromEnvironment() ?? findServer().url;
    return { url, key: token, token };
  }
  const client = new ApiClient();
  const path = `/apps/${encodeURIComponent(await resolveApp(client, options.app))}/tokens`;
  const tokens = await client.request<{ token: string; source: string }[]>('GET', path);
  const found =
    tokens.find(({ source }) => source === options.source) ??
    (await client.request<{ token: string }>('POST', path, { source: options.source }));
  return { ...client.address, token: found.token };
}
