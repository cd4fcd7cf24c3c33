/**
 * An app with a thousand lines a second and somebody who reads them live, beside connections that never end, guesses, and readers who don't read:
 * how old its lines are when they come out, without an attack, while the same attack is on another server of the same machine (which shows what the
 * attacker's and the other server's share of the processors costs), and in it.
 *
 *   node dist/bench/neighbors/hostile-day.js [--seconds 5] [--rate 1000] [--only guessed]
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TailLatencyJob, TailLatencyResult } from '../programs/tail-latency-load.ts';
import { startServer } from '../rig/bench-server.ts';
import { freePort } from '../rig/free-port.ts';
import { LOOP_HOLD_HOOK, LoopHolds } from '../rig/loop-holds.ts';
import { cpuSeconds, residentBytes } from '../rig/proc.ts';
import {
  makeFolder,
  removeFolder,
  runJob,
  startBenchProgram,
  stop,
  waitForMessage,
} from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { makeCertificate } from '../rig/tls/certificate.ts';
import type { Attack, AttackTarget } from './attack-tools.ts';
import { ATTACKS, sendNoisyLines } from './attacks.ts';

const LOUD_LINES_PER_S = 2_000;
/** Connections are opened, caches are filled. */
const SETTLE_MS = 1_000;

/** A server, and its loud app's sender. */
async function startTarget(settings: Readonly<Record<string, string>> = {}) {
  const [routerPort, httpsPort] = [await freePort(), await freePort()];
  const server = await startServer({
    TAILRACE_ROUTER_PORT: String(routerPort),
    ...(settings.TAILRACE_TLS_CERT === undefined ? {} : { TAILRACE_HTTP_TLS_PORT: String(httpsPort) }),
    ...settings,
  });
  const loudToken = await server.createApp('loud');
  const stopLoud = sendNoisyLines(server, loudToken, LOUD_LINES_PER_S);
  const target: AttackTarget = { ...server, routerPort, httpsPort, loudApp: 'loud', loudToken };
  return {
    target,
    end: async () => {
      await stopLoud();
      await server.stop();
    },
  };
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { seconds, rate, only } = parseFlags(args, { seconds: 5, rate: 1_000 }, ['only']);
  const folder = makeFolder('holds');
  const holds = new LoopHolds(join(folder, 'holds'));
  const files = makeCertificate(folder);
  const certificate: Record<string, string> = files
    ? {
        TAILRACE_TLS_CERT: files.certificate,
        TAILRACE_TLS_KEY: files.key,
        TAILRACE_SYSLOG_TLS_PORT: '0',
        TAILRACE_ROUTER_TLS_PORT: '0',
      }
    : {};
  const attacks = files ? ATTACKS : ATTACKS.filter((attack) => !attack.name.startsWith('TLS'));
  const { target: server, end } = await startTarget({ ...certificate, ...holds.environment(LOOP_HOLD_HOOK) });
  const elsewhere = await startTarget(certificate);
  const load = startBenchProgram('tail-latency-load');
  await waitForMessage(load, (message) => (message as { ready?: boolean }).ready, 10_000);
  try {
    const token = await server.createApp('quiet');
    const job: TailLatencyJob = {
      out: 'tail',
      protocol: 'syslog',
      url: server.url,
      key: server.key,
      app: 'quiet',
      token,
      syslogPort: server.syslogPort,
      linesPerS: rate,
      seconds: seconds + 1,
    };
    const look = async () => {
      const before = cpuSeconds(server.pid);
      const result = await runJob<TailLatencyResult>(load, job, (seconds + 60) * 1_000);
      return { ...result, cpu: (cpuSeconds(server.pid) - before) / (seconds + 1) };
    };
    const lookBeside = async (attack: Attack, target: AttackTarget) => {
      const running = await attack.start(target);
      await sleep(SETTLE_MS);
      holds.takeLongestMs();
      const result = await look();
      const count = running.count();
      const holdMs = holds.takeLongestMs();
      const memory = residentBytes(server.pid);
      await running.stop();
      return { ...result, count, holdMs, memory };
    };
    await look();
    const rows: string[][] = [];
    for (const attack of attacks) {
      if (only !== undefined && !attack.name.includes(only)) continue;
      const alone = await look();
      const beside = await lookBeside(attack, elsewhere.target);
      await sleep(SETTLE_MS);
      const within = await lookBeside(attack, server);
      const row = [
        attack.name,
        `${formatInteger(within.count)} ${attack.unit}`,
        formatDecimal(alone.p99Ms, 1),
        formatDecimal(beside.p99Ms, 1),
        formatDecimal(within.p99Ms, 1),
        formatDecimal(within.p99Ms / alone.p99Ms, 1),
        formatDecimal(within.p99Ms / beside.p99Ms, 1),
        within.holdMs === 0 ? '–' : formatDecimal(within.holdMs, 1),
        formatInteger(within.sent - within.received),
        `${formatDecimal(100 * alone.cpu, 0)} → ${formatDecimal(100 * within.cpu, 0)} %`,
        formatMegabytes(within.memory),
      ];
      logProgress(row.join(', '));
      rows.push(row);
      await sleep(SETTLE_MS);
    }
    return {
      title: 'A hostile day',
      note: `An app with ${formatInteger(rate)} lines/s and a tail, beside a loud app with ${formatInteger(LOUD_LINES_PER_S)} lines/s, for ${seconds} s before each attack, ${seconds} s while it is on another server of this machine, and ${seconds} s in it. The attacker runs on the same two cores: what it and another server cost shows beside it, what is the attacked server’s own in the ratio to that. The longest hold of the event loop is in processor time, which the system counts in steps of 4 ms.`,
      columns: [
        'attack',
        'done',
        'p99 before, ms',
        'on another server',
        'in it',
        '× before',
        '× on another',
        'longest hold, ms',
        'missing',
        'CPU of a core',
        'memory (RSS)',
      ],
      rows,
    };
  } finally {
    await stop(load);
    await elsewhere.end();
    await end();
    removeFolder(folder);
  }
}

await runIfMain(import.meta.url, measure);
