/** The search box of the live page. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postLogs, pushLines } from '../support/senders/send-lines.ts';
import { type Server, startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { launchBrowser, noBrowser, openApp } from './browser-tab.ts';

describe.skipIf(noBrowser)('the search box', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('takes the whole grammar, for the past and for what comes', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, [
      'status=200 a',
      'status=500 b',
      '{"user":{"id":7},"msg":"two words"}',
    ]);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(3);
    const box = tab.page.locator('#search');
    await box.fill('(status:>=500 OR user.id:7) since:1h');
    await tab.waitForLineCount(2);
    expect(new URL(tab.page.url()).searchParams.get('q')).toBe('(status:>=500 OR user.id:7) since:1h');
    await tab.waitUntilLive();
    await pushLines(server, app.token, ['status=201 c', 'status=503 d']);
    await tab.waitForMessage('status=503 d');
    await tab.waitForLineCount(3);
    // What ends in the past isn't waited for.
    await box.fill('status:* until:2100-01-01');
    await tab.waitForLineCount(4);
    expect(await tab.page.locator('.state').getAttribute('data-state')).toBe('past');
    expect(await tab.page.locator('.error-banner').count()).toBe(0);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('reads times as the browser shows them, wherever the server is', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['just now']);
    const timezoneId = 'Pacific/Kiritimati'; // 14 hours ahead
    const minute = (fromNow: number): string =>
      new Date(Date.now() + fromNow * 60_000).toLocaleString('sv', { timeZone: timezoneId }).slice(0, 16);
    const query = `q=${encodeURIComponent(`just since:"${minute(-5)}"`)}`;
    const tab = await openApp(browser, server, app, { query, timezoneId });
    await tab.waitForMessage('just now');
    await pushLines(server, app.token, ['just then']);
    await tab.waitForMessage('just then');
    await until('both in the histogram', async () =>
      /^2 ?lines/.test((await tab.page.locator('.line-sum').textContent()) ?? ''),
    );
    await tab.page.locator('#search').fill(`since:"${minute(5)}"`);
    await tab.waitForLineCount(0);
    // What the address says is what was typed.
    expect(new URL(tab.page.url()).searchParams.get('q')).toBe(`since:"${minute(5)}"`);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('keeps the rows while a search is unfinished, and says what is missing', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['one xx', 'two b', 'three xx']);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(3);
    const box = tab.page.locator('#search');
    const fault = tab.page.locator('#search-fault');
    await box.fill('xx');
    await tab.waitForLineCount(2);
    await box.fill('(xx OR');
    await fault.waitFor();
    expect(await fault.textContent()).toBe(
      '"OR" at character 5 has nothing behind it: write what is the alternative, or "OR" in quotes.',
    );
    expect(await box.getAttribute('aria-invalid')).toBe('true');
    expect(await box.getAttribute('aria-describedby')).toBe('search-fault');
    expect(await tab.lineCount()).toBe(2);
    expect(await tab.messages()).toEqual(['one xx', 'three xx']);
    expect(await tab.page.locator('.error-banner').count()).toBe(0);
    await tab.screenshot('search-fault');
    await box.fill('(xx OR two)');
    await tab.waitForLineCount(3);
    expect(await fault.count()).toBe(0);
    expect(await box.getAttribute('aria-invalid')).toBe('false');
    expect(tab.consoleErrors).toEqual([]);
    // What only the server can tell.
    await box.fill('/(/');
    await fault.waitFor();
    expect(await fault.textContent()).toMatch(/is not a regular expression/);
    expect(await tab.lineCount()).toBe(3);
    await box.fill('/^t/');
    await tab.waitForLineCount(2);
    expect(await fault.count()).toBe(0);
  });

  it('searches for a field of a line with its key', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, [
      '{"user":{"id":7},"msg":"first line"}',
      '{"order":7,"msg":"other"}',
      '{"user":{"id":77},"msg":"third"}',
    ]);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(3);
    const row = tab.page.locator('.row').first();
    /** Rows of a new search take the place of those before, folded, whenever they come. */
    const searchFor = async (field: string): Promise<void> => {
      const button = row.getByRole('button', { name: `Search for ${field}` });
      await until(`the button for ${field}`, async () => {
        if (await button.isVisible()) return true;
        if ((await row.getAttribute('data-expanded')) !== 'true') await row.locator('.expand-button').click();
        return false;
      });
      await button.click();
    };
    await searchFor('user.id');
    await tab.waitForLineCount(1);
    expect(await tab.page.locator('#search').inputValue()).toBe('user.id:7');
    await until('the address has it', () => new URL(tab.page.url()).searchParams.get('q') === 'user.id:7');
    await searchFor('msg');
    await until(
      'the box has it',
      async () => (await tab.page.locator('#search').inputValue()) === 'msg:"first line"',
    );
    await tab.waitForLineCount(1);
    expect(await tab.page.locator('.match').allInnerTexts()).toEqual(['first line']);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('narrows by a field, leaves it out, shows it as a column, and follows a trace', async () => {
    const app = await server.createApp();
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await pushLines(server, app.token, [
      `{"level":"warn","user":"ann","status":500,"trace_id":"${trace}"}`,
      `level=info user=bob status=200`,
      `level=info user=ann status=200`,
      `other service traceId=${trace} done=1`,
    ]);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(4);
    const box = tab.page.locator('#search');
    const inDetails = async (row: string, name: string): Promise<void> => {
      const line = tab.page.locator('.row', { hasText: row });
      if ((await line.getAttribute('data-expanded')) !== 'true') await line.locator('.expand-button').click();
      await line.getByRole('button', { name }).click();
    };
    await inDetails('500', 'Only this user');
    await tab.waitForLineCount(2);
    await inDetails('500', 'Not this status');
    await tab.waitForLineCount(1);
    expect(await box.inputValue()).toBe('user:ann -status:500');
    expect(await tab.messages()).toEqual(['level=info user=ann status=200']);
    await inDetails('user=ann', 'Only this level');
    await until(
      'the key is kept',
      async () => (await box.inputValue()) === 'user:ann -status:500 "level=info"',
    );
    await tab.waitForLineCount(1);
    await box.fill('');
    await tab.waitForLineCount(4);

    await inDetails('500', 'user as column');
    await inDetails('500', 'status as column');
    const cells = () => tab.page.locator('.row .column-cell').allInnerTexts();
    await until('columns', async () => (await cells()).join() === 'ann,500,bob,200,ann,200,,');
    await tab.screenshot('columns');
    const heads = await tab.page
      .locator('.column-heads .column-cell')
      .evaluateAll((all) =>
        all.map((one) =>
          Math.round(
            (one as unknown as { getBoundingClientRect(): { x: number } }).getBoundingClientRect().x,
          ),
        ),
      );
    const first = await tab.page
      .locator('.row')
      .first()
      .locator('.column-cell')
      .evaluateAll((all) =>
        all.map((one) =>
          Math.round(
            (one as unknown as { getBoundingClientRect(): { x: number } }).getBoundingClientRect().x,
          ),
        ),
      );
    expect(heads).toEqual(first);
    await tab.page.reload();
    await until('columns again', async () => (await cells()).length === 8);
    await tab.page.getByRole('button', { name: 'Remove the column user' }).click();
    await tab.page.getByRole('button', { name: 'Remove the column status' }).click();
    await tab.page.locator('.column-heads').waitFor({ state: 'detached' });

    await tab.page.locator('.row', { hasText: '500' }).locator('.expand-button').click();
    const link = tab.page.getByRole('link', { name: trace });
    expect(await link.getAttribute('href')).toBe(`/?app=${app.name}&q=${trace}`);
    await link.click();
    await tab.waitForLineCount(2);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('searches for a field of structured data with its key', async () => {
    const app = await server.createApp();
    const lines = ['o-77', 'o-771'].map((id) =>
      JSON.stringify({ message: `order ${id}`, order: { id }, took: 5 }),
    );
    const headers = { 'content-type': 'application/x-ndjson' };
    const { status, text } = await postLogs(server, app.token, `${lines.join('\n')}\n`, headers);
    expect(status, text).toBeLessThan(300);
    await pushLines(server, app.token, ['order.id is not o-77 here']);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(3);
    await tab.page.locator('#search').fill('order.id:o-77');
    await tab.waitForLineCount(1);
    await tab.page.locator('.row').first().locator('.expand-button').click();
    await tab.page.getByRole('button', { name: 'Search for took' }).click();
    await tab.waitForLineCount(2);
    expect(await tab.page.locator('#search').inputValue()).toBe('took:5');
    expect(tab.consoleErrors).toEqual([]);
  });
});
