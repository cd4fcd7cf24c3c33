/**
 * A viewer under load: a real one takes drains over HTTPS at a rate, somebody searches meanwhile, and it is killed (kill -9) and started again
 * while lines come. Each line that it took has to be there once.
 *
 *   node dist/bench/viewer/sustained.js [--lines 4000000] [--rate 150000] [--drains 8] [--pause 500]
 *
 * Bounded by the number of lines, of which two million are 0.5 GB of text and 0.12 GB in the store.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { RecordCursor } from '../../src/logs/syslog/batch.ts';
import { freePort } from '../rig/free-port.ts';
import { cpuSeconds } from '../rig/proc.ts';
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
import { makeCertificate } from '../rig/tls/certificate.ts';
import { ChangingLines } from './changing-lines.ts';
import { batchOfLines, LogLines } from './log-lines.ts';

const KEY = 'a-key-of-the-measurement';
const TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';
const LINES_A_REQUEST = 500;
/** Lines that are made anew; they are sent again with other times and ids. */
const TEMPLATE_LINES = 100_000;
const SPAN_MS = 3 * 86_400_000;
const SAMPLE_MS = 100;
/** The part of the lines after which it is killed. */
const KILL_AFTER = 0.9;
/** A client that is refused, or finds nobody, tries again after this long. */
const RETRY_MS = 50;
/** All lines are found within this time. */
const COUNT_MS = 180_000;
const RARE = 'kraken';

/** When the lines begin; they end an hour ago. */
const START_MS = Date.now() - SPAN_MS - 3_600_000;
const FROM = `from=${new Date(START_MS - 60_000).toISOString()}`;

const SEARCHES = [
  { name: 'a rare word', path: `/api/search?limit=100&q=${RARE}` },
  { name: 'the last 100 of a common phrase', path: '/api/search?limit=100&q=%22checkout+of%22' },
  { name: 'counts a minute over all', path: `/api/counts?${FROM}&step=60` },
  { name: 'counts a minute of status:>=500', path: `/api/counts?${FROM}&step=60&q=status:%3E%3D500` },
  { name: 'group by status, a day', path: '/api/values?field=status&limit=20' },
] as const;

interface Viewer {
  readonly child: ChildProcess;
  readonly pid: number;
}

/** Of a process, in bytes: what is its own, and what of files it has in memory besides. */
interface Memory {
  readonly own: number;
  readonly files: number;
}

