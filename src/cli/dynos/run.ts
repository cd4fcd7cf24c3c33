import { type Command, Option } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  APP_OPTION,
  ApiClient,
  isGitRemote,
  remoteOption,
  resolveApp,
  resolveEndpoint,
  useGitRemote,
} from '../api-client.ts';
import { printText } from '../format.ts';
import { collectValues, parseVariables } from '../repeated-option.ts';
import { type DynoView, runInTerminal, shellCommandLine } from './attached-terminal.ts';
import { splitTrailingApp } from './trailing-app.ts';

interface RunOptions {
  readonly app?: string;
  readonly env?: readonly string[];
  readonly size?: string;
  readonly type?: string;
  readonly tty: boolean;
}

/** `tailrace run bash`, `run:detached rake db:migrate` */
export function runCommands(program: Command): void {
  const common = (name: string, text: string): Command =>
    program
      .command(`${name} <command...>`)
      .description(text)
      .option(...APP_OPTION)
      .addOption(remoteOption())
      .option('-e, --env <vars>', 'variables for this dyno alone: "A=1;B=2"', collectValues)
      .option('-s, --size <size>', 'its size: standard-2x, performance-m …')
      .addOption(new Option('--no-launcher', 'nothing is put in front of the command').hideHelp())
      .option('--type <type>', 'name it after a process type, which it has the size of')
      // What follows the command belongs to it: `run ls -l`.
      .passThroughOptions();
  const command = 'a command, or a process type and its arguments,';
  common('run', `run ${command} in a dyno of its own, with this terminal`)
    .option('--no-tty', 'no terminal, only pipes')
    .option('-x, --exit-code', "end with the command's status; it always does")
    .addOption(new Option('--no-notify', 'nothing is notified').hideHelp())
    .action(async (words: string[], options: RunOptions) => {
      const wanted = await withTrailingApp(words, options);
      process.exitCode = await runAttached(wanted.words, wanted.options);
    });
  common('run:detached', `run ${command} in the background; what it says is in the stream`)
    .option('-t, --tail', 'stay, and show its lines as they come')
    .action(async (given: string[], givenOptions: RunOptions & { tail?: boolean }) => {
      const { words, options } = await withTrailingApp(given, givenOptions);
      const client = new ApiClient();
      const app = await resolveApp(client, options.app);
      const { size, type } = options;
      const env = parseVariables(options.env);
      const wanted = { attach: false, command: shellCommandLine(words), env, size, type };
      const dyno = await client.request<DynoView>('POST', `/apps/${encodeURIComponent(app)}/dynos`, wanted);
      const done = `Running ${wanted.command} on ${app}... done, ${dyno.name}`;
      const look = `Run tailrace logs -a ${app} --dyno ${dyno.name} to view the output.`;
      printText(givenOptions.tail ? done : `${done}\n${look}`);
      if (givenOptions.tail) await tailDyno(program, app, dyno.name);
    });
}

/** `logs --tail` of one dyno, from its first line on. */
async function tailDyno(program: Command, app: string, dyno: string): Promise<void> {
  const { logsCommands } = await import('../logs/logs.ts');
  if (!program.commands.some((one) => one.name() === 'logs')) logsCommands(program);
  await program.parseAsync(['logs', '--tail', '-a', app, '--dyno', dyno], { from: 'user' });
}

/** `run bash -a shop`, as Heroku's users write it: the app, if there is one of that name, and not two words of the command. */
async function withTrailingApp(
  words: readonly string[],
  options: RunOptions,
): Promise<{ words: readonly string[]; options: RunOptions }> {
  const isMarked = process.argv.includes('--');
  const split = options.app === undefined && !isMarked ? splitTrailingApp(words, isGitRemote) : undefined;
  if (split === undefined) return { words, options };
  const app = split.app ?? useGitRemote(split.remote ?? '');
  try {
    await new ApiClient().request('GET', `/apps/${encodeURIComponent(app)}`);
  } catch (error) {
    if (error instanceof TailraceError && error.code === 'not_found') return { words, options };
    throw error;
  }
  const { noTty } = split;
  return { words: split.words, options: { ...options, app, ...(noTty ? { tty: false } : {}) } };
}

async function runAttached(words: readonly string[], options: RunOptions): Promise<number> {
  const { app, client, path } = await resolveEndpoint(options, '/dynos');
  const { env, size, type } = options;
  const wanted = { env: parseVariables(env), size, type };
  return runInTerminal({ app, client, path }, path, words, { ...wanted, tty: options.tty });
}
