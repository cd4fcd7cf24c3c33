import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { type Server, startServer } from '../support/server.ts';
import { launchBrowser, noBrowser, openApp, openPage } from './browser-tab.ts';

describe.skipIf(noBrowser)('the API key', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('is taken out of the address bar, kept for this tab, and good after a reload', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(3));
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('line 2');
    expect(tab.page.url()).toBe(`${server.url}/?app=${app.name}`);
    await tab.page.reload();
    await tab.waitForMessage('line 2');
    expect(await tab.page.evaluate('localStorage.getItem("tailrace-key")')).toBeNull();
    expect(tab.consoleErrors).toEqual([]);
  });

  it('is requested when there is none, with how to get it; a wrong one is rejected', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(1, 'secret'));
    const tab = await openPage(browser, server, { key: '', query: `app=${app.name}` });
    await tab.page.getByText('tailrace auth:token').waitFor();
    await tab.screenshot('key');
    await tab.page.getByLabel('API key').fill('k.wrong');
    await tab.page.keyboard.press('Enter');
    await tab.page.getByText('The server doesn’t know this key.').waitFor();
    expect(await tab.page.content()).not.toContain('secret 0');
    await tab.page.getByLabel('API key').fill(server.key);
    await tab.page.keyboard.press('Enter');
    await tab.waitForMessage('secret 0');
  });

  it('is remembered by this browser when it is asked to: bookmarks just open, until somebody logs out', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(2, 'remembered'));
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('remembered 1');
    await tab.page.getByRole('button', { name: 'Remember', exact: true }).click();
    await tab.page.getByText('This browser is remembered').waitFor();
    expect(await tab.page.evaluate('sessionStorage.getItem("tailrace-key")')).toBeNull();
    const bookmark = await tab.page.context().newPage();
    await bookmark.goto(`${server.url}/?app=${app.name}`);
    await bookmark.getByText('remembered 1').first().waitFor();
    await pushLines(server, app.token, ['and live']);
    await bookmark.getByText('and live').first().waitFor();
    // Behind it this tab is logged out as well: its requests are refused, as the console says.
    expect(tab.consoleErrors).toEqual([]);
    await bookmark.getByRole('button', { name: 'Log out' }).click();
    await bookmark.getByText('tailrace auth:token').waitFor();
    await bookmark.reload();
    await bookmark.getByText('tailrace auth:token').waitFor();
    expect(await bookmark.content()).not.toContain('remembered 1');
  });

  it('isn’t needed by people: invited by a link, they choose a password, and sign in with it', async () => {
    const team = await startServer();
    onTestFinished(() => team.close());
    const app = await team.createApp();
    await pushLines(team, app.token, ['for the team']);
    const person = { email: 'ada@example.com', role: 'viewer' };
    const { invitation_url: link } = await team.request<{ invitation_url: string }>(
      'POST',
      '/people',
      person,
    );
    const tab = await openPage(browser, team, { key: '' });
    await tab.page.getByText('tailrace auth:token').waitFor();
    await tab.page.goto(link);
    await tab.page.getByText('You are invited').waitFor();
    expect(tab.page.url()).not.toContain('invite=');
    await tab.screenshot('invited');
    await tab.page.getByLabel('E-mail').fill('ada@example.com');
    await tab.page.getByLabel(/^Password/).fill('correct horse battery');
    await tab.page.keyboard.press('Enter');
    await tab.waitForMessage('for the team');
    await tab.page.getByRole('button', { name: 'Log out' }).click();
    await tab.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await tab.screenshot('sign-in');
    await tab.page.getByLabel('E-mail').fill('ada@example.com');
    await tab.page.getByLabel('Password').fill('wrong wrong');
    await tab.page.keyboard.press('Enter');
    await tab.page.getByText("The address or the password isn't right.").waitFor();
    await tab.page.getByLabel('Password').fill('correct horse battery');
    await tab.page.keyboard.press('Enter');
    await tab.waitForMessage('for the team');
    // Removed while they look: nothing is shown any more.
    await team.request('DELETE', '/people/ada@example.com');
    await tab.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(await tab.page.content()).not.toContain('for the team');
  });

  it('and an app that does not exist: the server’s own sentence is shown', async () => {
    await server.createApp();
    const tab = await openPage(browser, server, { query: 'app=nowhere' });
    await tab.page.getByText("Couldn't find that app.").waitFor();
    expect(await tab.page.getByLabel('App', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    expect(await tab.page.locator('.state').textContent()).toBe('refused');
  });

  it('and an app that does not exist, behind one that does: the rows stay', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(3));
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('line 2');
    await tab.page.evaluate(
      `history.pushState(null, '', '?app=nowhere'); dispatchEvent(new PopStateEvent('popstate'))`,
    );
    await tab.page.locator('#app-fault').waitFor();
    expect(await tab.lineCount()).toBe(3);
    await tab.waitUntilLive();
    await pushLines(server, app.token, ['still live']);
    await tab.waitForMessage('still live');
    await tab.page.goBack();
    await tab.page.locator('#app-fault').waitFor({ state: 'detached' });
    expect(await tab.lineCount()).toBe(4);
  });

  it('and no app at all: nothing is being connected', async () => {
    const empty = await startServer();
    onTestFinished(() => empty.close());
    const tab = await openPage(browser, empty);
    await tab.page.getByText('No app yet').waitFor();
    expect(await tab.page.locator('.state').textContent()).toBe('no app');
  });
});
