/**
 * What many unused apps cost: 10,000 apps and 1,000 drains, all idle, on either store.
 *
 *   node dist/bench/idle-apps.js [--apps 10000] [--drains 1000] [--seconds 15] [--only embedded|Redis]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from './rig/bench-server.ts';
import { cpuSeconds, residentBytes } from './rig/proc.ts';
import { redisVersion, startRedis } from './rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';

/** Requests at a time while apps are made. */
const AT_A_TIME = 32;
/** What creating them left to do is done. */
const SETTLE_MS = 5_000;

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { apps: 10_000, drains: 1_000, seconds: 15 }, ['only']);
  const { apps, drains, seconds, only } = flags;
  const stores = ['embedded', ...(redisVersion() ? ['Redis'] : [])].filter((name) => !only || name === only);
  const rows: string[][] = [];
  for (const store of stores) {
    const redis = store === 'Redis' ? await startRedis() : undefined;
    const server = await startServer({ REDIS_URL: redis?.url ?? '' });
    try {
      await inParallel(apps, async (i) => {
        await server.request('POST', '/apps', { name: `idle-${i}` });
        if (i < drains) await server.addDrain(`idle-${i}`, `https://127.0.0.1:9/${i}`);
      });
      await sleep(SETTLE_MS);
      const before = [cpuSeconds(server.pid), redis ? cpuSeconds(redis.pid) : 0];
      await sleep(seconds * 1_000);
      const percent = (now: number, then: number): string =>
        `${formatDecimal(((now - then) / seconds) * 100, 1)} %`;
      const row = [
        store,
        percent(cpuSeconds(server.pid), before[0]),
        formatMegabytes(residentBytes(server.pid)),
        redis ? percent(cpuSeconds(redis.pid), before[1]) : '-',
      ];
      logProgress(`idle-apps: ${row.join(', ')}`);
      rows.push(row);
    } finally {
      await server.stop();
      await redis?.stop();
    }
  }
  return {
    title: 'Many apps that nobody uses',
    note: `${formatInteger(apps)} apps and ${formatInteger(drains)} drains, all idle, looked at for ${seconds} s.`,
    columns: ['store', 'CPU of a core', 'memory (RSS)', "Redis' CPU of a core"],
    rows,
  };
}

/** Calls `make` with 0, 1, 2 … */
async function inParallel(count: number, make: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await make(next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

await runIfMain(import.meta.url, measure);
