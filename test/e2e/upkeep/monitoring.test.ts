/** What operators watch: /metrics as Prometheus reads it, the alert rules and the dashboard that come with it, and `tailrace status`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PACKAGE_ROOT } from '../../../src/common/package-info.ts';
import { freePort } from '../../support/free-port.ts';
import { missing, Program, runProgram, runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RULES = join(PACKAGE_ROOT, 'deploy', 'prometheus', 'rules.yaml');
const RULES_TEST = join(PACKAGE_ROOT, 'test', 'fixtures', 'prometheus', 'rules-test.yaml');
const DASHBOARD = join(PACKAGE_ROOT, 'deploy', 'grafana', 'tailrace.json');

/** Names of metrics in PromQL; a histogram's without what its series add. */
function metricNames(expressions: string): string[] {
  const names = expressions.match(/\b(?:tailrace|process|nodejs)_[a-z_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, '')))];
}

const DASHBOARD_QUERIES: readonly string[] = (
  JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: { targets?: { expr: string }[] }[] }
).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const RULE_QUERIES = readFileSync(RULES, 'utf8').match(/^ +expr: .*$/gm) ?? [];

async function metricsOf(server: Server): Promise<string> {
  const response = await fetch(`${server.url}/metrics`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  expect(response.status).toBe(200);
  return response.text();
}

/** The value of a series, as it is written. */
function sampleOf(metrics: string, series: string): number | undefined {
  const line = metrics.split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function checkMetrics(metrics: string): Promise<void> {
  const checked = await runProgram('promtool', ['check', 'metrics'], { input: metrics });
  expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' });
}

describe.skipIf(missing('promtool'))('metrics', () => {
  let server: Server;
  const apps: App[] = [];
  let accepts = true;
  beforeAll(async () => {
    server = await startServer({ env: { TAILRACE_METRICS_APPS: '2' } });
    for (const name of ['first', 'second', 'third', 'fourth']) apps.push(await server.createApp(name));
  });
  afterAll(() => server?.close());

  it('follow Prometheus’ conventions, and the sums of apps without series of their own never fall', async () => {
    const [first, second, third, fourth] = apps;
    await pushLines(server, first.token, numberedMessages(30));
    await pushLines(server, second.token, numberedMessages(10));
    await pushLines(server, third.token, numberedMessages(20));
    const before = await metricsOf(server);
    await checkMetrics(before);
    const linesOf = (metrics: string, app: string): number | undefined =>
      sampleOf(metrics, `tailrace_in_lines_total{protocol="http",app="${app}"}`);
    // The largest ones, for good.
    expect(linesOf(before, 'first')).toBe(30);
    expect(linesOf(before, 'third')).toBe(20);
    expect(linesOf(before, '_other')).toBe(10);
    await pushLines(server, fourth.token, numberedMessages(500));
    await pushLines(server, second.token, numberedMessages(5));
    await server.request('DELETE', '/apps/second');
    const after = await metricsOf(server);
    expect(linesOf(after, 'third')).toBe(20);
    expect(linesOf(after, 'fourth')).toBeUndefined();
    expect(linesOf(after, '_other')).toBe(515);
    expect(sampleOf(after, 'tailrace_store_up{kind="embedded"}')).toBe(1);
    expect(sampleOf(after, 'tailrace_data_free_bytes')).toBeGreaterThan(0);
    expect(after).toMatch(/^tailrace_build_info\{version=".+",node=".+"\} 1$/m);
  });

  it('tell drains apart, up to a number, and of the others the worst', async () => {
    const [first, , third] = apps;
    const receiver = await startHttpReceiver(() => (accepts ? 200 : 503));
    const failing = await startHttpReceiver(() => 503);
    await server.createDrain(first, receiver.url);
    await server.createDrain(third, receiver.url);
    // The third one may have no series left, once these two have them.
    await until('both work', async () => {
      const text = await metricsOf(server);
      const own = text.match(/^tailrace_drain_up\{app="(?:first|third)".*\} 1$/gm) ?? [];
      return own.length === 2 && /^tailrace_drains\{state="idle"\} 2$/m.test(text);
    });
    await server.createDrain(third, failing.url);
    const tail = await new TailClient(server, third, { tail: true }).opened();
    await pushLines(server, third.token, ['waits']);
    const other = '{app="_other",drain="_other"}';
    const metrics = await until('the failure', async () => {
      const text = await metricsOf(server);
      return (sampleOf(text, `tailrace_drain_failures_total${other}`) ?? 0) > 0 ? text : undefined;
    });
    expect(sampleOf(metrics, `tailrace_drain_up${other}`)).toBe(0);
    expect(sampleOf(metrics, `tailrace_drain_lag_lines${other}`)).toBeGreaterThan(0);
    expect(metrics.match(/^tailrace_drain_up\{app="(first|third)".*\} 1$/gm)).toHaveLength(2);
    expect(sampleOf(metrics, 'tailrace_tails')).toBe(1);
    tail.disconnect();
    await checkMetrics(metrics);
    // Sizes may be a second old.
    const status = await until('the status', async () => {
      const { stdout } = await runTailrace(['status'], { env: server.env });
      return /logs: 4 apps, .*\n +largest +held +stored\n +fourth +/.test(stdout) && stdout;
    });
    expect(status).toMatch(
      /drains here +3, 1 of them failing: [\d,]+ lines wait, the oldest for .*, 0 lines lost\n/,
    );
    // One that is gone takes nothing off the sum.
    const [{ id }] = (await server.listDrains(third)).filter(({ url }) => url === failing.url);
    const sum = sampleOf(await metricsOf(server), `tailrace_drain_failures_total${other}`);
    await server.request('DELETE', `/apps/third/log-drains/${id}`);
    await until('it is gone', async () =>
      (await metricsOf(server)).includes('tailrace_drains{state="retrying"} 0'),
    );
    expect(
      sampleOf(await metricsOf(server), `tailrace_drain_failures_total${other}`) ?? sum,
    ).toBeGreaterThanOrEqual(sum!);
    accepts = false;
  });

  it.runIf(hasRedis)(
    'are all there that alerts and dashboard use, and stay there while Redis is away',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.remove());
      const shared = await startServerForTest({ env: { REDIS_URL: redis.url } });
      const app = await shared.createApp('shared');
      await pushLines(shared, app.token, ['a line']);
      const metrics = await metricsOf(shared);
      await checkMetrics(metrics);
      const types = `${metrics}${await metricsOf(server)}`;
      const used = metricNames([...RULE_QUERIES, ...DASHBOARD_QUERIES].join('\n'));
      expect(used.length).toBeGreaterThan(35);
      expect(used.filter((name) => !types.includes(`# TYPE ${name} `))).toEqual([]);
      expect(sampleOf(metrics, 'tailrace_store_up{kind="redis"}')).toBe(1);
      expect(sampleOf(metrics, 'tailrace_redis_memory_used_bytes')).toBeGreaterThan(0);
      expect(sampleOf(metrics, 'tailrace_stream_stored_bytes{app="shared"}')).toBeGreaterThan(0);
      await redis.signal('SIGKILL');
      const outage = await until('it says so', async () => {
        const text = await metricsOf(shared);
        return sampleOf(text, 'tailrace_store_up{kind="redis"}') === 0 ? text : undefined;
      });
      expect(sampleOf(outage, 'tailrace_in_lines_total{protocol="http",app="shared"}')).toBe(1);
    },
  );
});

