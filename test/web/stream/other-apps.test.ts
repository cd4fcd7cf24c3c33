/** Apps that are renamed, deleted, made anew, and very many of them, while the page is open. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { launchBrowser, noBrowser, openApp, openPage } from '../browser-tab.ts';

describe.skipIf(noBrowser)('while the page is open', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('an app that is renamed is shown on, under its new name; another one of its old name isn’t', async () => {
    const ours = await server.createApp('ours');
    await pushLines(server, ours.token, ['one']);
    const tab = await openApp(browser, server, ours);
    await tab.waitForMessage('one');
    await server.request('PATCH', `/apps/${ours.id}`, { name: 'renamed' });
    const theirs = await server.createApp('ours');
    await pushLines(server, theirs.token, ['of another app']);
    await until('the new name', async () => (await tab.page.title()).startsWith('renamed'));
    expect(new URL(tab.page.url()).searchParams.get('app')).toBe('renamed');
    expect(await tab.page.getByLabel('App', { exact: true }).inputValue()).toBe('renamed');
    await pushLines(server, ours.token, ['two']);
    await tab.waitForMessage('two');
    // What is asked for from here on is of the same app.
    await tab.page.locator('#search').fill('two');
    await tab.waitForLineCount(1);
    expect(await tab.messages()).toEqual(['two']);
  });

  it('an app that is deleted and made anew isn’t taken for the same one, until somebody asks for that one', async () => {
    const before = await server.createApp('again');
    await pushLines(server, before.token, ['of the first']);
    const tab = await openApp(browser, server, before);
    await tab.waitForMessage('of the first');
    await server.request('DELETE', `/apps/${before.id}`);
    const after = await server.createApp('again');
    await pushLines(server, after.token, ['of the second']);
    await tab.page
      .getByText('The app whose lines these are is gone. Another one is called again now.')
      .waitFor();
    expect(await tab.messages()).toEqual(['of the first']);
    await tab.page.locator('select[name=level]').selectOption('errors');
    await tab.page.locator('#app-fault').waitFor();
    expect(await tab.messages()).toEqual(['of the first']);
    await tab.page.getByRole('button', { name: 'Show that one' }).click();
    await tab.waitForMessage('of the second');
    await tab.waitUntilLive();
    expect(await tab.messages()).toEqual(['of the second']);
    await tab.page.locator('.error-banner').waitFor({ state: 'detached' });
  });

  it('all apps together are those that come meanwhile, too', async () => {
    const first = await server.createApp('first');
    await pushLines(server, first.token, ['early']);
    const tab = await openPage(browser, server, { query: 'app=*' });
    await tab.waitForMessage('early');
    const second = await server.createApp('second');
    await pushLines(server, second.token, ['of a new app']);
    await tab.waitForMessage('of a new app');
  });

  it('all apps are there, however many; of those that are shown together it says how many', async () => {
    const COUNT = 230;
    await Promise.all(Array.from({ length: COUNT }, (_, i) => server.createApp(`many-${1_000 + i}`)));
    const last = `many-${1_000 + COUNT - 1}`;
    const tab = await openPage(browser, server, { query: `app=${last}` });
    await tab.waitUntilLive();
    const names = await tab.page.locator('select.app option').allInnerTexts();
    expect(names).toContain(last);
    expect(names.length).toBeGreaterThan(COUNT);
    expect(names[0]).toBe('The first 200 apps');
    expect(tab.consoleErrors).toEqual([]);
  });
});
