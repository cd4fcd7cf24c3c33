/** The inbox of an e-mail add-on in a real browser. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiOf,
  createMailAddon,
  type MailAddon,
  sendRaw,
  transportTo,
} from '../../support/addons/mail-addon.ts';
import { missing } from '../../support/program.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { launchBrowser, noBrowser, openAddonPage, PHONE, type Tab } from '../browser-tab.ts';

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const hostileHtml = (
  remote: string,
): string => `<!doctype html><html><head><base href="${remote}/"><meta http-equiv="refresh" content="0;url=${remote}/refresh">
<link rel="stylesheet" href="${remote}/style.css"><link rel="preconnect" href="${remote}"><link rel=dns-prefetch href="//tracker.example">
<style>@import "${remote}/import.css"; body { background: url(${remote}/background.png) } @font-face { font-family: x; src: url(${remote}/font) } * { font-family: x }</style></head>
<body onload="alert(1)"><h1 id="hello">Hello</h1><img src="${remote}/pixel.png" onerror="alert(2)"><img src="cid:logo" id="own">
<script>alert(3);parent.document.title='taken'</script><svg onload="alert(4)"><script>alert(5)</script></svg>
<form action="${remote}/form"><input name="a" autofocus onfocus="alert(6)"><button id="send">Send</button></form>
<iframe src="${remote}/frame"></iframe><object data="${remote}/object"></object><video src="${remote}/video" autoplay></video>
<a id="out" href="${remote}/link">a link</a> <a id="top" href="${remote}/top" target="_top">top</a> <a id="blank" href="javascript:alert(7)" target="_blank">blank</a>
</body></html>`;

let browser: Browser;
let server: Server;
let app: App;
let addon: MailAddon;
/** What a mail may want to load, and whom it would tell. */
let remote: TcpServer;
let remoteUrl: string;
let remoteConnections = 0;

