/** App performance: what the router, the dynos and the app itself say in numbers arrives, is kept, and is seen in a real browser. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notedProcess } from '../../../support/addons/addon-server.ts';
import { APP_FILES, fetchFromApp, GitRepository } from '../../../support/git-repository.ts';
import { logplexLine, octetCounted, postLogs, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';
import { launchBrowser, noBrowser, PHONE, Tab } from '../../../web/browser-tab.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly web_url: string;
}
interface Report {
  readonly totals: { readonly requests: number; readonly errors: number; readonly lines: number };
  readonly routes: readonly { readonly route: string; readonly count: number }[];
  readonly samples: Readonly<Record<string, { readonly sources: Readonly<Record<string, unknown>> }>>;
  readonly counts: Readonly<Record<string, readonly number[]>>;
}

const report = (server: Server, { id }: Addon, query = '') =>
  server.request<Report>('GET', `/addons/${id}/page/api/report${query}`);

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

async function addMetrics(server: Server, app: string, plan = 'metrics'): Promise<Addon> {
  return server.request<Addon>('POST', `/apps/${app}/addons`, { plan });
}

function pidOfService(server: Server, { id }: Addon): Promise<number> {
  return until('the process of the add-on', () => notedProcess(server, id));
}

describe('app performance', () => {
  it('counts requests by route, dynos’ memory and load, and what the app measures', async () => {
    const server = await startServerForTest({ env: { TAILRACE_DYNO_SAMPLE: '200ms' } });
    const repository = new GitRepository(server, APP_FILES);
    await repository.tailrace('create', 'shop');
    await repository.push();
    const addon = await addMetrics(server, 'shop');
    await fetchFromApp(server, 'shop');
    for (let i = 0; i < 20; i++)
      await fetch(`http://127.0.0.1:${server.routerPort}/users/${i}`, {
        headers: { host: 'shop.localhost' },
      }).catch(() => undefined);
    await pushLines(server, await server.tokenOf('shop', 'app'), [
      'count#signups=2 measure#db.get=7ms',
      'count#signups=3',
    ]);
    await until('all figures', async () => {
      const { totals, counts, samples, routes } = await report(server, addon);
      const signups = Object.entries(counts).find(([name]) => name.startsWith('signups '))?.[1] ?? [];
      return (
        totals.requests >= 21 &&
        signups.reduce((sum, count) => sum + count, 0) === 5 &&
        Object.keys(samples.memory_total?.sources ?? {}).some((source) => source.startsWith('web.')) &&
        Object.keys(samples.load_avg_1m?.sources ?? {}).some((source) => source.startsWith('web.')) &&
        (routes.find(({ route }) => route === 'GET /users/:id')?.count ?? 0) === 20
      );
    });
    const { METRICS_URL: url } = await server.request<Record<string, string>>(
      'GET',
      '/apps/shop/config-vars',
    );
    const { username, password, origin } = new URL(url);
    expect(username).toBe('metrics');
    const asPrometheus = await fetch(`${origin}/metrics`, {
      headers: { authorization: `Basic ${btoa(`metrics:${password}`)}` },
    });
    expect(await asPrometheus.text()).toMatch(/^app_http_requests_total\{method="GET",status="\d+"\} \d+$/m);
    expect((await fetch(`${origin}/metrics`)).status).toBe(401);
    const drains = await server.request<{ url: string; addon?: { name: string } }[]>(
      'GET',
      '/apps/shop/log-drains',
    );
    expect(drains).toMatchObject([{ addon: { name: addon.name } }]);
    expect(JSON.stringify(drains)).not.toContain(password);
    await server.request('DELETE', `/apps/shop/addons/${addon.name}`);
    expect(await server.request('GET', '/apps/shop/log-drains')).toEqual([]);
  });

  it('killed again and again while lines come counts each line once', async () => {
    const server = await startServerForTest();
    const app = await server.createApp();
    const addon = await addMetrics(server, app.name);
    let sent = 0;
    const counted = async (): Promise<number> => {
      const all = await report(server, addon).catch(() => undefined);
      return all ? sumOf(Object.values(all.counts).flat()) : -1;
    };
    for (let kills = 0; kills < 10; kills++) {
      // One that never worked, as far as the server has seen, would be started again after a while only.
      await until('what was sent', async () => (await counted()) >= sent);
      const pid = await pidOfService(server, addon);
      await pushLines(server, app.token, ['count#n=1', 'count#n=1', 'count#n=1']);
      process.kill(pid, 'SIGKILL');
      await pushLines(server, app.token, ['count#n=1', 'count#n=1']);
      sent += 5;
      await until('another process', async () => (await pidOfService(server, addon)) !== pid);
    }
    await until('all lines', async () => (await counted()) >= sent, 60_000);
    expect(await counted()).toBe(sent);
  });

  it('refuses ranges that are none, with what to write', async () => {
    const server = await startServerForTest();
    const { name } = await server.createApp();
    const addon = await addMetrics(server, name);
    await expect(report(server, addon, '?from=soon')).rejects.toThrow(/422.*soon.* is no time: write how/);
    await expect(report(server, addon, '?from=10m&to=20m')).rejects.toThrow(/before/);
    expect((await report(server, addon)).totals).toMatchObject({ requests: 0, errors: 0 });
  });

  it('keeps its figures and its drain when the server restarts and its port is taken', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    const addon = await addMetrics(before, app.name);
    await pushLines(before, app.token, ['count#n=4']);
    const counted = async (server: Server): Promise<number> =>
      Object.values((await report(server, addon).catch(() => undefined))?.counts ?? {})
        .flat()
        .reduce((sum, count) => sum + count, 0);
    await until('the figure', async () => (await counted(before)) === 4);
    await before.close();
    const after = await startServerForTest({ data });
    await pushLines(after, app.token, ['count#n=3']);
    await until('both figures', async () => (await counted(after)) === 7);
  });
});

describe.skipIf(noBrowser)('its page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it('shows plots and routes, zooms, and is readable in both colors and on a phone', async () => {
    const server = await startServerForTest();
    const app = await server.createApp('shop');
    const heroku = await server.tokenOf('shop', 'heroku');
    const addon = await addMetrics(server, app.name);
    await pushFigures(server, app, heroku);
    await until('figures', async () => (await report(server, addon)).totals.requests === 60);
    for (const options of [
      { colorScheme: 'dark' },
      { colorScheme: 'light' },
      { colorScheme: 'dark', ...PHONE },
    ] as const) {
      const { web_url: link } = await server.request<Addon>('GET', `/addons/${addon.name}`);
      const page = await (await browser.newContext(options)).newPage();
      const tab = new Tab(page, server);
      await page.goto(link.replace('localhost', '127.0.0.1'));
      await page.getByRole('heading', { name: /App performance/ }).waitFor();
      await page.getByRole('row', { name: /GET \/users\/:id/ }).waitFor();
      expect(await page.locator('.plot figcaption').allInnerTexts()).toEqual(
        expect.arrayContaining(['Throughput /min', 'Latency ms', 'Memory MB']),
      );
      expect(await page.locator('canvas[role=img]').count()).toBeGreaterThan(3);
      const wide = await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
      expect(wide).toBe(false);
      const right = await page.evaluate<number>(
        "Math.max(...[...document.querySelectorAll('.plot, .ranges, .help-button')].map((one) => one.getBoundingClientRect().right - screen.width))",
      );
      expect(right).toBeLessThanOrEqual(0);
      await tab.screenshot(`metrics-${options.colorScheme}-${'isMobile' in options ? 'phone' : 'desktop'}`);
      if (!('isMobile' in options)) {
        const plot = await page.locator('.u-over').first().boundingBox();
        if (!plot) throw new Error('no plot');
        await page.mouse.move(plot.x + plot.width * 0.5, plot.y + 40);
        await page.mouse.down();
        await page.mouse.move(plot.x + plot.width * 0.9, plot.y + 40, { steps: 5 });
        await page.mouse.up();
        await page.waitForURL(/#\d{13}-\d{13}$/);
        await page.keyboard.press('2');
        await page.waitForURL(/#6h$/);
      }
      expect(tab.consoleErrors).toEqual([]);
      expect(tab.foreignRequests.filter((url) => !url.includes(new URL(server.url).host))).toEqual([]);
      await page.context().close();
    }
  });

  it('without figures says where they come from', async () => {
    const server = await startServerForTest();
    await server.createApp('shop');
    const addon = await addMetrics(server, 'shop');
    const page = await browser.newPage();
    await page.goto(addon.web_url.replace('localhost', '127.0.0.1'));
    await page.getByText('No figures in the last 1h').waitFor();
    await page.close();
  });
});

async function pushAs(
  server: Server,
  token: string,
  dyno: string,
  messages: readonly string[],
): Promise<void> {
  const body = messages.map((message) => octetCounted(logplexLine(message, 'token', dyno)));
  const { status } = await postLogs(server, token, Buffer.concat(body));
  expect(status).toBe(204);
}

async function pushFigures(server: Server, app: App, heroku: string): Promise<void> {
  const router = Array.from(
    { length: 60 },
    (_, i) =>
      `at=info method=GET path="${i % 3 === 0 ? '/' : `/users/${i}`}" host=shop.localhost request_id=${i} fwd="1.2.3.4" dyno=web.1 connect=1ms service=${5 + i * 3}ms status=${i % 20 === 19 ? 500 : 200} bytes=${i} protocol=http`,
  );
  await pushAs(server, heroku, 'router', router);
  await pushAs(server, heroku, 'web.1', [
    'source=web.1 dyno=heroku.1 sample#memory_total=48.5MB sample#load_avg_1m=0.3',
  ]);
  await pushLines(server, app.token, ['measure#db.get=7ms count#signups=2 sample#queue=4']);
}
