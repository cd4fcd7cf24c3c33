/**
 * Many apps with a few lines a second each, some of them drained and some tailed: what that takes of a core, and of memory.
 *
 *   node dist/bench/many-apps/steady.js [--apps 10000] [--rate 5] [--drained 1000] [--tailed 200] [--seconds 20] [--store embedded|Redis]
 *
 * `BENCH_NODE_OPTIONS` are those of the server, such as `--cpu-prof --cpu-prof-dir=/tmp/profiles`.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ManyAppsJob, ManyAppsResult } from '../programs/many-apps-load.ts';
import { startServer } from '../rig/bench-server.ts';
import { cpuSeconds, residentBytes } from '../rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from '../rig/processes.ts';
import { startRedis } from '../rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { createApps } from './create-apps.ts';
import { createSettleApp, settle, waitUntilStored } from './settle.ts';

const CONNECTIONS = 100;

export async function measure(args: readonly string[]): Promise<Table> {
  const defaults = { apps: 10_000, rate: 5, drained: 1_000, tailed: 200, seconds: 20 };
  const flags = parseFlags(args, defaults, ['store']);
  const { apps: count, rate, drained, tailed, seconds } = flags;
  const { store = process.env.BENCH_STORE ?? 'embedded' } = flags;
  let delivered = 0;
  const sink = createServer((request, response) => {
    delivered++;
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const { port } = sink.address() as AddressInfo;
  const redis = store.toLowerCase() === 'redis' ? await startRedis() : undefined;
  const server = await startServer({ REDIS_URL: redis?.url ?? '' });
  const redisSeconds = (): number => (redis ? cpuSeconds(redis.pid) : Number.NaN);
  const load = startBenchProgram('many-apps-load');
  await waitForMessage(load, (message) => (message as { ready?: boolean }).ready, 10_000);
  try {
    const apps = await createApps(server, count, async ({ name }, number) => {
      if (number < drained) await server.addDrain(name, `http://127.0.0.1:${port}/${number}`);
    });
    const madeMs = (cpuSeconds(server.pid) * 1_000) / count;
    const madeBytes = residentBytes(server.pid);
    logProgress(
      `steady: an app costs ${formatDecimal(madeMs, 1)} ms, all of them ${formatMegabytes(madeBytes)}`,
    );
    const linesPerS = count * rate;
    const job: ManyAppsJob = {
      url: server.url,
      key: server.key,
      syslogPort: server.syslogPort,
      tokens: apps.map(({ token }) => token),
      connections: CONNECTIONS,
      protocol: 'syslog',
      linesPerS,
      lines: linesPerS * 3,
    };
    if (!redis) await createSettleApp(server);
    // Streams are opened, and the code is warm.
    await runJob<ManyAppsResult>(load, job, 120_000);
    await waitUntilStored(server, job.lines);
    if (!redis) await settle(server);
    const before = cpuSeconds(server.pid);
    const redisBefore = redisSeconds();
    const result = await runJob<ManyAppsResult>(
      load,
      { ...job, lines: linesPerS * seconds, tails: apps.slice(0, tailed).map(({ name }) => name) },
      (seconds + 120) * 1_000,
    );
    // What comes late, since others use the machine, too, is work all the same.
    const durationS = result.lines / linesPerS;
    const cores = (): number => (cpuSeconds(server.pid) - before) / durationS;
    if (redis) await waitUntilStored(server, job.lines + result.lines);
    const meanwhile = cores();
    const redisCores = (redisSeconds() - redisBefore) / durationS;
    const bytes = residentBytes(server.pid);
    if (!redis) await settle(server);
    const row = [
      formatInteger(result.lines / result.seconds),
      `${formatDecimal(100 * meanwhile, 0)} %`,
      `${formatDecimal(100 * cores(), 0)} %`,
      redis ? `${formatDecimal(100 * redisCores, 0)} %` : '-',
      formatMegabytes(bytes),
      formatDecimal(result.p50Ms, 1),
      formatDecimal(result.p99Ms, 1),
      formatInteger(delivered),
      formatDecimal(madeMs, 1),
      formatMegabytes(madeBytes),
    ];
    logProgress(`steady: ${row.join(', ')}`);
    return {
      title: `Many apps with a few lines a second each, ${store}`,
      note: `${formatInteger(count)} apps at ${rate} lines/s each over ${CONNECTIONS} connections, ${formatInteger(drained)} of them with a drain, ${formatInteger(tailed)} with a tail, for ${seconds} s.`,
      columns: [
        'lines/s',
        'CPU of a core',
        'with all that is put off',
        "Redis' CPU of a core",
        'memory (RSS)',
        'p50 at a tail, ms',
        'p99',
        'requests to drains',
        'CPU an app made, ms',
        'memory before',
      ],
      rows: [row],
    };
  } finally {
    await stop(load);
    await server.stop();
    await redis?.stop();
    sink.close();
  }
}

await runIfMain(import.meta.url, measure);
