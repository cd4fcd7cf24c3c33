/** The viewer as an add-on: its page below an address of the server's, signed in by that. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';
import { launchBrowser, noBrowser, openAddonPage } from '../browser-tab.ts';

describe.skipIf(noBrowser)('the page of an add-on for logs', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('shows the app’s lines, searches them, and goes on with what comes', async () => {
    const app = await server.createApp('shop');
    const { name } = await server.request<{ name: string }>('POST', `/apps/${app.name}/addons`, {
      plan: 'papertrail',
    });
    await pushLines(server, app.token, ['one status=200', 'two status=500']);
    const tab = await openAddonPage(browser, server, name);
    await tab.waitForMessage('two status=500');
    await tab.waitUntilLive();
    await pushLines(server, app.token, ['three status=503']);
    await tab.waitForMessage('three status=503');
    await tab.page.locator('#search').fill('status:>=500');
    await tab.page.keyboard.press('Enter');
    await tab.waitForLineCount(2);
    await tab.page.getByRole('button', { name: 'Save this search' }).click();
    await tab.page.getByLabel('Name').fill('Errors');
    await tab.page.getByRole('button', { name: 'Save', exact: true }).click();
    await tab.page.getByRole('button', { name: /^Errors/ }).waitFor();
    // Who is signed in elsewhere neither signs out here nor lets others in.
    expect(await tab.page.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
    expect(await tab.page.getByRole('link', { name: 'People' }).count()).toBe(0);
    await tab.page.reload();
    await tab.waitForLineCount(2);
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });
});
