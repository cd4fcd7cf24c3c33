/**
 * The HTTP router in front of two web dynos, beside nginx and HAProxy as reverse proxies of the same two: requests a
 * second, processor time for each, and what is added to the latency at half of the load.
 *
 *   node dist/bench/apps/http-router.js [--seconds 1] [--runs 5] [--connections 32]
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import type { HttpGetJob, HttpGetResult } from '../programs/http-get-load.ts';
import { startServer } from '../rig/bench-server.ts';
import { pinToSeparateCores } from '../rig/cores.ts';
import { cpuSeconds, descendants, stolenSeconds } from '../rig/proc.ts';
import {
  makeFolder,
  removeFolder,
  runJob,
  startBenchProgram,
  stop,
  TAILRACE,
  waitForMessage,
} from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { startReverseProxies } from '../rig/reverse-proxies.ts';

const APP = 'bench';
const HOST = `${APP}.localhost`;
/** Warm-up: until V8 has compiled what it is going to compile. */
const WARM_UP_S = 2;
const WARM_UP_RATE = 2_000;
/** At half load more and shorter runs, so that some of them have no steal time. */
const HALF_SECONDS = 0.25;
const HALF_RUNS = 3;
/** So many make a median. */
const CALM_RUNS_MIN = 3;
const DIRECT = 'a dyno itself';

interface Target {
  readonly name: string;
  readonly port: number;
  /** Undefined: the dyno itself, nothing in between. */
  readonly pid: number | undefined;
}
interface Run {
  readonly requestsPerS: number;
  readonly cpuMicros: number;
}
interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  /** Share of steal time in this run: 0 to 1. */
  readonly stolen: number;
}

/** The cheapest dyno there is: nginx with a fixed response (its port), so that what is in front of it is measured. */
const DYNO_CONF = `daemon off; master_process off; pid PORT.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path PORT.a; proxy_temp_path PORT.b;
  fastcgi_temp_path PORT.c; uwsgi_temp_path PORT.d; scgi_temp_path PORT.e;
  server { listen 127.0.0.1:PORT; location / { default_type text/plain; return 200 "PORT\\n"; } } }
`;

