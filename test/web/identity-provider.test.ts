/** Signing in with an identity provider in Chromium, and letting a command line in. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  environmentElsewhere,
  IdentityProvider,
} from '../support/access/identity-provider.ts';
import { freePort } from '../support/free-port.ts';
import { Program, TAILRACE } from '../support/program.ts';
import { pushLines } from '../support/senders/send-lines.ts';
import { type Server, startServer } from '../support/server.ts';
import { launchBrowser, noBrowser, Tab } from './browser-tab.ts';

describe.skipIf(noBrowser)('with an identity provider', () => {
  let server: Server;
  let provider: IdentityProvider;
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    const [port, providerPort] = [await freePort(), await freePort()];
    url = `http://localhost:${port}`;
    provider = await IdentityProvider.start(providerPort, `${url}/session/oidc/callback`);
    provider.people.set('ada', { sub: 'ada', email: 'ada@team.example', email_verified: true });
    [server, browser] = await Promise.all([
      startServer({
        env: {
          TAILRACE_HTTP_PORT: String(port),
          TAILRACE_OIDC_ISSUER: provider.issuer,
          TAILRACE_OIDC_CLIENT_ID: CLIENT_ID,
          TAILRACE_OIDC_CLIENT_SECRET: CLIENT_SECRET,
          TAILRACE_OIDC_NAME: 'Team login',
          TAILRACE_OIDC_DOMAINS: 'team.example',
          TAILRACE_OIDC_ROLE: 'member',
        },
      }),
      launchBrowser(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await provider?.close();
  });

  it('one signs in there, comes back to where one was, and lets a command line act for oneself', async () => {
    const app = await server.createApp('shop');
    await pushLines(server, app.token, ['a line of the shop']);
    const tab = new Tab(await browser.newPage(), { url });
    const { page } = tab;
    await page.goto(`${url}/?app=shop&q=shop`);
    await tab.screenshot('sign-in-with-provider');
    await page.getByRole('checkbox', { name: 'Remember this browser' }).check();
    await page.getByRole('button', { name: 'Sign in with Team login' }).click();
    await page.locator('input[name=login]').fill('ada');
    await page.locator('input[name=password]').fill('x');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('.line > .text', { hasText: 'a line of the shop' }).waitFor();
    expect(new URL(page.url()).search).toBe('?app=shop&q=shop');
    expect(await page.getByRole('button', { name: 'Log out' }).getAttribute('title')).toContain('ada@team');

    const env = environmentElsewhere();
    const login = new Program(process.execPath, [TAILRACE, 'login', '--url', url], { env });
    await login.waitForOutput(/#login=[\w-]+/);
    await page.goto(/http\S+#login=[\w-]+/.exec(login.stdout)?.[0] ?? '');
    const code = await page.locator('.login-code').textContent();
    expect(login.stderr).toContain(code);
    expect(await page.locator('form').textContent()).toContain('wants to act as ada@team.example');
    await tab.screenshot('command-line-login');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByRole('status').filter({ hasText: 'The command line is logged in' }).waitFor();
    expect(await login.exited).toMatchObject({ status: 0 });
    await page.getByRole('button', { name: 'To the logs' }).click();
    await page.locator('.line > .text', { hasText: 'a line of the shop' }).waitFor();
    // The provider's page wants fonts of another server.
    expect(tab.consoleErrors.filter((error) => !error.includes('ERR_NAME_NOT_RESOLVED'))).toEqual([]);
  });
});
