import { type Command, InvalidArgumentError, Option } from 'commander';
import { watchClosedOutput } from '../../common/command-line/closed-output.ts';
import { TailraceError } from '../../common/errors.ts';
import { TIME_FORMS } from '../../common/time-expression.ts';
import { zonedSearch } from '../../logs/query/query-times.ts';
import { readQuery } from '../../logs/query/read-query.ts';
import { LOG_LEVELS, levelByName } from '../../logs/syslog/level.ts';
import { APP_OPTION, ApiClient, remoteOption, resolveApp } from '../api-client.ts';
import { type ColorOption, wantsColor } from '../colorizer.ts';
import { printText } from '../format.ts';
import { parseTimeOption } from '../time-options.ts';
import { explainNoLines } from './explain-no-lines.ts';
import { type LineStyle, TIME_STYLES, type TimeStyle } from './line-formatter.ts';
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
  lines?: number;
  source?: string;
  dyno?: string;
  ps?: string;
  dynoName?: string;
  processType?: string;
  forceColors?: boolean;
  level?: string;
  events: boolean;
  query?: string;
  since?: string;
  until?: string;
  tail?: boolean;
  follow?: boolean;
  color?: boolean;
  time: TimeStyle;
  fields?: boolean;
  template?: string;
}

/** `tailrace logs [web.1] [-n 100] [--source app] [--level error] [-q words] [--since 10m] [--follow]`, and `tailrace tail`, which stays. */
export function logsCommands(program: Command): void {
  addLogOptions(
    program
      .command('logs [dyno...]')
      .alias('log:tail')
      .description("show an app's lines, or those of some dynos; with --tail, go on as they come"),
  )
    .option('-t, --tail', 'stay, and show lines as they come')
    .option('-f, --follow', 'the same as --tail')
    .action((dynos: string[], options: LogsOptions) =>
      showLogs(dynos, options, (options.tail ?? false) || (options.follow ?? false)),
    );
  addLogOptions(
    program.command('tail [dyno...]').description("show an app's last lines, and go on as they come"),
  ).action((dynos: string[], options: LogsOptions) => showLogs(dynos, options, true));
}

function addLogOptions(command: Command): Command {
  return command
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('--all', 'all apps, each line with its app in front')
    .option(
      '-n, --num <lines>',
      `the last so many lines (default: ${DEFAULT_LINE_COUNT}, or all with --since)`,
      parseCount,
    )
    .addOption(new Option('--lines <lines>', 'the same as --num').argParser(parseCount).hideHelp())
    .addOption(new Option('--dyno-name <name>', 'the same as --dyno').hideHelp())
    .addOption(new Option('--process-type <name>', 'the same as --dyno').hideHelp())
    .option('-s, --source <name>', 'only lines of this source (app, heroku, …); several with commas')
    .option('-d, --dyno <name>', 'only lines of this dyno (web.1), or of all of a type (web)')
    .addOption(new Option('-p, --ps <name>', 'the same as --dyno').hideHelp())
    .addOption(
      new Option('-l, --level <level>', 'only lines at least as serious')
        .choices(LOG_LEVELS)
        .argParser(parseLevelOption),
    )
    .option(
      '-q, --query <search>',
      'only lines with these words, "phrases", -without, this OR that, program:web.1, status:>=500, since:1h, /regular expressions/ (docs/search.md)',
    )
    .option('--no-events', 'only the lines that match themselves, not all of their stack traces')
    .option('--since <time>', `from then on: ${TIME_FORMS}`, parseTimeOption)
    .option('--until <time>', 'up to then', parseTimeOption)
    .addOption(
      new Option('--time <style>', 'times as they were sent, in local time, as local time of day, or without')
        .choices(TIME_STYLES)
        .default('utc'),
    )
    .option('--fields', "with each line's structured data behind it")
    .option(
      '--template <text>',
      "show lines so: '{time} {level} {dyno} {message}'; also {source} {host} {fields} {app} {msgid} {position}",
    )
    .option('-j, --json', 'one JSON object a line, with every field')
    .addOption(new Option('--force-colors', 'colors, also where no terminal is').hideHelp())
    .option('--no-color', 'no colors');
}

