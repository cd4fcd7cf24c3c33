/**
 * What alerts cost while lines come in: a real viewer takes lines over HTTP, with no alert and with a thousand, by turns. With --only it is measured without alerts and
 * with those of one kind.
 *
 *   node dist/bench/viewer/alerts.js [--lines 1000000] [--runs 3] [--searches 1000] [--only mixed]
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { cpuSeconds, peakResidentBytes } from '../rig/proc.ts';
import { makeFolder, ROOT, removeFolder, start, stop } from '../rig/processes.ts';
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
import { makeAlertLine, randomNumbers } from './alert-lines.ts';
import { SEARCH_KINDS } from './alert-searches.ts';

const KEY = 'a-key-of-the-measurement';
const LINES_A_REQUEST = 500;
const BODIES = 100;
const CONNECTIONS = 8;
const WARM_UP_LINES = 200_000;
const GROUPS = 50;
/** It has nothing to do when it has used less than so much processor time in so long. */
const REST_CPU_S = 0.03;
const REST_MS = 1_500;
const CASES = ['none', 'words', 'groups', 'mixed', 'even', 'compared'] as const;
type Case = (typeof CASES)[number];

const NAMES: Readonly<Record<Case, string>> = {
  none: 'no alerts',
  words: 'words and phrases, one group',
  groups: `all kinds, in ${GROUPS} groups`,
  mixed: 'all kinds, one group',
  even: 'as many of each kind, one group',
  compared: 'comparisons alone, one group',
};

interface Run {
  readonly linesPerS: number;
  readonly cpuPerMillion: number;
  readonly peakBytes: number;
}

interface Viewer {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { lines: 1_000_000, runs: 3, searches: 1_000 }, ['only']);
  const cases = CASES.filter((one) => !flags.only || one === 'none' || one === flags.only);
  const results = new Map<Case, Run[]>(cases.map((one) => [one, []]));
  // By turns, since the machine is never the same for long.
  for (let round = 1; round <= flags.runs; round++)
    for (const one of cases) {
      const run = await runOnce(one, flags.lines, flags.searches);
      results.get(one)!.push(run);
      logProgress(
        `${NAMES[one]}, run ${round}: ${formatInteger(run.linesPerS)} lines/s, ${formatDecimal(run.cpuPerMillion)} CPU s a million lines`,
      );
    }
  const middle = (one: Case, of: (run: Run) => number): number => median((results.get(one) ?? []).map(of));
  const base = middle('none', (run) => run.cpuPerMillion);
  return {
    title: `what ${formatInteger(flags.searches)} searches with alerts cost`,
    note: [
      `Router lines, logfmt, JSON and stack traces of 220 bytes, in requests of ${LINES_A_REQUEST} lines to /logs, ${formatInteger(flags.lines)} lines a run; medians of ${flags.runs} runs.`,
      'Processor time of the viewer, until the last line is stored and packed, and was looked at for all alerts.',
    ].join('\n'),
    columns: ['', 'lines/s', 'CPU s a million lines', 'more than without', 'peak memory'],
    rows: cases.map((one) => {
      const cpu = middle(one, (run) => run.cpuPerMillion);
      return [
        NAMES[one],
        formatInteger(middle(one, (run) => run.linesPerS)),
        formatDecimal(cpu),
        one === 'none' ? '' : `${Math.round((cpu / base - 1) * 100)} %`,
        formatMegabytes(middle(one, (run) => run.peakBytes)),
      ];
    }),
  };
}

async function runOnce(one: Case, lines: number, searches: number): Promise<Run> {
  const viewer = await startViewer();
  try {
    const tokens = await prepare(viewer, one, searches);
    await send(viewer, tokens, WARM_UP_LINES);
    await evaluated(viewer);
    await packed(viewer);
    const cpuBefore = cpuSeconds(viewer.pid);
    const beganMs = performance.now();
    await send(viewer, tokens, lines);
    await evaluated(viewer);
    const seconds = (performance.now() - beganMs) / 1_000;
    await packed(viewer);
    return {
      linesPerS: lines / seconds,
      cpuPerMillion: ((cpuSeconds(viewer.pid) - cpuBefore) / lines) * 1e6,
      peakBytes: peakResidentBytes(viewer.pid),
    };
  } finally {
    await viewer.stop();
  }
}

