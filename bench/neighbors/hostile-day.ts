/**
 * An app with a thousand lines a second and somebody who reads them live, beside connections that never end, guesses, and readers who don't read:
 * how old its lines are when they come out, beside an attack and without.
 *
 *   node dist/bench/neighbors/hostile-day.js [--seconds 5] [--rate 1000] [--only guessed]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TailLatencyJob, TailLatencyResult } from '../programs/tail-latency-load.ts';
import { startServer } from '../rig/bench-server.ts';
import { freePort } from '../rig/free-port.ts';
import { cpuSeconds, residentBytes } from '../rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { ATTACKS, type AttackTarget, sendLoudly } from './attacks.ts';

const LOUD_LINES_PER_S = 2_000;
/** Connections are opened, caches are filled. */
const SETTLE_MS = 1_000;

export async function measure(args: readonly string[]): Promise<Table> {
  const { seconds, rate, only } = parseFlags(args, { seconds: 5, rate: 1_000 }, ['only']);
  const routerPort = await freePort();
  const server = await startServer({ TAILRACE_ROUTER_PORT: String(routerPort) });
  const target: AttackTarget = { ...server, routerPort, loudApp: 'loud' };
  const load = startBenchProgram('tail-latency-load');
  await waitForMessage(load, (message) => (message as { ready?: boolean }).ready, 10_000);
  try {
    const token = await server.createApp('quiet');
    const stopLoud = sendLoudly(server, await server.createApp('loud'), LOUD_LINES_PER_S);
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
    await look();
    const rows: string[][] = [];
    for (const attack of ATTACKS) {
      if (only !== undefined && !attack.name.includes(only)) continue;
      const alone = await look();
      const running = await attack.start(target);
      await sleep(SETTLE_MS);
      const beside = await look();
      const count = running.count();
      const memory = residentBytes(server.pid);
      await running.stop();
      const row = [
        attack.name,
        `${formatInteger(count)} ${attack.unit}`,
        formatDecimal(alone.p99Ms, 1),
        formatDecimal(beside.p99Ms, 1),
        formatDecimal(beside.p99Ms / alone.p99Ms, 1),
        formatInteger(beside.sent - beside.received),
        `${formatDecimal(100 * alone.cpu, 0)} → ${formatDecimal(100 * beside.cpu, 0)} %`,
        formatMegabytes(memory),
      ];
      logProgress(row.join(', '));
      rows.push(row);
    }
    await stopLoud();
    return {
      title: 'A hostile day',
      note: `An app with ${formatInteger(rate)} lines/s and a tail, beside a loud app with ${formatInteger(LOUD_LINES_PER_S)} lines/s, for ${seconds} s before each attack and ${seconds} s in it. The attacker runs on the same two cores.`,
      columns: [
        'attack',
        'done',
        'p99 before, ms',
        'p99 in it',
        'ratio',
        'missing',
        'CPU of a core',
        'memory (RSS)',
      ],
      rows,
    };
  } finally {
    await stop(load);
    await server.stop();
  }
}

await runIfMain(import.meta.url, measure);