export async function measure(args: readonly string[]): Promise<Table> {
  const { seconds, runs, connections } = parseFlags(args, { seconds: 1, runs: 5, connections: 32 });
  const folder = makeFolder('http-router');
  writeFileSync(join(folder, 'dyno.conf'), DYNO_CONF);
  writeFileSync(
    join(folder, 'Procfile'),
    'web: sed "s/PORT/$PORT/g" dyno.conf >$PORT.conf && exec /usr/sbin/nginx -p "$PWD" -c $PORT.conf\n',
  );
  const server = await startServer();
  await server.request('POST', '/apps', { name: APP });
  for (const args of [['push'], ['scale', 'web=2']])
    execFileSync(TAILRACE, [...args, '-a', APP], {
      cwd: folder,
      env: { ...process.env, TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const { web_url: webUrl } = await server.request<{ web_url: string }>('GET', `/apps/${APP}`);
  const routerPort = Number(new URL(webUrl).port);
  const generator = startBenchProgram('http-get-load');
  await waitForMessage(generator, (message) => (message as { ready?: boolean }).ready, 10_000);
  const dynoPorts = await bothDynos(routerPort);
  const reverse = await startReverseProxies(dynoPorts);
  const targets: Target[] = [{ name: 'tailrace', port: routerPort, pid: server.pid }, ...reverse];
  const direct: Target = { name: DIRECT, port: dynoPorts[0], pid: undefined };
  const load = (port: number, secondsNow: number, rate?: number): Promise<HttpGetResult> => {
    const job: HttpGetJob = {
      port,
      host: HOST,
      connections,
      seconds: secondsNow,
      ...(rate ? { rate } : {}),
    };
    return runJob<HttpGetResult>(generator, job, (secondsNow + 20) * 1_000);
  };
  const all = [direct, ...targets];
  /** One run, and the processor time that each request took meanwhile. */
  const run = async ({ name, port, pid }: Target, forS: number, rate?: number) => {
    const before = pid === undefined ? 0 : cpuSeconds(pid);
    const result = await load(port, forS, rate);
    if (result.failures > 0) throw new Error(`${result.failures} requests to ${name} failed`);
    const cpu = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
    return { ...result, cpuMicros: (cpu / result.requests) * 1e6 };
  };
  const full = new Map<string, Run[]>();
  const half = new Map<string, Delay[]>();
  try {
    await load(routerPort, WARM_UP_S);
    await load(routerPort, WARM_UP_S, WARM_UP_RATE);
    for (let round = 1; round <= runs; round++)
      for (const target of all) {
        const { requests, seconds: took, cpuMicros } = await run(target, seconds);
        const requestsPerS = requests / took;
        full.set(target.name, [...(full.get(target.name) ?? []), { requestsPerS, cpuMicros }]);
        logProgress(`HTTP router, ${target.name}, run ${round}: ${formatInteger(requestsPerS)} requests/s`);
      }
    const rate = Math.round(median((full.get('tailrace') ?? []).map(({ requestsPerS }) => requestsPerS)) / 2);
    const proxies = targets.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
    const others = [generator.pid!, ...descendants(server.pid)];
    const apart = pinToSeparateCores(proxies, others);
    for (let round = 1; round <= runs * HALF_RUNS; round++)
      for (const target of all) {
        const stolenBefore = stolenSeconds();
        const { p50Ms, p99Ms, cpuMicros, seconds: took } = await run(target, HALF_SECONDS, rate);
        const stolen = (stolenSeconds() - stolenBefore) / took / availableParallelism();
        half.set(target.name, [...(half.get(target.name) ?? []), { p50Ms, p99Ms, cpuMicros, stolen }]);
        logProgress(
          `at ${formatInteger(rate)} requests/s, ${target.name}: ${formatDecimal(p50Ms)} ms, p99 ${formatDecimal(p99Ms)} ms, stolen ${percent(stolen)}`,
        );
      }
    return table(all, { full, half, rate, connections, runs, apart });
  } finally {
    for (const other of reverse) await other.stop();
    await stop(generator);
    await server.stop();
    removeFolder(folder);
  }
}

/** The ports of the two dynos, which they respond with. */
async function bothDynos(routerPort: number): Promise<number[]> {
  const ports = new Set<number>();
  const deadlineMs = performance.now() + 20_000;
  while (ports.size < 2) {
    if (performance.now() > deadlineMs) throw new Error('there are no two dynos that answer');
    const { statusCode, body } = await request(`http://127.0.0.1:${routerPort}/`, {
      headers: { host: HOST },
    });
    const port = Number(await body.text());
    if (statusCode === 200) ports.add(port);
  }
  return [...ports];
}

interface Seen {
  readonly full: ReadonlyMap<string, readonly Run[]>;
  readonly half: ReadonlyMap<string, readonly Delay[]>;
  readonly rate: number;
  readonly connections: number;
  readonly runs: number;
  /** Had each proxy a processor of its own at half load? */
  readonly apart: boolean;
}

function table(targets: readonly Target[], { full, half, rate, connections, runs, apart }: Seen): Table {
  const middle = <T>(all: readonly T[] | undefined, of: (one: T) => number): number =>
    median((all ?? []).map(of));
  const capacity = (name: string): number => 1e6 / middle(full.get(name), ({ cpuMicros }) => cpuMicros);
  const best = (name: string): number =>
    Math.min(...(full.get(name) ?? []).map(({ cpuMicros }) => cpuMicros));
  const calm = (name: string): Delay[] => (half.get(name) ?? []).filter(({ stolen }) => stolen === 0);
  const added = (name: string, of: (one: Delay) => number, pick = (which: string) => half.get(which)) => {
    const [through, direct] = [pick(name) ?? [], pick(DIRECT) ?? []];
    const enough = Math.min(through.length, direct.length) >= CALM_RUNS_MIN;
    return name === DIRECT || !enough ? '-' : `${formatDecimal(middle(through, of) - middle(direct, of))} ms`;
  };
  const stolen = [...half.values()].flat().map((one) => one.stolen);
  return {
    title: 'HTTP router → two web dynos',
    note: [
      `autocannon, ${connections} connections, small GETs to two dynos that cost next to nothing (nginx with a fixed answer); all in turns, medians of ${runs} runs.`,
      'Requests a CPU second are what one core of the proxy could do: here load, dynos and proxy share all cores.',
      'Best of both: by the best run of each, since everything that disturbs a run makes a request cost more.',
      'tailrace writes and stores a line about each request meanwhile, nginx and HAProxy (one worker each) write none.',
      `Half load: ${formatInteger(rate)} requests/s, half of what tailrace did, at an even rate and counted from when each was due; medians of ${runs * HALF_RUNS} runs of ${HALF_SECONDS} s.`,
      apart
        ? 'Each proxy has a core of its own then, load and dynos have the rest.'
        : 'Load, dynos and proxy share all cores then too.',
      `Added: above a dyno without anything in between. Calm: in those runs in which the host of this machine took nothing away; it took ${percent(median(stolen))} of the processors' time in the median run.`,
    ].join('\n'),
    columns: [
      '',
      'requests/s',
      'CPU µs each',
      'requests a CPU s',
      'of HAProxy’s',
      'best of both',
      'half load: CPU µs each',
      'p50',
      'p99',
      'p50 added',
      'p99 added',
      'calm runs',
      'p99 added, calm',
    ],
    rows: targets.map(({ name }) => [
      name,
      formatInteger(middle(full.get(name), ({ requestsPerS }) => requestsPerS)),
      formatDecimal(
        middle(full.get(name), ({ cpuMicros }) => cpuMicros),
        1,
      ),
      formatInteger(capacity(name)),
      formatDecimal(capacity(name) / capacity('HAProxy')),
      formatDecimal(best('HAProxy') / best(name)),
      formatDecimal(
        middle(half.get(name), ({ cpuMicros }) => cpuMicros),
        1,
      ),
      `${formatDecimal(middle(half.get(name), p50))} ms`,
      `${formatDecimal(middle(half.get(name), p99))} ms`,
      added(name, p50),
      added(name, p99),
      formatInteger(calm(name).length),
      added(name, p99, calm),
    ]),
  };
}

const p50 = ({ p50Ms }: Delay): number => p50Ms;
const p99 = ({ p99Ms }: Delay): number => p99Ms;

/** `7 %` */
function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

await runIfMain(import.meta.url, measure);
