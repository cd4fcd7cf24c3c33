/**
 * The same work on each supported version of Node.js, beside 20: what of the server's processor time depends on it. A server of each version runs, and
 * they take turns. The programs of other versions come from npm, as those of `npm run test:nodes`.
 *
 *   node dist/bench/forms/node-versions.js [--lines 1000000] [--runs 5] [--only UDP]
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
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { postRequests } from './http-forms.ts';

const VERSIONS = ['20', '22', '24', '26'];
/** V8 compiles what each line goes through in the first rounds. */
const WARM_UP_ROUNDS = 3;
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

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 1_000_000, runs: 5 }, ['only']);
  const folder = makeFolder('certificates');
  const { sinks, ports } = await startOutletSinks(folder);
  const { load, sinkPort } = await startSyslogLoad();
  const sendLines = async (job: SyslogLoadJob): Promise<number> =>
    (await runJob<SyslogLoadResult>(load, job, RUN_MS)).kept;
  /** Each returns the number of lines that came out at the other end. */
  const ways: Readonly<Record<string, (subject: Subject) => Promise<number>>> = {
    'syslog TCP in and out': ({ server, token }) => sendLines({ port: server.syslogPort, token, lines }),
    'UDP in, syslog TCP out': ({ server, token }) =>
      sendLines({
        port: server.syslogPort,
        token,
        lines: Math.ceil(lines / LINES_A_DATAGRAM),
        frames: [syslogLine(token).toString('latin1')],
        transport: 'udp',
      }),
    'POST /logs, logplex-1, 500 lines': async ({ server, drainlessToken: token }) => {
      const line = syslogLine(token);
      const body = Buffer.from(`${line.length} ${line.toString('latin1')}`.repeat(REQUEST_LINES), 'latin1');
      const headers = { 'content-type': 'application/logplex-1' };
      const requests = Math.ceil(lines / REQUEST_LINES);
      await postRequests(server, { headers, body }, token, requests);
      return requests * REQUEST_LINES;
    },
    'an HTTPS drain, Heroku’s form': async ({ server, drainId }) => {
      const done = runJob<OutletSinkResult>(sinks, lastLineJob(lines), RUN_MS);
      await server.request('POST', `/apps/bench/log-drains/${drainId}/actions/replay`, { since: '1h' });
      await done;
      return lines;
    },
  };
  const chosen = Object.keys(ways).filter((name) => !only || name.toLowerCase().includes(only.toLowerCase()));
  const results = new Map<string, number[]>();
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
    for (let round = 1; round <= WARM_UP_ROUNDS + runs; round++)
      // Another one begins each time: what came before may weigh on the first.
      for (const name of chosen)
        for (const subject of rotate(subjects, round)) {
          const { pid } = subject.server;
          const before = threadSeconds(pid);
          const count = await ways[name](subject);
          await sleep(AFTERMATH_MS);
          const linesPerCpuS = count / (threadSeconds(pid) - before);
          const key = `${name} ${subject.version}`;
          logProgress(
            `${name}, Node.js ${subject.version}, round ${round}: ${formatInteger(linesPerCpuS)} lines a CPU second`,
          );
          if (round > WARM_UP_ROUNDS) results.set(key, [...(results.get(key) ?? []), linesPerCpuS]);
        }
  } finally {
    for (const { server } of subjects) await server.stop();
    await stop(sinks);
    await stop(load);
    removeFolder(folder);
  }
  const middle = (name: string, version: string): number => median(results.get(`${name} ${version}`) ?? []);
  return {
    title: 'The same on every version of Node.js',
    note: [
      `Lines of 140 bytes, ${formatInteger(lines)} a run, over UDP ${formatInteger(lines / LINES_A_DATAGRAM)} datagrams; of the drain lines of 70 to 190 bytes. Medians of ${runs} runs,`,
      `a server of each version in turns, after ${WARM_UP_ROUNDS} that don't count. Lines a CPU second, and beside Node.js 20.`,
    ].join('\n'),
    columns: ['', ...VERSIONS.flatMap((version, i) => (i === 0 ? [version] : [version, '× 20']))],
    rows: chosen.map((name) => [
      name,
      ...VERSIONS.flatMap((version, i) => {
        const rate = middle(name, version);
        return [formatInteger(rate), ...(i === 0 ? [] : [formatDecimal(rate / middle(name, VERSIONS[0]))])];
      }),
    ]),
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
