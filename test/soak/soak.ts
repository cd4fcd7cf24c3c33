/** A server at a steady rate while everything around it comes and goes: what grows? */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { quantile } from '../../bench/rig/report.ts';
import { seededRandom } from '../support/properties/seeded-random.ts';
import { until } from '../support/until.ts';
import { pause } from '../torture/senders/numbered.ts';
import { Churn } from './churn.ts';
import {
  descriptorsOf,
  figuresOf,
  type HeapFigures,
  Inspector,
  mappedMemoryOf,
  readMetrics,
  sizesIn,
} from './process-sampler.ts';
import type { Finding, Series } from './report.ts';
import { SoakServer } from './soak-server.ts';
import { CountingSink, CountingTail, SteadySender } from './steady-lines.ts';
import { grows, type Point, trendOf } from './trend.ts';

export interface SoakOptions {
  readonly seconds: number;
  /** Lines a second. */
  readonly rate: number;
  readonly seed: number;
  /** Between two samples. */
  readonly sampleMs: number;
  /** So many times garbage is collected, to see what is left. */
  readonly collections: number;
  /** The longest pause of what comes and goes. */
  readonly pauseMaxMs: number;
  /** Of the server. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given heap snapshots of the beginning and the end. */
  readonly onSnapshot?: (name: string, snapshot: string) => void;
  readonly log: (text: string) => void;
}

export interface SoakResult {
  readonly findings: readonly Finding[];
  readonly violations: readonly string[];
  readonly sent: number;
  readonly counts: ReadonlyMap<string, number>;
  /** CPU time of the server, seconds a second. */
  readonly cores: number;
  /** What is open once everybody is gone, beside what was open before they came. */
  readonly leftBehind: Readonly<
    Record<'descriptors' | 'processes', readonly [before: number, after: number]>
  >;
}

/** Of what memory and the data folder are made of, the largest are logged. */
const LISTED_MAX = 16;
/** The first part of a run fills caches. */
const WARM_UP_SHARE = 0.15;
/** What the stream of the steady lines holds: full after some minutes, and longer than any reader stays behind. */
const STEADY_BYTES = 64 * 1_048_576;
const QUIET_MS = 60_000;
/** Nothing more was closed for so long. */
const REST_MS = 5_000;

/** Which series are judged: by how much they may grow over the run, as a share and at least. */
const JUDGED: Readonly<Record<string, { readonly share: number; readonly floor: number }>> = {
  resident: { share: 0.05, floor: 5 },
  heap: { share: 0.05, floor: 2 },
  external: { share: 0.05, floor: 2 },
  descriptors: { share: 0.02, floor: 3 },
  threads: { share: 0, floor: 0 },
  processes: { share: 0.1, floor: 2 },
  timers: { share: 0.05, floor: 5 },
  handles: { share: 0.05, floor: 5 },
  disk: { share: 0.05, floor: 8 },
  age: { share: 0.5, floor: 50 },
  lag: { share: 0.5, floor: 50 },
};

