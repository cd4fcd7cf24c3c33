/**
 * The same work on each supported version of Node.js, beside 20: what of the server's processor time depends on it. A server of each version runs, and
 * they take turns, short and many: what else the machine does differs from one second to the next by more than they do. The programs of other versions come
 * from npm, as those of `npm run test:nodes`.
 *
 *   node dist/bench/forms/node-versions.js [--lines 200000] [--runs 20] [--only UDP]
 */
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addDrain, fillApp, lastLineJob, startOutletSinks } from '../drains/outlets.ts';
import type { OutletSinkResult } from '../programs/outlet-sinks.ts';
import type { SyslogLoadJob, SyslogLoadResult } from '../programs/syslog-load.ts';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { syslogLine } from '../rig/lines.ts';
import { threadSeconds } from '../rig/proc.ts';
import { makeFolder, ROOT, removeFolder, runJob, startSyslogLoad, stop } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  quantile,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { postRequests } from './http-forms.ts';

const VERSIONS = ['20', '22', '24', '26'];
/**
 * Of each way, before the first round. Until V8 has compiled what they go through, lines cost up to twice as much, and for how long depends on its version: from
 * that of Node.js 22 on it optimizes a function after 3,000 calls, whatever they do, and WebAssembly after seven times as much work as that of 20.
 */
const WARM_UP_LINES = 5_000_000;
/** What a server still does for the lines when the last has come out counts too. */
const AFTERMATH_MS = 500;
const RUN_MS = 120_000;
/** A datagram costs what twenty lines of a connection do. */
const LINES_A_DATAGRAM = 10;
const REQUEST_LINES = 500;

/** A server on one version of Node.js: an app with a syslog drain, one without, and one with lines that are replayed. */
interface Subject {
  readonly version: string;
  readonly server: BenchServer;
  readonly token: string;
  readonly drainlessToken: string;
  readonly drainId: string;
}

/** Takes about so many lines through a server, and returns how many came out at the other end. */
type Way = (subject: Subject, lines: number) => Promise<number>;

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 200_000, runs: 20 }, ['only']);
  const folder = makeFolder('certificates');
  const { sinks, ports } = await startOutletSinks(folder);
  const { load, sinkPort } = await startSyslogLoad();
  const sendLines = async (job: SyslogLoadJob): Promise<number> =>
    (await runJob<SyslogLoadResult>(load, job, RUN_MS)).kept;
  const ways: Readonly<Record<string, Way>> = {
    'syslog TCP in and out': ({ server, token }, count) =>
      sendLines({ port: server.syslogPort, token, lines: count }),
    'UDP in, syslog TCP out': ({ server, token }, count) =>
      sendLines({
        port: server.syslogPort,
        token,
        lines: Math.ceil(count / LINES_A_DATAGRAM),
        frames: [syslogLine(token).toString('latin1')],
        transport: 'udp',
      }),
    'POST /logs, logplex-1, 500 lines': async ({ server, drainlessToken: token }, count) => {
      const line = syslogLine(token);
      const body = Buffer.from(`${line.length} ${line.toString('latin1')}`.repeat(REQUEST_LINES), 'latin1');
      const headers = { 'content-type': 'application/logplex-1' };
      const requests = Math.ceil(count / REQUEST_LINES);
      await postRequests(server, { headers, body }, token, requests);
      return requests * REQUEST_LINES;
    },
    'an HTTPS drain, Heroku’s form': async ({ server, drainId }, count) => {
      let sent = 0;
      for (; sent < count; sent += lines) {
        const done = runJob<OutletSinkResult>(sinks, lastLineJob(lines), RUN_MS);
        await server.request('POST', `/apps/bench/log-drains/${drainId}/actions/replay`, { since: '1h' });
        await done;
      }
      return sent;
    },
  };
  const chosen = Object.keys(ways).filter((name) => !only || name.toLowerCase().includes(only.toLowerCase()));
  const results = new Map<string, number[]>();
  const rates = (name: string, version: string): readonly number[] => results.get(`${name} ${version}`) ?? [];
  const subjects: Subject[] = [];
  try {
    for (const version of VERSIONS) {
      const server = await startServer({ PATH: await pathWithNode(version) });
      await fillApp(server, lines, sinks, ports.tcp);
      const drainId = await addDrain(server, `https://127.0.0.1:${ports.https}/?tailrace-insecure=yes`);
      const token = await server.createApp('live');
      await server.addDrain('live', `syslog://localhost:${sinkPort}`);
      const drainlessToken = await server.createApp('drainless');
      subjects.push({ version, server, token, drainlessToken, drainId });
    }
    for (const name of chosen) {
      logProgress(`${name}: warming up`);
      for (const subject of subjects) await ways[name](subject, WARM_UP_LINES);
    }
    for (let round = 1; round <= runs; round++)
      for (const name of chosen) {
        // Another one begins each time: what came before may weigh on the first.
        for (const subject of rotate(subjects, round)) {
          const { pid } = subject.server;
          const before = threadSeconds(pid);
          const count = await ways[name](subject, lines);
          await sleep(AFTERMATH_MS);
          const key = `${name} ${subject.version}`;
          results.set(key, [...(results.get(key) ?? []), count / (threadSeconds(pid) - before)]);
        }
        const last = VERSIONS.map((version) => `${formatInteger(rates(name, version).at(-1)!)} (${version})`);
        logProgress(`${name}, round ${round}: ${last.join(', ')} lines a CPU second`);
      }
  } finally {
    for (const { server } of subjects) await server.stop();
    await stop(sinks);
    await stop(load);
    removeFolder(folder);
  }
  /** Beside the oldest version in the same round, from the least on. */
  const ratios = (name: string, version: string): number[] => {
    const oldest = rates(name, VERSIONS[0]);
    return rates(name, version)
      .map((rate, round) => rate / oldest[round])
      .sort((a, b) => a - b);
  };
  const cells = (name: string, version: string): string[] => {
    const rate = formatInteger(median(rates(name, version)));
    if (version === VERSIONS[0]) return [rate];
    const all = ratios(name, version);
    const [low, high] = [0.25, 0.75].map((share) => formatDecimal(quantile(all, share)));
    return [rate, formatDecimal(median(all)), `${low} to ${high}`];
  };
  return {
    title: 'The same on every version of Node.js',
    note: [
      `Lines of 140 bytes, ${formatInteger(lines)} a turn, over UDP ${formatInteger(lines / LINES_A_DATAGRAM)} datagrams; of the drain lines of 70 to 190 bytes. A server of each version in turns, ${runs} rounds,`,
      `after ${formatInteger(WARM_UP_LINES)} lines of each way. Lines a CPU second, medians; beside Node.js 20 in the same round, median and the half of the rounds around it.`,
    ].join('\n'),
    columns: [
      '',
      ...VERSIONS.flatMap((version, i) => (i === 0 ? [version] : [version, '× 20', 'of half of them'])),
    ],
    rows: chosen.map((name) => [name, ...VERSIONS.flatMap((version) => cells(name, version))]),
  };
}

function rotate<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** The search path with the program `node` of a version in front. */
async function pathWithNode(version: string): Promise<string> {
  const own = process.versions.node.split('.', 1)[0] === version;
  const script = join(ROOT, 'scripts', 'install-package.mjs');
  const { nodePackage } = (await import(script)) as { nodePackage(root: string, major: string): string };
  const folder = own ? dirname(process.execPath) : join(nodePackage(ROOT, version), 'bin');
  return [folder, process.env.PATH].join(delimiter);
}

await runIfMain(import.meta.url, measure);
