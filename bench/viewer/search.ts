/**
 * What is found in the viewer's store, by a process of its own that has just started, beside other programs on the same lines: zgrep, ripgrep, SQLite's FTS5
 * and lnav, as far as they are installed.
 *
 *   node dist/bench/viewer/search.js [--lines 5000000] [--others 2000000] [--runs 3]
 *
 * Fifty million lines take 12 GB as text, of which nothing is written beyond `--others`, and 3 GB in the store. Everything is removed at the end.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LineSelection } from '../../drains/viewer/store/contract.ts';
import { openLineStore } from '../../drains/viewer/store/open-line-store.ts';
import { parseQuery } from '../../src/logs/query/query-parser.ts';
import type { AppId } from '../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../src/logs/store/embedded/embedded-store.ts';
import { RecordCursor } from '../../src/logs/syslog/batch.ts';
import { peakResidentBytes } from '../rig/proc.ts';
import { makeFolder, removeFolder } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { ChangingLines } from './changing-lines.ts';
import { batchOfLines, LogLines } from './log-lines.ts';

const STREAM = '00000000-0000-4000-8000-000000000001' as AppId;
const BATCH_LINES = 1_000;
/** Lines that are made anew; they are sent again with other times and ids. */
const TEMPLATE_LINES = 200_000;
const START_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
/** The time that all lines are in. */
const SPAN_MS = 3 * DAY_MS;
/** As many lines may wait to be packed as the stream's retention lets. */
const UNPACKED_MAX = 700_000;
const RARE = 'kraken';

/** What is measured: its name, what is wanted of 50 million lines, and by which command the others find the same. */
const SEARCHES = [
  { name: 'a rare word', wanted: '1 s' },
  { name: 'the last 100 of a common phrase', wanted: '100 ms' },
  { name: 'counts a minute over all', wanted: '2 s' },
  { name: 'counts a minute of a common word', wanted: '2 s' },
  { name: 'group by status, a day', wanted: '2 s' },
  { name: 'group by status of severity:error, a day', wanted: '2 s' },
] as const;
type SearchName = (typeof SEARCHES)[number]['name'];

interface Built {
  readonly rawBytes: number;
  readonly diskBytes: number;
  readonly cpuSeconds: number;
}

/** What the process says that has searched; times in ms. */
interface Searched {
  readonly startMs: number;
  readonly peakBytes: number;
  readonly walls: Readonly<Record<string, readonly number[]>>;
  readonly cpus: Readonly<Record<string, readonly number[]>>;
}

/** Another program on a file of text. */
interface Other {
  readonly name: string;
  readonly program: string;
  /** Bytes that it needs for the lines. */
  readonly bytes: number;
  /** The command of each thing that it can find. */
  readonly commands: Partial<Record<SearchName, readonly string[]>>;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { lines: 5_000_000, others: 2_000_000, runs: 3 }, ['search']);
  const folder = makeFolder('search');
  try {
    const others = Math.min(flags.others, flags.lines);
    const text = join(folder, 'lines.log');
    const built = await build(folder, flags.lines, text, others);
    logProgress(`${formatInteger(flags.lines)} lines are stored`);
    const searched = searchedByAnother(folder, flags.runs);
    const programs = others > 0 ? otherPrograms(folder, text) : [];
    const times = programs.map((one) => ({ one, ms: timesOf(one, flags.runs) }));
    const rawOfOthers = others > 0 ? statSync(text).size : 0;
    const row = (name: string, wanted: string, own: string, ofOthers: readonly string[]): string[] => [
      name,
      wanted,
      own,
      ...ofOthers,
    ];
    const none = programs.map(() => '');
    return {
      title: `${formatInteger(flags.lines)} lines in the viewer's store, searched`,
      note: [
        `Lines of a router, logfmt, JSON and stack traces, ${formatDecimal(built.rawBytes / 1e9, 1)} GB; a process that has just started, medians of ${flags.runs} (wall-clock, and CPU of all threads).`,
        `The other programs have the first ${formatInteger(others)} lines, ${formatDecimal(rawOfOthers / 1e9, 2)} GB.`,
      ].join('\n'),
      columns: ['', 'wanted', 'viewer', ...programs.map(({ name }) => name)],
      rows: [
        row(
          'disk, of the lines',
          '0.25',
          formatDecimal(built.diskBytes / built.rawBytes, 3),
          programs.map(({ bytes }) => formatDecimal(bytes / rawOfOthers, 3)),
        ),
        row(
          'stored and packed, µs of CPU a line',
          '',
          formatDecimal((built.cpuSeconds / flags.lines) * 1e6),
          none,
        ),
        row('start', '1 s', formatMs(searched.startMs), none),
        row('memory at the most', '400 MB', formatMegabytes(searched.peakBytes), none),
        ...SEARCHES.map(({ name, wanted }) =>
          row(
            name,
            wanted,
            `${formatMs(median(searched.walls[name]))} (${formatMs(median(searched.cpus[name]))})`,
            times.map(({ ms }) => (ms[name] === undefined ? '' : formatMs(ms[name]))),
          ),
        ),
      ],
    };
  } finally {
    removeFolder(folder);
  }
}