describe.skipIf(missing('promtool', 'prometheus'))('the rules for Prometheus', () => {
  it('each have a test that holds when they fire and when they don’t, and an entry in the documentation', async () => {
    expect(await runProgram('promtool', ['check', 'rules', RULES])).toMatchObject({ status: 0, stderr: '' });
    const tested = await runProgram('promtool', ['test', 'rules', RULES_TEST]);
    expect(tested).toMatchObject({ status: 0, stderr: '' });
    const alerts = [...readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const tests = readFileSync(RULES_TEST, 'utf8');
    const docs = readFileSync(join(PACKAGE_ROOT, 'docs', 'operating.md'), 'utf8');
    expect(alerts.filter((name) => !tests.includes(`alertname: ${name}\n`))).toEqual([]);
    expect(alerts.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
  });

  it('and the queries of the dashboard are PromQL', async () => {
    const file = join(dataFolderForTest(), 'queries.yaml');
    const rules = DASHBOARD_QUERIES.map((expr, i) => ({
      record: `dashboard:query:${i}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(instance|app)/g, '.*'),
    }));
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(await runProgram('promtool', ['check', 'rules', file])).toMatchObject({ status: 0 });
  });

  it('are loaded by a Prometheus that is set up as ours, and scrapes a server with a key that may read', async () => {
    const server = await startServerForTest();
    const made = await runTailrace(['authorizations:create', '--scope', 'read', '--json'], {
      env: server.env,
    });
    const folder = dataFolderForTest();
    const { access_token: key } = JSON.parse(made.stdout) as { access_token: { token: string } };
    writeFileSync(join(folder, 'key'), key.token);
    writeFileSync(join(folder, 'rules.yaml'), readFileSync(RULES));
    const config = readFileSync(join(PACKAGE_ROOT, 'deploy', 'prometheus', 'prometheus.yaml'), 'utf8');
    writeFileSync(
      join(folder, 'prometheus.yaml'),
      config.replace('127.0.0.1:8601', new URL(server.url).host).replaceAll('15s', '1s'),
    );
    const port = await freePort();
    const args = [
      'config.file=prometheus.yaml',
      'storage.tsdb.path=data',
      `web.listen-address=127.0.0.1:${port}`,
    ];
    const prometheus = new Program(
      'prometheus',
      args.map((arg) => `--${arg}`),
      { cwd: folder },
    );
    onTestFinished(async () => {
      await prometheus.stop('SIGKILL');
    });
    interface Answer {
      readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    }
    const query = async (text: string): Promise<string | undefined> => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`);
      return ((await response.json()) as Answer).data.result.at(0)?.value[1];
    };
    await until('it has the server’s metrics', () =>
      query('tailrace_store_up{job="tailrace"}').then(
        (value) => value === '1',
        () => false,
      ),
    );
    expect(await query('up{job="tailrace"}')).toBe('1');
    interface Rules {
      readonly data: {
        readonly groups: readonly { readonly rules: readonly { readonly health: string }[] }[];
      };
    }
    await until('the rules are evaluated', async () => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/rules`);
      const rules = ((await response.json()) as Rules).data.groups.flatMap((group) => group.rules);
      return rules.length === RULE_QUERIES.length && rules.every(({ health }) => health === 'ok');
    });
    expect(await query('count(ALERTS{severity="page"}) or vector(0)')).toBe('0');
  });
});
