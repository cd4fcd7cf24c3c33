import { type Command, InvalidArgumentError } from 'commander';
import { harmlessJson } from '../tails/sanitize.ts';
import { Client, chooseApp } from './client.ts';
import { Paint, wantsColour } from './paint.ts';
import { followTail } from './tail-client.ts';

interface LogsOptions {
  app?: string;
  json?: boolean;
  num: number;
  source?: string;
  dyno?: string;
  tail?: boolean;
  color?: boolean;
}

/** `tailrace logs [-n 100] [--source app] [--dyno web] [--tail]` */
export function logsCommand(program: Command): void {
  program
    .command('logs')
    .alias('log:tail')
    .description("show an app's lines; with --tail, go on as they come")
    .option('-a, --app <name>', "the app (default: the git remote's, else this folder's)")
    .option('-n, --num <lines>', 'how many lines from before now', parseCount, 100)
    .option('-s, --source <name>', 'only lines of this source (app, heroku, …)')
    .option('-d, --dyno <name>', 'only lines of this dyno (web.1), or of all of a type (web)')
    .option('-p, --ps <name>', 'the same as --dyno')
    .option('-t, --tail', 'stay, and show lines as they come')
    .option('--json', 'one JSON object a line, with every field')
    .option('--no-color', 'no colours')
    .action(async (options: LogsOptions & { ps?: string }) =>
      showLogs({ ...options, dyno: options.dyno ?? options.ps }),
    );
}

async function showLogs(options: LogsOptions): Promise<void> {
  const client = new Client();
  const app = await chooseApp(client, options.app);
  const paint = new Paint(wantsColour(process.stdout, options.color));
  const aborter = new AbortController();
  const stop = (): void => aborter.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await followTail(
    client.address,
    {
      app,
      lines: options.num,
      tail: options.tail ?? false,
      source: options.source,
      dyno: options.dyno,
      format: options.json ? 'json' : 'text',
      onLines: (lines) => process.stdout.write(`${lines.map((line) => show(line, paint)).join('\n')}\n`),
      onNote: (note) => process.stderr.write(` ›   ${note}\n`),
    },
    aborter.signal,
  );
}

function show(line: unknown, paint: Paint): string {
  return typeof line === 'string' ? paint.line(line) : harmlessJson(line);
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a number of lines.');
  return Number(text);
}
