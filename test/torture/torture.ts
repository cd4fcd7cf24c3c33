/**
 * Numbered lines from several producers, through several routers, to a recording drain, while routers, Redis and the
 * drain are killed at random; afterwards every promise is checked.
 */

import { seededRandom } from '../support/properties/seeded-random.ts';
import { RedisServer } from '../support/redis/redis-server.ts';
import { until } from '../support/until.ts';
import { type CheckResult, checkDelivery } from './delivery-check.ts';
import { TortureProducer } from './producer.ts';
import { type FailureMode, RecordingDrain } from './recording-drain.ts';
import { RouterProcess } from './router-process.ts';

export interface TortureOptions {
  readonly seconds: number;
  /** The same seed brings the same faults in the same order. */
  readonly seed: number;
  readonly routers: number;
  readonly producers: number;
  /** Lines that the stream holds: with few of them the drain loses some, and reports L10s. */
  readonly streamLines?: number;
  readonly log: (text: string) => void;
}

export interface TortureResult extends CheckResult {
  readonly faults: Readonly<Record<string, number>>;
  readonly rejections: number;
}

/** How long everything may take to arrive in the end. */
const QUIESCE_TIMEOUT_MS = 60_000;
const APP = 'torture';

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const random = seededRandom(options.seed);
  const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
  const env = {
    REDIS_URL: redis.url,
    ...(options.streamLines ? { TAILRACE_STREAM_LINES: String(options.streamLines) } : {}),
  };
  const routers = Array.from({ length: options.routers }, () => new RouterProcess(env));
  const drain = new RecordingDrain();
  try {
    await Promise.all([drain.open(), ...routers.map((router) => router.start())]);
    const [first] = routers;
    await first.request('POST', '/apps', { name: APP });
    await first.request('POST', `/apps/${APP}/log-drains`, { url: drain.url });
    const tokens = await first.request<{ token: string }[]>('GET', `/apps/${APP}/tokens`);
    const endpoints = (): string[] => routers.filter(({ isRunning }) => isRunning).map(({ url }) => url);
    const producers = Array.from(
      { length: options.producers },
      (_, i) =>
        new TortureProducer(
          `p${i}`,
          tokens[0].token,
          i % 2 === 0,
          endpoints,
          seededRandom(options.seed + i + 1),
        ),
    );

    if (options.streamLines) await overflowStream(options, drain, producers, routers);
    const faults = await injectFaults({ options, random, redis, routers, drain });
    options.log('no more faults; everything has to arrive now');
    await Promise.all(producers.map((producer) => producer.stop()));
    await until('the drain is up to date', () => isUpToDate(first), QUIESCE_TIMEOUT_MS).catch(
      (error: unknown) => {
        options.log(String(error)); // the result says what is missing
      },
    );
    const stored = await first.messages(APP);
    const isComplete = stored.length < 100_000 && !options.streamLines;
    const [{ delivery }] = await first.request<DrainStatus[]>('GET', `/apps/${APP}/log-drains`);
    const finalState = { lost: delivery.lost, stored: isComplete ? stored : undefined };
    const result = checkDelivery(producers, drain.requests, finalState);
    if (result.violations.length > 0) for (const router of routers) options.log(router.log);
    return {
      ...result,
      faults,
      rejections: producers.reduce((sum, producer) => sum + producer.rejections, 0),
    };
  } finally {
    await Promise.all(routers.map((router) => router.remove()));
    await drain.close();
    await redis.remove();
  }
}

interface FaultTargets {
  readonly options: TortureOptions;
  readonly random: () => number;
  readonly redis: RedisServer;
  readonly routers: readonly RouterProcess[];
  readonly drain: RecordingDrain;
}

/**
 * The drain is unreachable until the stream can't hold any more what it missed, however slow this machine is, and until no router is
 * left that has more in memory than the stream.
 */
async function overflowStream(
  { streamLines = 0, log }: TortureOptions,
  drain: RecordingDrain,
  producers: readonly TortureProducer[],
  routers: readonly RouterProcess[],
): Promise<void> {
  const sum = (): number => producers.reduce((lines, { acknowledged }) => lines + acknowledged.length, 0);
  log('drain unreachable, until lines are lost');
  await drain.close();
  const before = sum();
  await until('more lines than the stream holds', () => sum() - before > 2 * streamLines, QUIESCE_TIMEOUT_MS);
  await Promise.all(routers.map((router) => router.stop('SIGKILL')));
  await Promise.all(routers.map((router) => router.start()));
  await drain.open();
}

/** One fault after the other until the time is up; then none is left. Returns how often each was injected. */
async function injectFaults({
  options,
  random,
  redis,
  routers,
  drain,
}: FaultTargets): Promise<Record<string, number>> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const pause = (fromMs: number, toMs: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, fromMs + random() * (toMs - fromMs)));
  const failureModes: readonly FailureMode[] = ['error', 'reset', 'accept-then-reset'];
  const faults: Record<string, () => Promise<void>> = {
    'router killed': async () => {
      const router = pick(routers);
      await router.stop('SIGKILL');
      await pause(0, 3_000);
      await router.start();
    },
    'router stopped': async () => {
      const router = pick(routers);
      await router.stop('SIGTERM');
      await router.start();
    },
    'router hung': async () => {
      const router = pick(routers);
      router.pause(true);
      await pause(500, 9_000);
      router.pause(false);
    },
    'redis killed': async () => {
      await redis.signal('SIGKILL');
      await pause(0, 2_000);
      await redis.start();
    },
    'redis hung': async () => {
      await redis.signal('SIGSTOP');
      await pause(200, 3_000);
      await redis.signal('SIGCONT');
    },
    'drain unreachable': async () => {
      await drain.close();
      await pause(200, 4_000);
      await drain.open();
    },
    'drain failing': async () => {
      drain.failureMode = pick(failureModes);
      await pause(200, 4_000);
      drain.failureMode = 'none';
    },
  };
  const counts: Record<string, number> = {};
  const endMs = Date.now() + options.seconds * 1_000;
  while (Date.now() < endMs) {
    await pause(200, 1_500);
    const name = pick(Object.keys(faults));
    options.log(name);
    counts[name] = (counts[name] ?? 0) + 1;
    await faults[name]();
  }
  return counts;
}

interface DrainStatus {
  readonly delivery: { readonly lagLines: number; readonly lost: number };
}

async function isUpToDate(router: RouterProcess): Promise<boolean> {
  try {
    const [{ delivery }] = await router.request<DrainStatus[]>('GET', `/apps/${APP}/log-drains`);
    return delivery.lagLines === 0;
  } catch {
    return false; // Redis may not be back yet
  }
}