const TITLES: readonly (readonly [name: string, title: string, unit: Series['unit']])[] = [
  ['resident', 'memory in RAM', 'MB'],
  ['heap', 'JavaScript heap after collection', 'MB'],
  ['external', 'memory outside of the heap', 'MB'],
  ['buffers', 'of it buffers of JavaScript', 'MB'],
  ['native', 'anonymous memory that is neither', 'MB'],
  ['descriptors', 'descriptors', ''],
  ['threads', 'threads', ''],
  ['processes', 'processes below it', ''],
  ['timers', 'timers', ''],
  ['handles', 'sockets, pipes and other handles', ''],
  ['disk', 'data folder', 'MB'],
  ['age', 'age of a line at a tail, p99', 'ms'],
  ['lag', 'event loop lag, most of a minute', 'ms'],
  ['rate', 'lines at the drain', 'lines/s'],
  ['observer', 'event loop delay of what measures, p99', 'ms'],
];

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { seconds, rate, seed, log } = options;
  const closers: (() => unknown)[] = [];
  try {
    return await run();
  } finally {
    for (const close of closers.reverse()) await close();
  }

  async function run(): Promise<SoakResult> {
    const server = await SoakServer.start(options.env ?? {});
    closers.push(() => server.close());
    const { pid } = server.program;
    const inspector = await Inspector.open(server.program);
    closers.push(() => inspector.close());
    const token = await server.createApp('soak-steady');
    await server.request('PATCH', '/apps/soak-steady/log-limits', { bytes: STEADY_BYTES });
    const sink = await CountingSink.open('drain');
    closers.push(() => sink.close());
    await server.request('POST', '/apps/soak-steady/log-drains', { url: `http://127.0.0.1:${sink.port}/` });
    const tail = new CountingTail(
      `${server.url.replace('http', 'ws')}/apps/soak-steady/tail?after=0`,
      server.key,
    );
    closers.push(() => tail.close());
    await tail.opened();

    const churn = new Churn({ server, random: seededRandom(seed), pauseMaxMs: options.pauseMaxMs });
    await churn.rehearse();
    const sender = new SteadySender(server.syslogPort, token, rate);
    const logMappings = (when: string): void => {
      const { anonymous, files } = mappedMemoryOf(pid);
      log(
        `${when}: anonymous memory: ${listOf(anonymous)}; pages of files: ${listOf(files)}; data folder: ${listOf(sizesIn(server.data))}; descriptors: ${[
          ...descriptorsOf(pid),
        ]
          .filter(([kind]) => !kind.startsWith('/'))
          .map(([kind, count]) => `${count} ${kind}`)
          .join(', ')}`,
      );
    };
    await until('the first lines', () => sink.counter.received > 0 && tail.counter.received > 0);
    const before = await atRest(pid);
    await churn.start();

    const series = new Map<string, Point[]>(TITLES.map(([name]) => [name, []]));
    const own = monitorEventLoopDelay({ resolution: 10 });
    own.enable();
    const beganMs = performance.now();
    const beganCpu = (await metricsOf(server)).get('process_cpu_seconds_total') ?? 0;
    const [cpu, problems] = await watch();
    const elapsed = (performance.now() - beganMs) / 1_000;
    if (!server.program.hasExited) logMappings('at the end');
    log('everybody goes');
    await churn.stop();
    // It is as it was before they came.
    const after = await atRest(pid, before);
    await sender.stop();
    const violations = [...problems, ...churn.failures];
    if (violations.length > 0) log(server.program.stderr.slice(-5_000));
    const everyone = [sink.counter, tail.counter];
    await until(
      'all lines',
      () => everyone.every(({ received }) => received === sender.sent),
      QUIET_MS,
    ).catch(() => {});
    for (const { name, received, violations: own } of everyone) {
      violations.push(...own);
      if (received !== sender.sent) violations.push(`${name} has ${received} of ${sender.sent} lines`);
    }
    if (options.onSnapshot) options.onSnapshot('end', await inspector.heapSnapshot());
    for (const what of ['descriptors', 'processes'] as const)
      if (after[what] > before[what])
        violations.push(
          `${after[what]} ${what} are there, and ${before[what]} were before; ${after.kinds} instead of ${before.kinds}`,
        );
    return {
      findings: judge(series, seconds),
      violations,
      sent: sender.sent,
      counts: churn.counts,
      cores: (cpu - beganCpu) / elapsed,
      leftBehind: {
        descriptors: [before.descriptors, after.descriptors],
        processes: [before.processes, after.processes],
      },
    };

    async function watch(): Promise<[cpu: number, problems: string[]]> {
      const problems: string[] = [];
      const collectEvery = Math.max(
        1,
        Math.floor((seconds * 1_000) / options.sampleMs / options.collections),
      );
      let received = 0;
      let lastMs = performance.now();
      let cpuSeconds = 0;
      for (let sample = 0; performance.now() - beganMs < seconds * 1_000; sample++) {
        await pause(options.sampleMs);
        if (server.program.hasExited) {
          problems.push(`the server ended: ${server.program.stderr.slice(-1_000)}`);
          break;
        }
        const now = performance.now();
        const at = (now - beganMs) / 1_000;
        const add = (name: string, value: number | undefined): void => {
          if (value !== undefined && !Number.isNaN(value)) series.get(name)?.push([at, value]);
        };
        const { residentMb, anonymousMb, descriptors, threads, processes } = figuresOf(pid);
        add('resident', residentMb);
        add('descriptors', descriptors);
        add('threads', threads);
        add('processes', processes);
        const metrics = await metricsOf(server);
        cpuSeconds = metrics.get('process_cpu_seconds_total') ?? cpuSeconds;
        add('lag', (metrics.get('tailrace_event_loop_lag_seconds') ?? NaN) * 1_000);
        const ages = tail.counter.takeAges();
        if (ages.length > 0) add('age', quantile(ages, 0.99));
        add('rate', ((sink.counter.received - received) * 1_000) / (now - lastMs));
        received = sink.counter.received;
        lastMs = now;
        add('observer', own.percentile(99) / 1e6);
        own.reset();
        add(
          'disk',
          [...sizesIn(server.data).values()].reduce((sum, one) => sum + one, 0),
        );
        if (sample % collectEvery > 0) continue;
        const heap = await inspector.figures();
        add('heap', heap.liveMb);
        add('external', heap.externalMb);
        add('buffers', heap.buffersMb);
        add('native', anonymousMb - heap.heapTotalMb - heap.externalMb);
        const [timers, handles] = countResources(heap);
        add('timers', timers);
        add('handles', handles);
        if (sample === collectEvery && options.onSnapshot)
          options.onSnapshot('begin', await inspector.heapSnapshot());
        if ((sample / collectEvery) % 8 === 1) logMappings(`${at.toFixed(0)} s`);
        log(
          `${at.toFixed(0)} s: ${residentMb.toFixed(0)} MB, heap ${heap.liveMb.toFixed(1)} MB, outside ${heap.externalMb.toFixed(1)} MB, ${descriptors} descriptors, ${sender.sent} lines sent, ${sink.counter.received} at the drain`,
        );
      }
      return [cpuSeconds, problems];
    }
  }
}