function formatMs(ms: number): string {
  return ms < 10_000 ? `${formatInteger(ms)} ms` : `${formatDecimal(ms / 1_000, 1)} s`;
}

function openStreams(folder: string): EmbeddedStore {
  return new EmbeddedStore({
    folder: join(folder, 'streams'),
    retention: { lines: 1e9, bytes: 256 * 1_048_576, ageMs: 1e12 },
    durability: 'process',
  });
}

/** Stores and packs the lines, and writes the first of them as text. */
async function build(folder: string, lines: number, textPath: string, textLines: number): Promise<Built> {
  const source = new LogLines(1, START_MS, SPAN_MS / lines);
  const templates = Array.from({ length: TEMPLATE_LINES / BATCH_LINES }, () =>
    batchOfLines(Array.from({ length: BATCH_LINES }, () => source.next())),
  );
  const rareAt = [0.05, 0.31, 0.77].map((share) => Math.floor((lines * share) / BATCH_LINES));
  const changing = new ChangingLines();
  const streams = openStreams(folder);
  const store = await openLineStore({ folder: join(folder, 'parts'), store: streams });
  await store.follow(STREAM);
  const text = openSync(textPath, 'w');
  let rawBytes = 0;
  let making = 0;
  const cpu = process.cpuUsage();
  for (let batch = 0; batch * BATCH_LINES < lines; batch++) {
    const before = process.cpuUsage();
    const startMs = START_MS + ((batch * BATCH_LINES) / lines) * SPAN_MS;
    const made = rareAt.includes(batch)
      ? batchOfLines([
          `<190>1 ${new Date(startMs).toISOString()} host app web.1 - - the ${RARE} has been seen`,
        ])
      : changing.change(templates[batch % templates.length], startMs, (SPAN_MS / lines) * BATCH_LINES);
    const line = new RecordCursor(made.bytes);
    const texts: string[] = [];
    while (line.advance()) {
      rawBytes += line.textEnd - line.textStart + 1;
      if (batch * BATCH_LINES < textLines)
        texts.push(made.bytes.toString('latin1', line.textStart, line.textEnd));
    }
    if (texts.length > 0) writeSync(text, `${texts.join('\n')}\n`, null, 'latin1');
    const { user, system } = process.cpuUsage(before);
    making += user + system;
    await streams.append(STREAM, made);
    while (batch * BATCH_LINES - store.packedThrough(STREAM) > UNPACKED_MAX)
      await new Promise((resolve) => setTimeout(resolve, 5));
    if (batch % 1_000 === 999) logProgress(`${formatInteger((batch + 1) * BATCH_LINES)} lines`);
  }
  closeSync(text);
  await store.seal(STREAM);
  const { user, system } = process.cpuUsage(cpu);
  const [{ diskBytes }] = await store.summaries();
  await store.close();
  await streams.close();
  // What another thread did while lines were made counts as their making: this is rather too low.
  return { rawBytes, diskBytes, cpuSeconds: (user + system - making) / 1e6 };
}

