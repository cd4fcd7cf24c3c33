/** `viewer search`: lines of a running viewer in the terminal. Its exit code is grep's: 0 found, 1 nothing found, 2 an error. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { type BackoffRange, backoffMs } from '../../../src/common/backoff.ts';
import { watchClosedOutput } from '../../../src/common/command-line/closed-output.ts';
import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import { zonedTime } from '../../../src/common/time-expression.ts';
import { zonedSearch } from '../../../src/logs/query/query-times.ts';
import { searchHint } from '../../../src/logs/query/search-hint.ts';
import { sanitize, terminalSafeJson } from '../../../src/logs/tails/output/sanitize.ts';
import {
  type ApiGroup,
  type ClientOptions,
  collect,
  findByName,
  RefusedForNow,
  ViewerClient,
} from './viewer-client.ts';
import { writeNotice } from './viewer-notice.ts';

export const SEARCH_FAILED = 2;
const NOTHING_FOUND = 1;
const PAGE_LINES = 1_000;
/** Of counts: a few steps are enough for all of time. */
const LONG_STEP_S = 100_000_000;
/** After a connection was lost, `--follow` goes on where it was. */
const RETRY: BackoffRange = { firstMs: 1_000, maxMs: 30_000 };
const SILENCE_TIMEOUT_MS = 40_000;

interface SearchOptions extends ClientOptions {
  readonly group: readonly string[];
  readonly stream: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly lines: number;
  readonly follow?: boolean;
  readonly count?: boolean;
  readonly json?: boolean;
  readonly events?: boolean;
  readonly archive?: boolean;
}

interface ApiLine {
  readonly stream: string;
  /** Of an archive: what the stream was called. */
  readonly app?: string;
  readonly position: string;
  readonly timestamp: string;
  readonly source: string;
  readonly dyno: string;
  readonly message: string;
  /** False: it is there for the event that it is of. */
  readonly matches?: false;
}

interface Page {
  readonly lines: readonly ApiLine[];
  readonly before?: string;
  readonly tail?: string;
  /** Of an archive: files that could not be read. */
  readonly problems?: readonly string[];
}

interface Counts {
  readonly buckets: readonly { readonly error: number; readonly warning: number; readonly other: number }[];
  /** There was no time for all lines. */
  readonly partial?: true;
}

interface Count {
  readonly count: number;
  readonly partial?: true;
}

export function addSearchCommand(program: Command): void {
  program
    .command('search [query...]')
    .description('print the lines of a running viewer that match, oldest first')
    .exitOverride()
    .option('--url <url>', 'the viewer (VIEWER_URL; http://127.0.0.1:8620)')
    .option('--key <key>', "an API key; better in VIEWER_KEY, which others on this machine can't see")
    .option('-g, --group <name>', 'only this group, by name or id; may be repeated', collect, [])
    .option('-s, --stream <name>', 'only this stream, by name or id; may be repeated', collect, [])
    .option('--since <time>', 'lines from this time on: 2h, yesterday, 2026-01-31T12:00:00Z')
    .option('--until <time>', 'lines before this time')
    .option(
      '-n, --lines <number>',
      'the last so many lines that match; 0 for none before --follow',
      parseLines,
      100,
    )
    .option('-f, --follow', 'go on with what comes')
    .option('-e, --events', 'whole stack traces, when one of their lines matches')
    .option('-c, --count', 'only how many lines match')
    .option('--json', 'one JSON object a line')
    .option('--archive', 'in the files of the archive, where they are: what is older than what is kept')
    .action(async (words: readonly string[], options: SearchOptions) => {
      process.exitCode = await search(words.join(' '), options);
    });
}

async function search(q: string, options: SearchOptions): Promise<number> {
  if (options.follow && options.until !== undefined)
    throw new TailraceError(
      'invalid_params',
      "--until ends before what is still to come: it can't be used with --follow.",
    );
  if (options.archive && options.follow)
    throw new TailraceError('invalid_params', "--archive searches what was: it can't be used with --follow.");
  if (options.archive && options.events)
    throw new TailraceError(
      'invalid_params',
      "--archive finds lines by themselves: it can't be used with --events.",
    );
  if (options.count && (options.archive || options.follow || options.events))
    throw new TailraceError(
      'invalid_params',
      "--count counts lines that are kept: it can't be used with --archive, --events or --follow.",
    );
  const client = new SearchClient(options, options.archive ? 'api/archives/search' : 'api/search');
  const groups = await client.get<readonly ApiGroup[]>('api/groups');
  const { names, parameters } = select(groups, options);
  const nowMs = Date.now();
  parameters.set('q', zonedSearch(q, nowMs));
  if (options.events) parameters.set('events', 'yes');
  const showsStream = names.size > 1;
  let found = 0;
  const print = (lines: readonly ApiLine[]): void => {
    found += lines.length;
    for (const line of lines)
      process.stdout.write(
        options.json
          ? `${terminalSafeJson(line)}\n`
          : `${showsStream ? `${sanitize(names.get(line.stream) ?? line.app ?? line.stream)} ` : ''}${textOf(line)}\n`,
      );
  };
  const range = new URLSearchParams(parameters);
  const { since, until } = options;
  if (since !== undefined) range.set('from', zonedTime(since, nowMs) ?? since);
  if (until !== undefined) range.set('to', zonedTime(until, nowMs) ?? until);
  if (options.count) return printCount(await client.count(range), options);
  const { lines, tail } = await client.lastLines(range, options.lines);
  print(lines);
  // `| head` has seen enough, also when no other line comes.
  if (options.follow) watchClosedOutput(() => process.exit(0));
  if (options.follow) await client.follow(parameters, tail, print);
  if (found > 0) return 0;
  const hint = searchHint(q);
  if (hint !== undefined) writeNotice(hint);
  return NOTHING_FOUND;
}

