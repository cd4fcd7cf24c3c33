import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Program, TAILRACE } from '../support/program.ts';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../support/server.ts';
import { launchBrowser, noBrowser, openApp, openPage, PHONE } from './browser-tab.ts';

const JSON_LINE = JSON.stringify({ level: 'info', event: 'order.placed', user: { id: 7, name: 'Zoë' } });
const TRACE = 'Error: gave up\n    at run (worker.mjs:38:9)\n    at async work (worker.mjs:24:5)';

describe.skipIf(noBrowser)('the appearance', () => {
  let browser: Browser;
  let server: Server;
  let app: App;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    app = await server.createApp('counter');
    const heroku = await server.tokenOf(app.name, 'heroku');
    await pushLines(server, app.token, [
      ...numberedMessages(30, 'method=GET path="/" status=200 n'),
      JSON_LINE,
      TRACE,
    ]);
    await pushLines(server, heroku, ['at=error code=H12 desc="Request timeout" method=GET path="/slow"']);
    await pushLines(server, app.token, ['Started \x1b[1m\x1b[36mGET\x1b[0m \x1b[32m"/about"\x1b[0m']);
    await server.createDrain(app, 'http://user:hunter2@127.0.0.1:9/lines');
    await pushLines(server, app.token, ['a line that the drain can’t deliver']);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it.each([
    ['dark', 'desktop'],
    ['light', 'desktop'],
    ['dark', 'phone'],
    ['light', 'phone'],
  ] as const)('%s on a %s: nothing is cut off', async (colorScheme, device) => {
    const size = device === 'phone' ? { ...PHONE, viewport: { width: 360, height: 740 } } : {};
    const tab = await openApp(browser, server, app, { colorScheme, ...size });
    await tab.waitForMessage('a line that the drain');
    await tab.screenshot(`${device}-${colorScheme}`);
    const [background] = await tab.page.evaluate<string[]>(
      '[getComputedStyle(document.body).backgroundColor]',
    );
    const lightness = Number(/oklch\(([\d.]+)/.exec(background)?.[1]);
    expect(lightness > 0.5).toBe(colorScheme === 'light');
    const wide = await tab.page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
    expect(wide).toBe(false);
    const [nameWidth, gap] = await tab.page.evaluate<number[]>(`(() => {
      const name = document.querySelector('.app').getBoundingClientRect();
      return [name.width, document.querySelector('.toolbar-buttons').getBoundingClientRect().left - name.right];
    })()`);
    expect(nameWidth).toBeGreaterThan(80);
    expect(gap).toBeGreaterThanOrEqual(0);
    await tab.page.getByRole('button', { name: 'Dynos and drains' }).click();
    await tab.page.getByRole('button', { name: /Colors: / }).waitFor();
    await tab.screenshot(`${device}-${colorScheme}-panel`);
    await tab.page.getByRole('button', { name: 'Dynos and drains' }).click();
    const row = tab.page.locator('.row', { hasText: 'order.placed' });
    await row.locator('.expand-button').click();
    // A key is a word in one piece, however small the screen.
    await row.locator('.fields').waitFor();
    const heights = await tab.page.evaluate<number[]>(
      `[...document.querySelectorAll('.fields th')].map((cell) => cell.getBoundingClientRect().height)`,
    );
    expect(heights.length).toBe(4);
    expect(Math.max(...heights)).toBeLessThan(40);
    await tab.screenshot(`${device}-${colorScheme}-details`);
  });

  it('expands a structured line into its fields, and keeps a stack trace together', async () => {
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('a line that the drain');
    const row = tab.page.locator('.row', { hasText: 'order.placed' });
    await row.locator('.expand-button').click();
    expect(await row.locator('.fields th').allInnerTexts()).toEqual([
      'level',
      'event',
      'user.id',
      'user.name',
    ]);
    expect(await row.locator('.fields td[data-kind]').allInnerTexts()).toEqual([
      'info',
      'order.placed',
      '7',
      'Zoë',
    ]);
    await tab.screenshot('details');
    await tab.page.keyboard.press('c');
    await tab.page.getByText('Link copied').waitFor();
    const link = await tab.page.evaluate<string>('navigator.clipboard.readText()');
    expect(link).toBe(`${server.url}/?app=counter&at=31`);
    const traces = async () => (await tab.messages()).filter((text) => text.startsWith('Error: gave up'));
    expect(await traces()).toEqual(['Error: gave upat run (worker.mjs:38:9)+2 lines']);
    const trace = tab.page.locator('.row', { hasText: 'Error: gave up' });
    await trace.getByRole('button', { name: 'more' }).click();
    expect(await traces()).toEqual([TRACE]);
    await trace.getByRole('button', { name: 'less' }).click();
    await tab.page.keyboard.press('w');
    await tab.page.getByText('+2 lines').waitFor();
    await tab.page.keyboard.press('e');
    const selected = tab.page.locator('.row[data-selected=true]');
    expect(await selected.textContent()).toContain('Error: gave up');
    await tab.page.keyboard.press('?');
    await tab.page.getByText('everything around the line').waitFor();
    await tab.screenshot('keys');
    await tab.page.keyboard.press('Escape');
    await tab.page.getByText('everything around the line').waitFor({ state: 'detached' });
  });

  it('shows drains with their lag, and never their passwords', async () => {
    const tab = await openApp(browser, server, app);
    const drain = tab.page.locator('.drain');
    await drain.getByText('behind').waitFor();
    expect(await drain.textContent()).toContain('retrying');
    await tab.page.getByText('keeps 7 d, 256 MB, 5,000,000 lines').waitFor();
    expect(await tab.page.content()).not.toContain('hunter2');
  });

  it('shows the dynos of a running app, whose banner has the address of the page; another app can be selected', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tailrace-page-'));
    writeFileSync(
      join(folder, 'Procfile'),
      "worker: node -e \"console.log('hello from'+' the dyno');setInterval(()=>{},1e6)\"\n",
    );
    const env = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };
    const program = new Program(process.execPath, [TAILRACE, 'start', '-d', folder, '-a', 'running'], {
      env,
    });
    onTestFinished(async () => {
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const [, url] = await program.waitForOutput(/page +(http:\S+)\/\?app=running /);
    const { stdout: key } = await new Program(process.execPath, [TAILRACE, 'auth:token'], { cwd: folder })
      .exited;
    const own = { url, key: key.trim() } as Server;
    const tab = await openPage(browser, own, { key: own.key });
    await tab.waitForMessage('hello from the dyno');
    await tab.page.locator('.dyno', { hasText: 'worker.1' }).waitFor();
    await tab.page.getByText(/^up \d/).waitFor();
    await tab.screenshot('dynos');
    const { stdout } = await new Program(process.execPath, [TAILRACE, 'create', 'second'], { cwd: folder })
      .exited;
    expect(stdout).toContain('second');
    await tab.page.getByLabel('App', { exact: true }).selectOption('second');
    await tab.page.getByText('No lines yet').waitFor();
    expect(new URL(tab.page.url()).searchParams.get('app')).toBe('second');
  });
});