/** In a process of its own, so that its memory and its start are those of a store that is opened. */
function searchedByAnother(folder: string, runs: number): Searched {
  const program = fileURLToPath(import.meta.url);
  const printed = execFileSync(process.execPath, [program, '--search', folder, '--runs', String(runs)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(printed) as Searched;
}

async function search(folder: string, runs: number): Promise<Searched> {
  const openedMs = performance.now();
  const streams = openStreams(folder);
  const store = await openLineStore({ folder: join(folder, 'parts'), store: streams });
  await store.ready;
  const all = { streams: [STREAM] };
  await store.search({ ...all, direction: 'before', limit: 100 });
  const startMs = performance.now() - openedMs;
  const day = { fromMs: START_MS + DAY_MS, toMs: START_MS + 2 * DAY_MS };
  const grouped = { ...all, ...day, field: 'status', limit: 20 };
  const searches: Readonly<Record<SearchName, () => Promise<unknown>>> = {
    'a rare word': () => store.search({ ...all, ...query(RARE), direction: 'before', limit: 100 }),
    'the last 100 of a common phrase': () =>
      store.search({ ...all, ...query('"checkout of"'), direction: 'before', limit: 100 }),
    'counts a minute over all': () => store.counts({ ...all, stepMs: 60_000 }),
    'counts a minute of a common word': () => store.counts({ ...all, ...query('checkout'), stepMs: 60_000 }),
    'group by status, a day': () => store.fieldValues(grouped),
    'group by status of severity:error, a day': () =>
      store.fieldValues({ ...grouped, ...query('severity:error') }),
  };
  const walls: Record<string, number[]> = {};
  const cpus: Record<string, number[]> = {};
  for (const [name, run] of Object.entries(searches)) {
    walls[name] = [];
    cpus[name] = [];
    for (let i = 0; i < runs; i++) {
      const beganMs = performance.now();
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      walls[name].push(performance.now() - beganMs);
      cpus[name].push((user + system) / 1_000);
    }
  }
  const peakBytes = peakResidentBytes(process.pid);
  await store.close();
  await streams.close();
  return { startMs, peakBytes, walls, cpus };
}

function query(q: string): Pick<LineSelection, 'query'> {
  const { expression } = parseQuery(q);
  return expression ? { query: expression } : {};
}

/** Those that are installed, with what they need. */
function otherPrograms(folder: string, text: string): Other[] {
  const programs: Other[] = [];
  const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
  const packed = join(folder, 'lines.log.gz');
  const bytes = statSync(text).size;
  const shell = (command: string): readonly string[] => ['-c', command];
  const ofShell = (rare: string, last: string, counts: string): Other['commands'] => ({
    'a rare word': shell(rare),
    'the last 100 of a common phrase': shell(last),
    'counts a minute of a common word': shell(counts),
  });
  const byMinute = "cut -d' ' -f2 | cut -c1-16 | uniq -c > /dev/null";
  if (has('gzip')) {
    execFileSync('sh', ['-c', `gzip -k -6 '${text}'`]);
    const packedBytes = statSync(packed).size;
    programs.push({
      name: 'zgrep',
      program: 'sh',
      bytes: packedBytes,
      commands: ofShell(
        `zgrep -c ${RARE} '${packed}'`,
        `zgrep 'checkout of' '${packed}' | tail -100 > /dev/null`,
        `zgrep checkout '${packed}' | ${byMinute}`,
      ),
    });
  }
  if (has('rg'))
    programs.push({
      name: 'ripgrep',
      program: 'sh',
      bytes,
      commands: ofShell(
        `rg -c ${RARE} '${text}'`,
        `rg 'checkout of' '${text}' | tail -100 > /dev/null`,
        `rg checkout '${text}' | ${byMinute}`,
      ),
    });
  if (has('sqlite3')) {
    const database = join(folder, 'lines.db');
    // Words, as unicode61 cuts them: trigrams, which find fragments as the viewer does, take three times the lines' size.
    execFileSync('sqlite3', [database], {
      input: `pragma journal_mode=off; pragma synchronous=off;\ncreate virtual table lines using fts5(line);\n.mode ascii\n.separator "\\037" "\\n"\n.import ${text} lines\n`,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const sql = (statement: string): readonly string[] => [database, statement];
    programs.push({
      name: 'SQLite FTS5',
      program: 'sqlite3',
      bytes: statSync(database).size,
      commands: {
        'a rare word': sql(`select count(*) from lines where lines match '${RARE}'`),
        'the last 100 of a common phrase': sql(
          `select count(*) from (select line from lines where lines match '"checkout of"' order by rowid desc limit 100)`,
        ),
        'counts a minute over all': sql(
          `select count(*) from (select substr(line, instr(line, ' ') + 1, 16) m, count(*) from lines group by m)`,
        ),
        'counts a minute of a common word': sql(
          `select count(*) from (select substr(line, instr(line, ' ') + 1, 16) m, count(*) from lines where lines match 'checkout' group by m)`,
        ),
      },
    });
  }
  if (has('lnav'))
    programs.push({
      name: 'lnav',
      program: 'lnav',
      bytes,
      commands: { 'a rare word': ['-n', '-c', `:filter-in ${RARE}`, text] },
    });
  return programs;
}

function timesOf({ name, program, commands }: Other, runs: number): Partial<Record<SearchName, number>> {
  const times: Partial<Record<SearchName, number>> = {};
  for (const [search, command] of Object.entries(commands)) {
    const walls = Array.from({ length: runs }, () => {
      const beganMs = performance.now();
      const { status } = spawnSync(program, command, { stdio: ['ignore', 'ignore', 'ignore'] });
      // 1: it has found nothing, since the rare word comes later than what the others have.
      if (status !== 0 && status !== 1) throw new Error(`${name}: ${command.join(' ')} ended with ${status}`);
      return performance.now() - beganMs;
    });
    times[search as SearchName] = median(walls);
    logProgress(`${name}, ${search}: ${formatMs(median(walls))}`);
  }
  return times;
}

const searchFlag = process.argv.indexOf('--search');
if (searchFlag !== -1) {
  const { runs } = parseFlags(process.argv.slice(2), { runs: 3 }, ['search']);
  process.stdout.write(JSON.stringify(await search(process.argv[searchFlag + 1], runs)));
} else await runIfMain(import.meta.url, measure);