/** Prints how many lines match, and says when there was no time to count all of them. */
function printCount({ count, partial }: Count, { json }: SearchOptions): number {
  process.stdout.write(json ? `${JSON.stringify({ count, partial })}\n` : `${count}\n`);
  if (partial)
    writeNotice(
      'not all lines were counted, since that would have taken too long: there are at least so many. Ask for a shorter time with --since.',
    );
  if (count > 0) return 0;
  return partial ? SEARCH_FAILED : NOTHING_FOUND;
}

/** What is asked for, by name or id. @throws TailraceError `not_found` */
function select(
  groups: readonly ApiGroup[],
  { group, stream }: SearchOptions,
): { names: Map<string, string>; parameters: URLSearchParams } {
  const parameters = new URLSearchParams();
  const named = group.map((text) => findByName(groups, text, 'group'));
  const among = (named.length > 0 ? named : groups).flatMap(({ streams }) => streams);
  const streams = stream.map((text) => findByName(among, text, 'stream'));
  if (streams.length > 0) for (const { id } of streams) parameters.append('stream', id);
  else for (const { id } of named) parameters.append('group', id);
  return {
    names: new Map((streams.length > 0 ? streams : among).map(({ id, name }) => [id, name])),
    parameters,
  };
}

function textOf({ timestamp, source, dyno, message }: ApiLine): string {
  return `${sanitize(timestamp)} ${sanitize(source)}[${sanitize(dyno)}]: ${sanitize(message)}`;
}

class SearchClient extends ViewerClient {
  private readonly path: string;

  constructor(options: ClientOptions, path: string) {
    super(options);
    this.path = path;
  }

  /** The last lines that match, oldest first, and where a tail goes on behind them. */
  async lastLines(
    parameters: URLSearchParams,
    count: number,
  ): Promise<{ lines: readonly ApiLine[]; tail: string | undefined }> {
    const pages: (readonly ApiLine[])[] = [];
    let tail: string | undefined;
    let before: string | undefined;
    const problems = new Set<string>();
    const known = new Set<string>();
    for (let left = count; ; ) {
      const page = new URLSearchParams(parameters);
      page.set('limit', String(Math.max(1, Math.min(left, PAGE_LINES))));
      if (before !== undefined) page.set('before', before);
      const result = await this.get<Page>(`${this.path}?${page}`);
      tail ??= result.tail;
      for (const problem of result.problems ?? [])
        if (problems.size < problems.add(problem).size) writeNotice(sanitize(problem));
      before = result.before;
      // An event that goes over the end of a page is in both.
      const lines = parameters.has('events')
        ? result.lines.filter(({ stream, position }) => known.size < known.add(`${stream} ${position}`).size)
        : result.lines;
      if (count > 0) pages.push(lines.toReversed());
      left -= lines.filter(({ matches }) => matches !== false).length;
      if (left <= 0 || before === undefined) break;
    }
    return { lines: pages.reverse().flat(), tail };
  }

  /** How many lines match; without a time all that are kept. */
  async count(parameters: URLSearchParams): Promise<Count> {
    const range = new URLSearchParams({ from: new Date(0).toISOString(), step: String(LONG_STEP_S) });
    for (const [name, value] of parameters) {
      if (name === 'from') range.delete(name);
      range.append(name, value);
    }
    const { buckets, partial } = await this.get<Counts>(`api/counts?${range}`);
    const count = buckets.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0);
    return { count, partial };
  }

  /** Goes on forever, also over a viewer's restart; ends when it is refused. */
  async follow(
    parameters: URLSearchParams,
    tail: string | undefined,
    print: (lines: readonly ApiLine[]) => void,
  ): Promise<void> {
    let after = tail;
    let isLost = false;
    for (let attempt = 1; ; attempt++) {
      let retryAfterMs = 0;
      let detail = 'closed';
      // Of a connection that broke without a word nothing is heard: the viewer sends something every 15 s.
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), SILENCE_TIMEOUT_MS);
      try {
        const query = new URLSearchParams(parameters);
        if (after !== undefined) query.set('after', after);
        const response = await this.request(
          `api/tail?${query}`,
          { accept: 'text/event-stream' },
          { signal: silence.signal },
        );
        attempt = 1;
        if (isLost) writeNotice('connected again');
        isLost = false;
        const body = Readable.fromWeb(response.body as import('node:stream/web').ReadableStream);
        for await (const row of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
          timer.refresh();
          if (!row.startsWith('data: ')) continue;
          const message = JSON.parse(row.slice(6)) as {
            after: string;
            lines: readonly ApiLine[];
            notice?: string;
          };
          if (message.notice !== undefined) writeNotice(sanitize(message.notice));
          print(message.lines);
          after = message.after;
        }
      } catch (error) {
        if (error instanceof TailraceError && error.status < 500) throw error;
        if (error instanceof RefusedForNow) retryAfterMs = error.retryAfterMs;
        detail = silence.signal.aborted ? 'nothing came for a while' : reasonOf(error);
      } finally {
        clearTimeout(timer);
      }
      if (!isLost || retryAfterMs > RETRY.maxMs)
        writeNotice(`connection lost (${sanitize(detail)}); reconnecting`);
      isLost = true;
      const waitMs = Math.max(backoffMs(attempt, RETRY), retryAfterMs);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function parseLines(text: string): number {
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return number;
}
