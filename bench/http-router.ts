/**
 * The HTTP router in front of two web dynos, beside nginx and HAProxy as reverse proxies of the same two: requests a
 * second, processor time for each, and what is added to the latency at half of the load.
 *
 *   node dist/bench/http-router.js [--seconds 2] [--runs 3] [--connections 32]
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import type { GetOrder, GetResult } from './programs/http-get-load.ts';
import { cpuSeconds } from './rig/proc.ts';
import { decimal, median, progress, readFlags, runAlone, type Table, whole } from './rig/report.ts';
import { reverseProxies } from './rig/reverse-proxies.ts';
import { ask, hear, makeFolder, removeFolder, startHelper, stop, TAILRACE } from './rig/scratch.ts';
import { serve } from './rig/tailrace.ts';

const APP = 'bench';
const HOST = `${APP}.localhost`;
/** So long until V8 has compiled what it is going to compile. */
const WARM_UP_S = 3;

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
}

/** The cheapest dyno there is: nginx with a fixed answer (its port), so that what is in front of it is measured. */
const DYNO_CONF = `daemon off; master_process off; pid PORT.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path PORT.a; proxy_temp_path PORT.b;
  fastcgi_temp_path PORT.c; uwsgi_temp_path PORT.d; scgi_temp_path PORT.e;
  server { listen 127.0.0.1:PORT; location / { default_type text/plain; return 200 "PORT\\n"; } } }
`;

export async function measure(args: readonly string[]): Promise<Table> {
  const { seconds, runs, connections } = readFlags(args, { seconds: 2, runs: 3, connections: 32 });
  const folder = makeFolder('http-router');
  writeFileSync(join(folder, 'dyno.conf'), DYNO_CONF);
  writeFileSync(
    join(folder, 'Procfile'),
    'web: sed "s/PORT/$PORT/g" dyno.conf >$PORT.conf && exec /usr/sbin/nginx -p "$PWD" -c $PORT.conf\n',
  );
  const server = await serve();
  await server.ask('POST', '/apps', { name: APP });
  for (const args of [['push'], ['scale', 'web=2']])
    execFileSync(TAILRACE, [...args, '-a', APP], {
      cwd: folder,
      env: { ...process.env, TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const { web_url: webUrl } = await server.ask<{ web_url: string }>('GET', `/apps/${APP}`);
  const routerPort = Number(new URL(webUrl).port);
  const generator = startHelper('http-get-load');
  await hear(generator, (message) => (message as { ready?: boolean }).ready, 10_000);
  const dynoPorts = await bothDynos(routerPort);
  const others = await reverseProxies(dynoPorts);
  const targets: Target[] = [{ name: 'tailrace', port: routerPort, pid: server.pid }, ...others];
  const direct: Target = { name: 'a dyno itself', port: dynoPorts[0], pid: undefined };
  const load = (port: number, secondsNow: number, rate?: number): Promise<GetResult> => {
    const order: GetOrder = { port, host: HOST, connections, seconds: secondsNow, ...(rate ? { rate } : {}) };
    return ask<GetResult>(generator, order, (secondsNow + 20) * 1_000);
  };
  const full = new Map<string, Run[]>();
  const half = new Map<string, Delay[]>();
  try {
    for (const { port } of [...targets, direct]) await load(port, WARM_UP_S);
    for (let round = 1; round <= runs; round++)
      for (const { name, port, pid } of [...targets, direct]) {
        const before = pid === undefined ? 0 : cpuSeconds(pid);
        const { requests, seconds: took, failures } = await load(port, seconds);
        if (failures > 0) throw new Error(`${failures} requests to ${name} failed`);
        const cpu = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
        const run = { requestsPerS: requests / took, cpuMicros: (cpu / requests) * 1e6 };
        full.set(name, [...(full.get(name) ?? []), run]);
        progress(`HTTP router, ${name}, run ${round}: ${whole(run.requestsPerS)} requests/s`);
      }
    const rate = Math.round(median((full.get('tailrace') ?? []).map(({ requestsPerS }) => requestsPerS)) / 2);
    for (let round = 1; round <= runs; round++)
      for (const { name, port } of [...targets, direct]) {
        const { p50Ms, p99Ms, failures } = await load(port, seconds, rate);
        if (failures > 0) throw new Error(`${failures} requests to ${name} failed at half load`);
        half.set(name, [...(half.get(name) ?? []), { p50Ms, p99Ms }]);
        progress(`at ${whole(rate)} requests/s, ${name}: ${decimal(p50Ms)} ms, p99 ${decimal(p99Ms)} ms`);
      }
    return table([...targets, direct], { full, half, rate, connections, runs });
  } finally {
    for (const other of others) await other.stop();
    await stop(generator);
    await server.stop();
    removeFolder(folder);
  }
}

/** The ports of the two dynos, which is what they answer. */
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
}

function table(targets: readonly Target[], { full, half, rate, connections, runs }: Seen): Table {
  const middle = <T>(all: readonly T[] | undefined, of: (one: T) => number): number =>
    median((all ?? []).map(of));
  const capacity = (name: string): number => 1e6 / middle(full.get(name), ({ cpuMicros }) => cpuMicros);
  const bare = half.get('a dyno itself');
  return {
    title: 'HTTP router → two web dynos',
    note: [
      `autocannon, ${connections} connections, small GETs to two dynos that cost next to nothing (nginx with a fixed answer); medians of ${runs} runs.`,
      'Requests a CPU second are what one core of the proxy could do: here load, dynos and proxy share two.',
      'tailrace writes and stores a line about each request meanwhile, nginx and HAProxy (one worker each) write none.',
      `Added latency: at an even ${whole(rate)} requests/s, half of what tailrace did, above that of a dyno without anything in between.`,
    ].join('\n'),
    columns: ['', 'requests/s', 'CPU µs each', 'requests a CPU s', 'of HAProxy’s', 'p50 added', 'p99 added'],
    rows: targets.map(({ name, pid }) => [
      name,
      whole(middle(full.get(name), ({ requestsPerS }) => requestsPerS)),
      decimal(
        middle(full.get(name), ({ cpuMicros }) => cpuMicros),
        1,
      ),
      whole(capacity(name)),
      decimal(capacity(name) / capacity('HAProxy')),
      ...(pid === undefined
        ? [
            `(${decimal(middle(bare, ({ p50Ms }) => p50Ms))} ms)`,
            `(${decimal(middle(bare, ({ p99Ms }) => p99Ms))} ms)`,
          ]
        : (['p50Ms', 'p99Ms'] as const).map((which) => {
            const added =
              middle(half.get(name), (delay) => delay[which]) - middle(bare, (delay) => delay[which]);
            return `${decimal(added)} ms`;
          })),
    ]),
  };
}

await runAlone(import.meta.url, measure);