function listOf(megabytes: ReadonlyMap<string, number>): string {
  return [...megabytes]
    .filter(([, size]) => size >= 0.1)
    .sort(([, a], [, b]) => b - a)
    .slice(0, LISTED_MAX)
    .map(([what, size]) => `${size.toFixed(1)} MB ${what}`)
    .join(', ');
}

interface Rest {
  /** But files of streams: those stay open for a while, and how many there are depends on how much was written. */
  readonly descriptors: number;
  readonly processes: number;
  readonly kinds: string;
}

/** What is open when nobody comes; with a base of before it is waited for what goes a while after its users. */
async function atRest(pid: number, before?: Rest): Promise<Rest> {
  const now = (): Rest => {
    const kinds = [...descriptorsOf(pid)].filter(([kind]) => !kind.startsWith('/'));
    return {
      descriptors: kinds.reduce((sum, [, count]) => sum + count, 0),
      processes: figuresOf(pid).processes,
      kinds: kinds.map(([kind, count]) => `${count} ${kind}`).join(', '),
    };
  };
  if (!before) {
    // What waits for its next request is closed after some seconds.
    let [least, since] = [now(), performance.now()];
    await until(
      'a server at rest',
      () => {
        const current = now();
        if (current.descriptors < least.descriptors) [least, since] = [current, performance.now()];
        // The keeper of the dynos is there, and none of them.
        return current.processes <= 1 && performance.now() - since > REST_MS;
      },
      QUIET_MS,
    );
    return least;
  }
  await until(
    'everything to be closed',
    () => now().descriptors <= before.descriptors && now().processes <= before.processes,
    QUIET_MS,
  ).catch(() => {});
  return now();
}

async function metricsOf(server: SoakServer): Promise<ReadonlyMap<string, number>> {
  return readMetrics(await server.request<string>('GET', '/metrics'));
}

function countResources({ resources }: HeapFigures): [timers: number, handles: number] {
  let [timers, handles] = [0, 0];
  for (const [kind, count] of Object.entries(resources))
    if (/^(?:Timeout|Immediate)$/.test(kind)) timers += count;
    else if (/Wrap$/.test(kind)) handles += count;
  return [timers, handles];
}

function judge(series: ReadonlyMap<string, readonly Point[]>, seconds: number): Finding[] {
  return TITLES.map(([name, title, unit]) => {
    const points = series.get(name) ?? [];
    const trend = trendOf(points.filter(([at]) => at >= seconds * WARM_UP_SHARE));
    const bound = JUDGED[name];
    return {
      series: { name, title, unit, points },
      trend,
      isGrowing: bound && !Number.isNaN(trend.perHour) ? grows(trend, bound) : undefined,
    };
  });
}
