/**
 * What a scrape of /metrics costs when there are many apps and drains, with and without a bound of their series.
 *
 *   node dist/bench/many-apps/scrapes.js [--apps 10000] [--drains 1000] [--scrapes 20] [--only embedded|Redis]
 */
import { startServer } from '../rig/bench-server.ts';
import { cpuSeconds } from '../rig/proc.ts';
import { redisVersion, startRedis } from '../rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { createApps } from './create-apps.ts';

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { apps: 10_000, drains: 1_000, scrapes: 20 }, ['only']);
  const { apps: count, drains, scrapes, only } = flags;
  const stores = ['embedded', ...(redisVersion() ? ['Redis'] : [])].filter((name) => !only || name === only);
  const rows: string[][] = [];
  for (const store of stores)
    for (const series of ['100', '100000']) {
      const redis = store === 'Redis' ? await startRedis() : undefined;
      const server = await startServer({ REDIS_URL: redis?.url ?? '', TAILRACE_METRICS_APPS: series });
      try {
        await createApps(server, count, async ({ name, token }, number) => {
          if (number < drains) await server.addDrain(name, `https://127.0.0.1:9/${number}`);
          const headers = {
            authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
            'content-type': 'text/plain',
          };
          await fetch(`${server.url}/logs`, { method: 'POST', headers, body: 'a line' });
        });
        const get = async (path: string): Promise<number> => {
          const response = await fetch(server.url + path, {
            headers: { authorization: `Bearer ${server.key}` },
          });
          return (await response.text()).length;
        };
        const costOf = async (path: string): Promise<[ms: number, bytes: number]> => {
          const before = cpuSeconds(server.pid);
          let bytes = 0;
          for (let i = 0; i < scrapes; i++) bytes = await get(path);
          return [((cpuSeconds(server.pid) - before) / scrapes) * 1_000, bytes];
        };
        // Sizes are read once a minute: apart from that.
        const [firstMs] = await (async () => {
          const before = cpuSeconds(server.pid);
          await get('/metrics');
          return [(cpuSeconds(server.pid) - before) * 1_000];
        })();
        const [metricsMs, bytes] = await costOf('/metrics');
        const [statusMs] = await costOf('/status');
        const row = [
          store,
          series === '100' ? '100' : 'all',
          formatDecimal(firstMs, 0),
          formatDecimal(metricsMs, 1),
          `${formatInteger(Math.round(bytes / 1_000))} KB`,
          formatDecimal(statusMs, 1),
        ];
        logProgress(`scrapes: ${row.join(', ')}`);
        rows.push(row);
      } finally {
        await server.stop();
        await redis?.stop();
      }
    }
  return {
    title: 'A scrape of many apps',
    note: `${formatInteger(count)} apps that have sent a line each, ${formatInteger(drains)} drains that fail; processor time of the server, ms, means of ${scrapes}. Drains retry meanwhile.`,
    columns: ['store', 'series by app', 'the first', '/metrics', 'size', '/status'],
    rows,
  };
}

await runIfMain(import.meta.url, measure);
