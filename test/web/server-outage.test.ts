import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasRedis, RedisServer } from '../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { dataFolderForTest, startServer } from '../support/server.ts';
import { launchBrowser, noBrowser, openApp } from './browser-tab.ts';

describe.skipIf(noBrowser)('during an outage', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it('of the server the page says so; when it is back, lines resume without a gap', async () => {
    const data = dataFolderForTest();
    const first = await startServer({ data });
    onTestFinished(() => first.kill());
    const app = await first.createApp();
    await pushLines(first, app.token, [...numberedMessages(20, 'before'), 'Error: cut in two']);
    const tab = await openApp(browser, first, app);
    await tab.waitForLineCount(21);
    await first.kill();
    await tab.page.getByText('The server is unreachable.').waitFor();
    await tab.waitForMessage('cut in two');
    await tab.screenshot('outage');

    const again = await startServer({ data, env: { TAILRACE_HTTP_PORT: new URL(first.url).port } });
    onTestFinished(() => again.kill());
    await pushLines(again, app.token, ['    at half (a.js:1:1)', ...numberedMessages(20, 'after')]);
    await tab.waitForMessage('after 19');
    // The second half of the trace has joined the first.
    expect(await tab.allPositions()).toEqual([
      ...Array.from({ length: 21 }, (_, i) => i + 1),
      ...Array.from({ length: 20 }, (_, i) => i + 23),
    ]);
    expect(await tab.lineCount()).toBe(42);
    await tab.page.locator('.error-banner').waitFor({ state: 'detached' });
  });

  it('a search leaves the rows, marks its field, and is shown when the server is back; so do filters', async () => {
    const data = dataFolderForTest();
    const first = await startServer({ data });
    onTestFinished(() => first.kill());
    const app = await first.createApp();
    await pushLines(first, app.token, [...numberedMessages(20, 'plain'), 'ERROR: the only one']);
    const tab = await openApp(browser, first, app);
    await tab.waitForLineCount(21);
    await first.kill();
    const states: (string | null)[] = [];
    const state = tab.page.locator('.state');
    await tab.page.locator('.state[data-state=unreachable]').waitFor();
    const box = tab.page.locator('#search');
    for (const q of ['only', '/on.y/']) {
      await box.fill(q);
      await tab.page.locator('#search-fault').waitFor();
      expect(await tab.page.locator('#search-fault').textContent()).toMatch(/shown as soon as it is back/);
      expect(await box.getAttribute('aria-invalid')).toBe('true');
      expect(await tab.lineCount()).toBe(21);
      states.push(await state.getAttribute('data-state'));
    }
    await box.fill('');
    await tab.page.locator('#search-fault').waitFor({ state: 'detached' });
    await tab.page.locator('select[name=level]').selectOption('errors');
    await tab.page.locator('#filter-fault').waitFor();
    expect(await tab.lineCount()).toBe(21);
    expect(await tab.page.locator('select[name=level]').inputValue()).toBe('error');
    states.push(await state.getAttribute('data-state'));
    expect(states).toEqual(['unreachable', 'unreachable', 'unreachable']);
    await tab.screenshot('outage-filter');

    const again = await startServer({ data, env: { TAILRACE_HTTP_PORT: new URL(first.url).port } });
    onTestFinished(() => again.kill());
    await tab.waitForLineCount(1);
    expect(await tab.messages()).toEqual(['ERROR: the only one']);
    await tab.page.locator('#filter-fault').waitFor({ state: 'detached' });
    await tab.waitUntilLive();
  });

  it.runIf(hasRedis)('of the store the page says that, and the server goes on', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const server = await startServer({ data: dataFolderForTest(), env: { REDIS_URL: redis.url } });
    onTestFinished(() => server.kill());
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(5, 'before'));
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('before 4');
    await redis.signal('SIGSTOP');
    await tab.page.getByText('The store is away: lines wait at their senders').waitFor();

    await redis.signal('SIGCONT');
    await tab.page.locator('.error-banner').waitFor({ state: 'detached' });
    await pushLines(server, app.token, numberedMessages(5, 'after'));
    await tab.waitForMessage('after 4');
  });
});
