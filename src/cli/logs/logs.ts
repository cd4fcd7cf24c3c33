import { type Command, InvalidArgumentError, Option } from 'commander';
import { TIME_FORMS } from '../../common/time-expression.ts';
import { withTimes } from '../../logs/query/query-times.ts';
import { readQuery } from '../../logs/query/read-query.ts';
import { APP_OPTION, ApiClient, resolveApp } from '../api-client.ts';
import { printText } from '../format.ts';
import { parseTimeOption } from '../time-options.ts';
import { LogOutput } from './log-output.ts';
import { followAllApps } from './merged-tail.ts';
import { ReplayProgress } from './replay-progress.ts';
import { followTail } from './tail-client.ts';

/** Lines of history, when no other option gives a beginning. */
const DEFAULT_LINE_COUNT = 100;

interface LogsOptions {
  app?: string;
  all?: boolean;
  json?: boolean;
  num?: number;
  source?: string;
  dyno?: string;
  ps?: string;
  level?: string;
  query?: string;
  since?: string;
  until?: string;
  tail?: boolean;
  color?: boolean;
}

/** `tailrace logs [-n 100] [--source app] [--dyno web] [--level error] [-q words] [--since 10m] [--tail]` */
export function logsCommand(program: Command): void {
  program
    .command('logs')
    .alias('log:tail')
    .description("show an app's lines; with --tail, go on as they come")
    .option(...APP_OPTION)
    .option('--all', 'all apps, each line with its app in front')
    .option(
      '-n, --num <lines>',
      `the last so many lines (default: ${DEFAULT_LINE_COUNT}, or all with --since)`,
      parseCount,
    )
    .option('-t, --tail', 'stay, and show lines as they come')
    .option('-s, --source <name>', 'only lines of this source (app, heroku, …); several with commas')
    .option('-d, --dyno <name>', 'only lines of this dyno (web.1), or of all of a type (web)')
    .addOption(new Option('-p, --ps <name>', 'the same as --dyno').hideHelp())
    .addOption(
      new Option('-l, --level <level>', 'only lines at least as serious').choices([
        'error',
        'warn',
        'info',
        'debug',
      ]),
    )
    .option(
      '-q, --query <search>',
      'only lines with these words, "phrases", -without, this OR that, program:web.1, status:>=500, since:1h, /regular expressions/ (docs/search.md)',
    )
    .option('--since <time>', `from then on: ${TIME_FORMS}`, parseTimeOption)
    .option('--until <time>', 'up to then', parseTimeOption)
    .option('--json', 'one JSON object a line, with every field')
    .option('--no-color', 'no colors')
    .action(showLogs);
}

async function showLogs(options: LogsOptions): Promise<void> {
  const client = new ApiClient();
  const search = options.query === undefined ? undefined : readQuery(options.query, '--query');
  const hasStart = options.since !== undefined || search?.since !== undefined;
  const num = options.num ?? (hasStart ? undefined : DEFAULT_LINE_COUNT);
  const query = {
    lines: num?.toString(),
    tail: String(options.tail ?? false),
    source: options.source,
    dyno: options.dyno ?? options.ps,
    level: options.level,
    // Times such as 03:00 are in this machine's zone.
    q: options.query && withTimes(options.query, parseTimeOption),
    since: options.since,
    until: options.until,
    format: options.json ? 'json' : 'text',
  };
  const aborter = new AbortController();
  const signal = aborter.signal;
  for (const [name, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.once(name, () => {
      process.exitCode = status;
      aborter.abort();
    });
  const progress = new ReplayProgress();
  const output = new LogOutput(options.color, progress);
  const printNote = (text: string): void => {
    progress.clear();
    printText(` ›   ${text}`, process.stderr);
  };
  const onDisconnected = (why: string): void => printNote(`connection lost (${why}); reconnecting`);
  const onReconnected = (): void => printNote('connected again');
  try {
    if (options.all) {
      const onLive = (): void => progress.finish();
      const tail = options.tail ?? false;
      const callbacks = { onDisconnected, onReconnected, onNotice: printNote, onLive };
      await followAllApps(client, { query, tail, lineCount: num, output, ...callbacks }, signal);
      return;
    }
    const app = await resolveApp(client, options.app);
    await followTail(
      client.address,
      {
        app,
        query,
        onMessage: (message) => {
          const held = output.write(message.lines);
          progress.update(message);
          return held;
        },
        onDisconnected,
        onReconnected,
        onNotice: printNote,
      },
      signal,
    );
  } finally {
    progress.finish();
  }
}

function parseCount(text: string): number {
  if (!/^\d{1,8}$/.test(text)) throw new InvalidArgumentError('It must be a number of lines.');
  return Number(text);
}