/** Makes groups, searches and alerts; returns the groups' tokens. */
async function prepare(viewer: Viewer, one: Case, searches: number): Promise<string[]> {
  const count = one === 'groups' ? GROUPS : 1;
  const groups: { id: string; token: string }[] = [];
  for (let i = 0; i < count; i++) groups.push(await call(viewer, '/api/groups', { name: `bench ${i}` }));
  let next = one === 'none' ? searches : 0;
  const query = SEARCH_KINDS[one === 'none' || one === 'groups' ? 'mixed' : one];
  const adder = async (): Promise<void> => {
    while (next < searches) {
      const i = next++;
      const q = query(i);
      const group = groups[i % count].id;
      const search = await call<{ id: string }>(viewer, '/api/searches', { name: `search ${i}`, group, q });
      await call(viewer, '/api/alerts', {
        search: search.id,
        condition: { kind: 'at-least', count: 1 + (i % 10), minutes: 5 },
      });
    }
  };
  await Promise.all(Array.from({ length: 50 }, adder));
  return groups.map(({ token }) => token);
}

async function send(viewer: Viewer, tokens: readonly string[], lines: number): Promise<void> {
  let left = Math.ceil(lines / LINES_A_REQUEST);
  const bodies = makeBodies();
  const sender = async (): Promise<void> => {
    while (left > 0) {
      const number = left--;
      const token = tokens[number % tokens.length];
      const { statusCode, body } = await request(`${viewer.url}/logs`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
          'content-type': 'application/logplex-1',
          'logplex-msg-count': String(LINES_A_REQUEST),
        },
        body: bodies[number % BODIES],
      });
      const text = await body.text();
      if (statusCode === 503) {
        left++;
        await sleep(100);
      } else if (statusCode >= 300) throw new Error(`${statusCode} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sender));
}

/** Waits until no line waits to be looked at. */
async function evaluated(viewer: Viewer): Promise<void> {
  for (;;) {
    const { body } = await request(`${viewer.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
    const lag = /^viewer_alerts_lag_lines (\d+)/m.exec(await body.text());
    if (!lag) throw new Error('the viewer has no metric of its lag');
    if (lag[1] === '0') return;
    await sleep(20);
  }
}

/** Waits until the lines are packed, too: what is left of that when the last was looked at is more without alerts than with them. */
async function packed(viewer: Viewer): Promise<void> {
  for (let before = 0, now = cpuSeconds(viewer.pid); now - before >= REST_CPU_S; ) {
    await sleep(REST_MS);
    before = now;
    now = cpuSeconds(viewer.pid);
  }
}

async function call<T>(viewer: Viewer, path: string, body: object): Promise<T> {
  const response = await request(viewer.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`POST ${path}: ${response.statusCode} ${text}`);
  return JSON.parse(text) as T;
}

async function startViewer(): Promise<Viewer> {
  const folder = makeFolder('viewer');
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:VIEWER|TAILRACE)_/.test(name));
  const child = start(
    process.execPath,
    [...process.execArgv, join(ROOT, 'dist', 'drains', 'viewer', 'main.js')],
    {
      cwd: folder,
      env: {
        ...Object.fromEntries(inherited),
        VIEWER_DATA: join(folder, 'data'),
        VIEWER_HTTP_PORT: '0',
        VIEWER_SYSLOG_PORT: '0',
        VIEWER_API_KEY: KEY,
        VIEWER_LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    let printed = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      const match = /listening on (http:\/\/[^,\s]+)/.exec(printed);
      if (match) resolve(match[1]);
    });
    child.once('exit', () => reject(new Error('the viewer has ended')));
  });
  return {
    pid: child.pid!,
    url,
    stop: async () => {
      await stop(child);
      removeFolder(folder);
    },
  };
}

function makeBodies(): Buffer[] {
  const random = randomNumbers(1);
  return Array.from({ length: BODIES }, () =>
    Buffer.concat(
      Array.from({ length: LINES_A_REQUEST }, () => {
        const line = Buffer.from(makeAlertLine(random));
        return Buffer.concat([Buffer.from(`${line.length} `), line]);
      }),
    ),
  );
}

await runIfMain(import.meta.url, measure);