/** What happens while lines are sent. */
class Load {
  readonly timesMs = new Map<string, number[]>(SEARCHES.map(({ name }) => [name, []]));
  peak: Memory = { own: 0, files: 0 };
  sent = 0;
  refused = 0;
  isOver = false;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { lines: 4_000_000, rate: 150_000, drains: 8, pause: 500 });
  const folder = makeFolder('sustained');
  const files = makeCertificate(folder);
  if (!files) throw new Error('openssl is missing: it makes the certificate of the viewer');
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const agent = new Agent({
    connect: { ca: readFileSync(files.certificate) },
    connections: flags.drains + 4,
    pipelining: 1,
  });
  const open = (): Promise<Viewer> => startViewer(folder, port, files);
  const load = new Load();
  let viewer = await open();
  try {
    const sampling = sample(load, () => viewer.pid);
    const searching = searchAll(load, url, agent, flags.pause);
    const linesBefore = Math.floor(flags.lines * KILL_AFTER);
    const bodies = new Bodies(flags.lines);
    const cpuBefore = cpuSeconds(viewer.pid);
    const beganMs = performance.now();
    const sender = new Sender(url, agent, bodies, load, flags.rate, beganMs);
    const sending = Array.from({ length: flags.drains }, (_, i) => sender.run(i, flags.lines));
    while (load.sent < linesBefore) await sleep(10);
    const seconds = (performance.now() - beganMs) / 1_000;
    const cpuPerMillion = ((cpuSeconds(viewer.pid) - cpuBefore) / load.sent) * 1e6;
    const linesPerS = load.sent / seconds;
    logProgress(`${formatInteger(linesPerS)} lines/s, ${formatDecimal(cpuPerMillion)} CPU s a million lines`);
    await stop(viewer.child, 'SIGKILL');
    const killedMs = performance.now();
    viewer = await open();
    const openMs = performance.now() - killedMs;
    const openCpuMs = cpuSeconds(viewer.pid) * 1_000;
    await get(url, agent, '/api/search?limit=1');
    const foundMs = performance.now() - killedMs;
    await Promise.all(sending);
    load.isOver = true;
    await Promise.all([sampling, searching]);
    let found = await countAll(url, agent);
    // A count that takes too long is one of a part of the lines, on a busy machine with many that aren't packed.
    for (const endMs = performance.now() + COUNT_MS; found < load.sent && performance.now() < endMs; ) {
      await sleep(1_000);
      found = await countAll(url, agent);
    }
    if (found !== load.sent)
      throw new Error(`${load.sent} lines were taken, and ${found} are there: some are lost, or there twice`);
    const times = (name: string): string => {
      const all = load.timesMs.get(name) ?? [];
      return `${formatInteger(median(all))} ms, the slowest of ${all.length} ${formatInteger(Math.max(...all))} ms`;
    };
    return {
      title: `${formatInteger(load.sent)} lines into a viewer over HTTPS, searched meanwhile`,
      note: [
        `Lines of a router, logfmt, JSON and stack traces from ${flags.drains} drains of one stream, ${LINES_A_REQUEST} in a request, at ${formatInteger(flags.rate)} lines/s at the most; a search every ${flags.pause} ms.`,
        `After ${KILL_AFTER * 100} % of the lines it was killed (kill -9) and started again under load; all lines were counted at the end.`,
      ].join('\n'),
      columns: ['', 'wanted', 'measured'],
      rows: [
        ['lines/s', '150,000', formatInteger(linesPerS)],
        ['CPU s a million lines, with the searches', '', formatDecimal(cpuPerMillion)],
        ['memory of its own at the most', '400 MB', formatMegabytes(load.peak.own)],
        ['with what it has of files', '', formatMegabytes(load.peak.own + load.peak.files)],
        ['requests that were asked to wait', '', formatInteger(load.refused)],
        ['start until it takes lines', '1,000 ms', `${formatInteger(openMs)} ms`],
        ['CPU of that', '', `${formatInteger(openCpuMs)} ms`],
        ['start until it has found the newest line, while lines come', '', `${formatInteger(foundMs)} ms`],
        ...SEARCHES.map(({ name }) => [name, '', times(name)]),
      ],
    };
  } finally {
    load.isOver = true;
    await stop(viewer.child);
    await agent.destroy();
    removeFolder(folder);
  }
}

/** Bodies of drains, one after the other. */
class Bodies {
  private readonly lines: number;
  private readonly templates: readonly { bytes: Buffer; count: number }[];
  private readonly changing = new ChangingLines();
  private readonly rareAt: ReadonlySet<number>;
  private next = 0;

  constructor(lines: number) {
    this.lines = lines;
    const source = new LogLines(1, START_MS, SPAN_MS / lines);
    this.templates = Array.from({ length: TEMPLATE_LINES / LINES_A_REQUEST }, () =>
      batchOfLines(Array.from({ length: LINES_A_REQUEST }, () => source.next())),
    );
    this.rareAt = new Set([0.05, 0.31, 0.77].map((share) => Math.floor((lines * share) / LINES_A_REQUEST)));
  }

  take(): { number: number; count: number; body: Buffer } {
    const number = this.next++;
    const spanMs = (SPAN_MS / this.lines) * LINES_A_REQUEST;
    const atMs = START_MS + number * spanMs;
    const batch = this.rareAt.has(number)
      ? batchOfLines([`<190>1 ${new Date(atMs).toISOString()} host app web.1 - - the ${RARE} has been seen`])
      : this.changing.change(this.templates[number % this.templates.length], atMs, spanMs);
    const pieces: Buffer[] = [];
    const line = new RecordCursor(batch.bytes);
    while (line.advance()) {
      const text = batch.bytes.subarray(line.textStart, line.textEnd);
      pieces.push(Buffer.from(`${text.length} `), text);
    }
    return { number, count: batch.count, body: Buffer.concat(pieces) };
  }
}

class Sender {
  private readonly url: string;
  private readonly agent: Agent;
  private readonly bodies: Bodies;
  private readonly load: Load;
  private readonly rate: number;
  private readonly beganMs: number;
  private taken = 0;