describe.skipIf(noBrowser || missing('openssl'))('the inbox', () => {
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    remote = createServer((socket) => {
      remoteConnections += 1;
      socket.on('error', () => undefined).end();
    });
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
    remoteUrl = `http://127.0.0.1:${(remote.address() as AddressInfo).port}`;
    app = await server.createApp('shop');
    addon = await createMailAddon(server, app);
    const transport = transportTo(addon);
    await transport.sendMail({
      from: '"Shop" <no-reply@shop.example>',
      to: 'zoe@example.com',
      bcc: 'archive@shop.example',
      subject: 'Welcome, Zoë',
      text: 'Hello Zoë,\n\nconfirm your address: https://shop.example/confirm?token=abc123\n\nThe shop',
      html: `<div style="font-family:sans-serif;max-width:520px;margin:auto"><h1 style="color:#0b6">Welcome, Zoë</h1><p>Thank you for joining. <a href="https://shop.example/confirm?token=abc123&amp;x=1" style="background:#0b6;color:#fff;padding:8px 14px">Confirm your address</a></p><img src="${remoteUrl}/banner.png" alt="banner"></div>`,
    });
    await transport.sendMail({
      from: 'orders@shop.example',
      to: '"Ada Lovelace" <ada@example.com>',
      cc: 'support@shop.example',
      subject:
        'Your invoice for order 4711, with a subject that is rather longer than what fits beside the time in a list',
      text: 'The invoice is attached.',
      attachments: [
        { filename: 'invoice-4711.pdf', content: Buffer.alloc(48_213, 'x'), contentType: 'application/pdf' },
        { filename: 'terms.txt', content: 'Terms' },
      ],
    });
    for (let i = 1; i <= 12; i++)
      await transport.sendMail({
        from: 'reports@shop.example',
        to: `team-${i}@shop.example`,
        subject: `Report ${i}`,
        text: `Report number ${i}`,
      });
  });
  afterAll(() => {
    remote?.close();
    return Promise.all([browser?.close(), server?.close()]);
  });

  const open = (options: BrowserContextOptions = {}): Promise<Tab> =>
    openAddonPage(browser, server, addon.id, options);
  const rows = (tab: Tab): Promise<string[]> => tab.page.locator('.mails .mail-subject').allInnerTexts();
  const row = (tab: Tab, subject: string) => tab.page.locator('.mails button', { hasText: subject });

  it.each([
    ['dark', 'desktop'],
    ['light', 'desktop'],
    ['dark', 'phone'],
    ['light', 'phone'],
  ] as const)('%s on a %s: nothing is cut off, everything has a name', async (colorScheme, device) => {
    const tab = await open({ colorScheme, ...(device === 'phone' ? PHONE : {}) });
    await row(tab, 'Welcome').waitFor();
    await tab.screenshot(`mail-${device}-${colorScheme}-list`);
    await row(tab, 'Welcome').click();
    await tab.page.frameLocator('iframe').getByRole('heading', { name: 'Welcome, Zoë' }).waitFor();
    await tab.screenshot(`mail-${device}-${colorScheme}`);
    await tab.page.getByRole('tab', { name: 'Headers' }).click();
    await tab.page.locator('.mail-headers').waitFor();
    await tab.screenshot(`mail-${device}-${colorScheme}-headers`);
    const [background] = await tab.page.evaluate<string[]>(
      '[getComputedStyle(document.body).backgroundColor]',
    );
    expect(Number(/oklch\(([\d.]+)/.exec(background)?.[1]) > 0.5).toBe(colorScheme === 'light');
    expect(
      await tab.page.evaluate<string[]>(`(() => {
        const nameless = [...document.querySelectorAll('button, a, input, iframe')].filter((one) =>
          !(one.getAttribute('aria-label') || one.title || one.textContent.trim()));
        const wide = document.documentElement.scrollWidth > innerWidth ? ['too wide'] : [];
        const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
        const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
        const missing = [...document.querySelectorAll('[aria-controls], [aria-labelledby]')]
          .map((one) => one.getAttribute('aria-controls') ?? one.getAttribute('aria-labelledby'))
          .filter((id) => !document.getElementById(id));
        return [...nameless.map((one) => one.outerHTML), ...wide, ...twice, ...missing];
      })()`),
    ).toEqual([]);
  });

  it('shows a mail when it comes, unread until it is opened, and finds it', async () => {
    const tab = await open();
    await tab.waitUntilLive();
    await sendRaw(addon, 'From: a@example.com\r\nTo: b@example.com\r\nSubject: just now\r\n\r\nHello\r\n');
    const fresh = row(tab, 'just now');
    await fresh.waitFor();
    expect((await rows(tab))[0]).toBe('just now');
    const unread = tab.page.locator('li[data-unread="true"]', { hasText: 'just now' });
    await unread.waitFor();
    expect(await tab.page.title()).toMatch(/^\(\d+\) Mail$/);
    await fresh.click();
    await tab.page.locator('.mail-text', { hasText: 'Hello' }).waitFor();
    await unread.waitFor({ state: 'detached' });
    await tab.page.getByRole('button', { name: 'Mark as unread' }).click();
    await unread.waitFor();

    await tab.page.keyboard.press('/');
    await tab.page.keyboard.type('ADA invoice');
    await until('one mail', async () => (await rows(tab)).length === 1);
    expect((await rows(tab))[0]).toContain('Your invoice');
    await tab.page.keyboard.press('Escape');
    await tab.page.getByLabel('Search mails').fill('nothing like it');
    await tab.page.getByText('No mail matches').waitFor();
    await tab.page.getByRole('button', { name: 'Show all mails' }).click();
    await fresh.waitFor();
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it('is worked with keys alone, and shows each form of a mail', async () => {
    const tab = await open();
    await row(tab, 'Welcome').click();
    await tab.page.frameLocator('iframe').getByRole('heading').waitFor();
    await tab.page.getByText('Images and styles from other servers are not loaded.').waitFor();
    await tab.page.getByText('archive@shop.example').waitFor();
    await tab.page.keyboard.press('t');
    await tab.page.locator('.mail-text', { hasText: 'confirm your address' }).waitFor();
    await tab.page.keyboard.press('l');
    expect(await tab.page.locator('.mail-links a').allInnerTexts()).toEqual([
      'https://shop.example/confirm?token=abc123&x=1',
      `${remoteUrl}/banner.png`,
      'https://shop.example/confirm?token=abc123',
    ]);
    await tab.page.keyboard.press('s');
    await tab.page.locator('.mail-source', { hasText: 'MIME-Version: 1.0' }).waitFor();
    await tab.page.keyboard.press('k');
    await tab.page.getByRole('heading', { name: 'Your invoice' }).waitFor();
    await tab.page.locator('.mail-source', { hasText: 'invoice-4711.pdf' }).waitFor();
    const download = tab.page.waitForEvent('download');
    await tab.page.locator('.attachments a', { hasText: 'terms.txt' }).click();
    expect((await download).suggestedFilename()).toBe('terms.txt');
    await tab.page.keyboard.press('?');
    await tab.page.getByText('next mail, mail before').waitFor();
    await tab.screenshot('mail-keys');
    await tab.page.keyboard.press('Escape');
    await tab.page.getByText('next mail, mail before').waitFor({ state: 'detached' });
    await tab.page.keyboard.press('Escape');
    await tab.page.getByText('Choose a mail to read it.').waitFor();
  });

  it('lets nothing of a mail’s HTML run, load or lead away', async () => {
    const boundary = 'x-boundary';
    await sendRaw(
      addon,
      [
        'From: evil@example.com',
        'Subject: <img src=x onerror=alert(8)> \u202egnp.exe',
        `Content-Type: multipart/related; boundary=${boundary}`,
        '',
        `--${boundary}`,
        'Content-Type: text/html; charset=utf-8',
        '',
        hostileHtml(remoteUrl).replaceAll('\n', '\r\n'),
        `--${boundary}`,
        'Content-Type: image/png; name="../../etc/pass\u202ewd.png"',
        'Content-Id: <logo>',
        'Content-Transfer-Encoding: base64',
        '',
        PIXEL.toString('base64'),
        `--${boundary}--`,
      ].join('\r\n'),
    );
    const tab = await open();
    await row(tab, 'onerror=alert(8)').click();
    const frame = tab.page.frameLocator('iframe');
    await frame.locator('#hello').waitFor();
    expect(await tab.page.locator('iframe').getAttribute('sandbox')).toBe('');
    await until('its own image', async () => (await frame.locator('#own').boundingBox())?.width === 1);
    for (const id of ['#out', '#top', '#send']) {
      await frame.locator(id).click({ force: true, noWaitAfter: true });
      await frame.locator('#hello').waitFor();
    }
    await tab.screenshot('mail-hostile');
    expect(tab.page.url()).toBe(`${server.url}/addons/${addon.id}/page/`);
    expect(tab.page.context().pages()).toHaveLength(1);
    expect(tab.consoleErrors.filter((text) => text.startsWith('dialog') || text.includes('alert'))).toEqual(
      [],
    );
    // Also of the mail with a banner, which other tests have opened.
    expect(remoteConnections).toBe(0);
    expect(await tab.page.title()).toMatch(/Mail$/);
    const shown = await tab.page.evaluate<string>('document.documentElement.outerHTML');
    expect(shown).not.toMatch(/\u202e/);
    expect(shown).toContain('&lt;U+202E&gt;gnp.exe');
  });

  it('deletes one, and all, once that is confirmed', async () => {
    const tab = await open();
    await tab.waitUntilLive();
    // It is marked as read while it is deleted.
    const writes: string[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await tab.page.route('**/api/messages/*', async (route) => {
      const method = route.request().method();
      if (method !== 'GET') writes.push(method);
      if (method === 'PATCH') await released;
      await route.continue();
    });
    await row(tab, 'Report 7').click();
    await tab.page.getByRole('heading', { name: 'Report 7' }).waitFor();
    await until('it to be marked', () => writes.length === 1);
    await tab.page.keyboard.press('d');
    await tab.page.evaluate('new Promise(requestAnimationFrame)');
    expect(writes).toEqual(['PATCH']);
    release();
    await row(tab, 'Report 7').waitFor({ state: 'detached' });
    await tab.page.getByRole('heading', { name: 'Report 6' }).waitFor();
    const unread = tab.page.locator('li[data-unread="true"]');
    await unread.filter({ hasText: 'Report 6' }).waitFor({ state: 'detached' });
    const other = await open();
    await row(other, 'Report 8').waitFor();
    await tab.page.getByRole('button', { name: 'Delete all mails' }).click();
    await tab.page.getByText('will be gone for good').waitFor();
    await tab.screenshot('mail-delete-all');
    await tab.page.getByRole('button', { name: 'Delete all', exact: true }).click();
    for (const page of [tab.page, other.page]) await page.getByText('No mail yet').waitFor();
    await other.screenshot('mail-empty');
    expect(await apiOf(server, addon).list()).toEqual([]);
    expect([...tab.consoleErrors, ...other.consoleErrors]).toEqual([]);
  });

  it('says when it can’t be live, and is again as soon as it can', async () => {
    const tab = await open();
    await tab.waitUntilLive();
    const kill = (): void => {
      const { dynos } = JSON.parse(readFileSync(join(server.data, 'host', 'dynos.json'), 'utf8'));
      process.kill(dynos[0].pid, 'SIGKILL');
    };
    kill();
    await tab.page.locator('.state[data-state=unreachable]').waitFor();
    await tab.page.getByRole('alert').getByText("doesn't answer: see its lines in the stream").waitFor();
    await tab.screenshot('mail-unreachable');
    await tab.waitUntilLive();
    await tab.page.getByRole('alert').waitFor({ state: 'detached' });
    await sendRaw(addon, 'Subject: after it\r\n\r\nx\r\n');
    await row(tab, 'after it').waitFor();
    // Signed off, as by a restart of the server.
    await tab.page.context().clearCookies();
    kill();
    await tab.page.getByRole('alert').getByText('Open this page with `tailrace addons:open`').waitFor();
    await tab.page.locator('.state[data-state=refused]').waitFor();
    expect(await row(tab, 'after it').count()).toBe(1);
  });
});