async function showLogs(dynos: readonly string[], options: LogsOptions, tail: boolean): Promise<void> {
  const client = new ApiClient();
  const search = options.query === undefined ? undefined : readQuery(options.query, '--query');
  await assertPatterns(options.query);
  const hasStart = options.since !== undefined || search?.since !== undefined;
  const num = options.num ?? options.lines ?? (hasStart ? undefined : DEFAULT_LINE_COUNT);
  // Heroku's command has two of them; what both would let through is a dyno of that type.
  const namedDynos = [options.dyno, options.ps, options.dynoName, options.processType].flatMap(
    (name) => name ?? [],
  );
  const dyno = [...dynos, ...namedDynos].join(',');
  const style = lineStyle(options);
  const query = {
    lines: num?.toString(),
    tail: String(tail),
    source: options.source,
    dyno: dyno || undefined,
    level: options.level,
    events: options.events ? undefined : 'false',
    q: options.query && zonedSearch(options.query, Date.now()),
    since: options.since,
    until: options.until,
    format: options.json || style ? 'json' : 'text',
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
  // `| head` has seen enough, also when no other line comes.
  if (tail) watchClosedOutput(() => process.exit(0));
  const progress = new ReplayProgress();
  const output = new LogOutput(colorOption(options), progress, style);
  const printNote = (text: string): void => {
    progress.clear();
    printText(` ›   ${text}`, process.stderr);
  };
  const onDisconnected = (why: string): void => printNote(`connection lost (${why}); reconnecting`);
  const onReconnected = (): void => printNote('connected again');
  try {
    if (options.all) {
      const onLive = (): void => progress.finish();
      const callbacks = { onDisconnected, onReconnected, onNotice: printNote, onLive };
      await followAllApps(client, { query, tail, lineCount: num, output, ...callbacks }, signal);
      return;
    }
    const app = await resolveApp(client, options.app);
    const explain = async (): Promise<void> => {
      if (!signal.aborted) printNote(await explainNoLines(client, app, query));
    };
    let hasLines = false;
    const appId = tail ? await idOf(client, app) : undefined;
    await followTail(
      client.address,
      {
        app,
        appId,
        query,
        onMessage: (message) => {
          const held = output.write(message.lines);
          hasLines ||= message.lines.length > 0;
          progress.update(message);
          // Whoever waits for what can't come should hear of it.
          if (message.live && !hasLines && dyno && process.stderr.isTTY) void explain();
          return held;
        },
        onDisconnected,
        onReconnected,
        onNotice: printNote,
      },
      signal,
    );
    progress.finish();
    if (!hasLines && !tail && num !== 0) await explain();
  } finally {
    progress.finish();
  }
}

/** The app's id; undefined when it isn't told: what is wrong the tail says itself. */
async function idOf(client: ApiClient, app: string): Promise<string | undefined> {
  try {
    return (await client.request<{ id: string }>('GET', `/apps/${encodeURIComponent(app)}`)).id;
  } catch {
    return undefined;
  }
}

/** The server reads a search as it was sent, and knows neither the option nor where what is wrong stood in it. */
async function assertPatterns(query: string | undefined): Promise<void> {
  if (!query?.includes('/')) return;
  // What reads regular expressions takes 30 ms to load.
  const { prepareQuery } = await import('../../logs/query/query-matcher.ts');
  prepareQuery(query, '--query');
}

/** How lines are shown; undefined: as the server writes them, as text or JSON. */
function lineStyle(options: LogsOptions): LineStyle | undefined {
  const { time, fields = false, template } = options;
  if (options.json) {
    if (fields || template !== undefined || time !== 'utc')
      throw new TailraceError(
        'invalid_params',
        '--json has every field as it is: use it without --time, --fields and --template.',
      );
    return undefined;
  }
  const isPlain = time === 'utc' && !fields && template === undefined;
  // The levels, which colors show, come with the fields.
  return isPlain && !wantsColor(process.stdout, colorOption(options))
    ? undefined
    : { time, fields, template };
}

function colorOption({ color, forceColors }: LogsOptions): ColorOption {
  return color && forceColors ? 'always' : color;
}

function parseLevelOption(text: string): string {
  const level = levelByName(text);
  if (!level) throw new InvalidArgumentError(`Allowed choices are ${LOG_LEVELS.join(', ')}.`);
  return level;
}

function parseCount(text: string): number {
  if (!/^\d{1,8}$/.test(text))
    throw new InvalidArgumentError('It must be a number of lines, 99999999 at the most.');
  return Number(text);
}