  constructor(url: string, agent: Agent, bodies: Bodies, load: Load, rate: number, beganMs: number) {
    this.url = url;
    this.agent = agent;
    this.bodies = bodies;
    this.load = load;
    this.rate = rate;
    this.beganMs = beganMs;
  }

  /** One drain: a request after the other, each until it is taken. */
  async run(drain: number, lines: number): Promise<void> {
    while (this.taken < lines) {
      const { number, count, body } = this.bodies.take();
      this.taken += count;
      const aheadMs = (this.taken / this.rate) * 1_000 - (performance.now() - this.beganMs);
      if (aheadMs > 1) await sleep(aheadMs);
      while (!(await this.post(drain, number, count, body))) {
        this.load.refused++;
        await sleep(RETRY_MS);
      }
      this.load.sent += count;
    }
  }

  private async post(drain: number, number: number, count: number, body: Buffer): Promise<boolean> {
    try {
      const answer = await request(`${this.url}/logs?stream=shop`, {
        method: 'POST',
        dispatcher: this.agent,
        headers: {
          authorization: `Basic ${Buffer.from(`token:${TOKEN}`).toString('base64')}`,
          'content-type': 'application/logplex-1',
          'logplex-msg-count': String(count),
          'logplex-frame-id': `frame-${number}`,
          'logplex-drain-token': `d.${drain}`,
        },
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode < 300) return true;
      if (answer.statusCode === 503) return false;
      throw new Error(`POST /logs: ${answer.statusCode} ${text}`);
    } catch (error) {
      // It was killed: what wasn't answered is sent again.
      if (typeof (error as NodeJS.ErrnoException).code === 'string') return false;
      throw error;
    }
  }
}

async function sample(load: Load, pid: () => number): Promise<void> {
  while (!load.isOver) {
    const { own, files } = memoryOf(pid());
    const { peak } = load;
    if (own + files > peak.own + peak.files) load.peak = { own, files };
    await sleep(SAMPLE_MS);
  }
}

function memoryOf(pid: number): Memory {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1_024;
    return { own: bytes('RssAnon'), files: bytes('RssFile') };
  } catch {
    return { own: 0, files: 0 };
  }
}

/** Searches, one after the other, each with a pause behind it. */
async function searchAll(load: Load, url: string, agent: Agent, pauseMs: number): Promise<void> {
  for (let i = 0; !load.isOver; i++) {
    const { name, path } = SEARCHES[i % SEARCHES.length];
    const beganMs = performance.now();
    // Nobody answers while it is started again.
    const isAnswered = await get(url, agent, path).then(
      () => true,
      () => false,
    );
    if (isAnswered) load.timesMs.get(name)?.push(performance.now() - beganMs);
    await sleep(pauseMs);
  }
}

async function countAll(url: string, agent: Agent): Promise<number> {
  const { buckets } = (await get(url, agent, `/api/counts?${FROM}&step=86400`)) as {
    buckets: { error: number; warning: number; other: number }[];
  };
  return buckets.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0);
}

async function get(url: string, agent: Agent, path: string): Promise<unknown> {
  const { statusCode, body } = await request(url + path, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${KEY}` },
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode} ${text}`);
  return JSON.parse(text);
}

async function startViewer(
  folder: string,
  port: number,
  { key, certificate }: { key: string; certificate: string },
): Promise<Viewer> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:VIEWER|TAILRACE)_/.test(name));
  const child = start(
    process.execPath,
    [...process.execArgv, join(ROOT, 'dist', 'drains', 'viewer', 'main.js')],
    {
      cwd: folder,
      env: {
        ...Object.fromEntries(inherited),
        VIEWER_DATA: join(folder, 'data'),
        VIEWER_HTTP_PORT: String(port),
        VIEWER_SYSLOG: 'no',
        VIEWER_TLS_CERT: certificate,
        VIEWER_TLS_KEY: key,
        VIEWER_API_KEY: KEY,
        VIEWER_TOKEN: TOKEN,
        VIEWER_LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await new Promise<void>((resolve, reject) => {
    let printed = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('listening on')) resolve();
    });
    child.once('exit', () => reject(new Error('the viewer has ended')));
  });
  return { child, pid: child.pid! };
}

await runIfMain(import.meta.url, measure);
