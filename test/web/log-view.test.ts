import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startReverseProxy } from '../support/http/reverse-proxy.ts';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { launchBrowser, noBrowser, openApp, Tab } from './browser-tab.ts';

describe.skipIf(noBrowser)('the log view', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  const push = async (app: App, count: number, name = 'line', from = 0): Promise<void> => {
    for (let i = 0; i < count; i += 5_000)
      await pushLines(server, app.token, numberedMessages(Math.min(5_000, count - i), name, from + i));
  };

  it('shows lines as they come, and follows the newest', async () => {
    const app = await server.createApp();
    const tab = await openApp(browser, server, app);
    await tab.page.getByText('No lines yet').waitFor();
    await tab.screenshot('empty');
    for (let i = 0; i < 10; i++) await push(app, 30, 'live', i * 30);
    await tab.waitForMessage('live 299');
    await tab.waitForLineCount(300);
    expect(await tab.isAtEnd()).toBe(true);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('works below a path of a proxy, as nginx’ `location /logs/` has it', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(3));
    const url = await startReverseProxy(server.url, { path: '/logs' });
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const tab = new Tab(await context.newPage(), { url });
    await tab.page.goto(`${url}/?app=${app.name}#key=${server.key}`);
    await tab.waitForMessage('line 2');
    await tab.waitUntilLive();
    await pushLines(server, app.token, ['and live']);
    await tab.waitForMessage('and live');
    expect(new URL(tab.page.url()).pathname).toBe('/logs/');
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it('stands still when the mouse is pressed on a line: it can be selected while others come', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(200));
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('line 199');
    const row = tab.page.locator('.row', { hasText: 'line 190' }).locator('.text');
    const box = await row.boundingBox();
    await tab.page.mouse.move((box?.x ?? 0) + 1, (box?.y ?? 0) + 8);
    await tab.page.mouse.down();
    await pushLines(server, app.token, numberedMessages(500, 'newer'));
    await until('they have come', async () =>
      ((await tab.page.locator('.resume-button').textContent()) ?? '').includes('500 new lines'),
    );
    await tab.page.mouse.move((box?.x ?? 0) + 300, (box?.y ?? 0) + 8, { steps: 3 });
    await tab.page.mouse.up();
    expect(await tab.page.evaluate('getSelection().toString()')).toBe('line 190');
  });

  it('pauses with space, stays where it is, counts what comes, and resumes without a loss', async () => {
    const app = await server.createApp();
    await push(app, 200, 'before');
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(200);
    await tab.page.keyboard.press('Space');
    const top = await tab.scrollTop();
    for (let i = 0; i < 6; i++) await push(app, 200, 'meanwhile', i * 200);
    await tab.page.getByText('1,200 new lines').waitFor();
    expect(await tab.scrollTop()).toBe(top);
    await tab.waitForMessage('before 199');
    await tab.page.keyboard.press('Space');
    await tab.waitForMessage('meanwhile 1199');
    expect(await tab.allPositions()).toEqual(Array.from({ length: 1_400 }, (_, i) => i + 1));
  });

  it('pauses when the user scrolls up, and follows again at the end', async () => {
    const app = await server.createApp();
    await push(app, 300);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(300);
    await tab.page.mouse.move(500, 500);
    await tab.page.mouse.wheel(0, -600);
    await tab.page.locator('.resume-button').waitFor();
    await until('the list has moved', async () => !(await tab.isAtEnd()));
    const first = async () => (await tab.page.locator('.row').first().getAttribute('data-at')) ?? '';
    await push(app, 50, 'later');
    await tab.page.getByText('50 new lines').waitFor();
    const shown = await first();
    await push(app, 50, 'later', 50);
    await tab.page.getByText('100 new lines').waitFor();
    expect(await first()).toBe(shown);
    await tab.page.mouse.wheel(0, 100_000);
    await tab.page.getByRole('button', { name: 'following' }).waitFor();
    await tab.waitForMessage('later 99');
  });

  it('goes on following while the window grows: a keyboard that closes, a phone that is turned', async () => {
    const app = await server.createApp();
    await push(app, 300);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(300);
    const clientHeight = () => tab.page.evaluate<number>('document.querySelector(".lines").clientHeight');
    for (const height of [500, 700, 400, 900]) {
      const before = await clientHeight();
      await tab.page.setViewportSize({ width: 1_000, height });
      await until('the list has another height', async () => (await clientHeight()) !== before);
      // Where it was moved to is told to the page in the next frame, with nothing that says by whom.
      await tab.page.evaluate(
        `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`,
      );
      await until('its end', () => tab.isAtEnd());
      await push(app, 1, `at ${height}`);
      await tab.waitForMessage(`at ${height} 0`);
      expect(await tab.page.getByRole('button', { name: 'following' }).count()).toBe(1);
    }
  });

  it('reads older lines when the user scrolls to the top, to where the stream begins', async () => {
    const app = await server.createApp();
    await push(app, 2_300);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(1_000);
    await until('everything is read', async () => {
      await tab.scrollTo(0);
      return (await tab.lineCount()) === 2_300;
    });
    expect(await tab.allPositions()).toEqual(Array.from({ length: 2_300 }, (_, i) => i + 1));
  });

  it('searches the whole stream on the server, highlights matches, and shows a match in its context', async () => {
    const app = await server.createApp();
    await push(app, 3_000, 'hay');
    await push(app, 1, 'a silver needle');
    await push(app, 3_000, 'hay', 3_000);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(1_000);
    await tab.page.keyboard.press('/');
    await tab.page.keyboard.type('"silver needle"');
    await tab.page.keyboard.press('Enter');
    await tab.waitForMessage('a silver needle 0');
    await tab.waitForLineCount(1);
    expect(await tab.page.locator('.match').allInnerTexts()).toEqual(['silver needle']);
    expect(new URL(tab.page.url()).searchParams.get('q')).toBe('"silver needle"');
    // Live lines are filtered as well.
    await push(app, 1, 'more hay');
    await push(app, 1, 'another silver needle');
    await tab.waitForMessage('another silver needle 0');
    await tab.waitForLineCount(2);

    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('x');
    await tab.waitForMessage('hay 2999');
    await tab.waitForMessage('hay 3000');
    const selected = tab.page.locator('.row[data-selected=true]');
    expect(await selected.textContent()).toContain('a silver needle 0');
    expect(await tab.page.locator('#search').inputValue()).toBe('');

    await tab.page.goBack();
    await tab.waitForLineCount(2);
    expect(await tab.page.locator('#search').inputValue()).toBe('"silver needle"');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('opens at the line that an address selects, and reads on to the live end', async () => {
    const app = await server.createApp();
    await push(app, 2_600);
    const tab = await openApp(browser, server, app, { query: 'at=1500' });
    const selected = tab.page.locator('.row[data-selected=true]');
    await selected.waitFor();
    expect(await selected.textContent()).toContain('line 1499');
    expect(await selected.isVisible()).toBe(true);
    await push(app, 10, 'new');
    await tab.page.getByText('10 new lines').waitFor();
    await until('the live end', async () => {
      await tab.scrollTo(10_000_000);
      return (await tab.messages()).includes('new 9');
    });
    const positions = await tab.allPositions();
    expect(positions.at(-1)).toBe(2_610);
    expect(positions).toEqual(Array.from({ length: positions.length }, (_, i) => positions[0] + i));
  });

  it('filters by source, dyno and level; the filters are in the address', async () => {
    const app = await server.createApp();
    const heroku = await server.tokenOf(app.name, 'heroku');
    await push(app, 5, 'plain');
    await pushLines(server, app.token, ['level=error something=broke']);
    await pushLines(server, heroku, ['State changed from starting to up']);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(7);
    await tab.page.getByRole('button', { name: 'source all' }).click();
    await tab.page.getByRole('checkbox', { name: 'heroku' }).check();
    await tab.waitForLineCount(1);
    await tab.page.getByRole('button', { name: 'Show all' }).click();
    await tab.page.keyboard.press('Escape');
    await tab.page.getByLabel('level').selectOption('error');
    await tab.waitForMessage('something=broke');
    await tab.waitForLineCount(1);
    expect(new URL(tab.page.url()).search).toBe(`?app=${app.name}&level=error`);
    await tab.page.reload();
    await tab.waitForLineCount(1);
    await tab.page.keyboard.press('Escape');
    await tab.waitForLineCount(7);
    await tab.page.locator('.origin', { hasText: 'web.1' }).first().click();
    await tab.page.getByLabel('Clear all filters').waitFor();
    expect(new URL(tab.page.url()).searchParams.get('dyno')).toBe('web.1');
  });

  it('jumps to a time', async () => {
    const app = await server.createApp();
    await push(app, 20, 'early');
    await until('a later second', () => new Date().getMilliseconds() < 100 || undefined);
    const between = new Date(Date.now()).toISOString();
    await until('later than that', () => Date.now() > Date.parse(between) + 150 || undefined);
    await push(app, 20, 'late');
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(40);
    await tab.page.keyboard.press('t');
    await tab.page.getByLabel('or at').fill(between);
    await tab.page.keyboard.press('Enter');
    const selected = tab.page.locator('.row[data-selected=true]');
    await selected.waitFor();
    expect(await selected.textContent()).toContain('late 0');
    expect(new URL(tab.page.url()).searchParams.get('at')).toBe('21');
  });

  it('shows what is wrong with a search that can’t be parsed', async () => {
    const app = await server.createApp();
    await push(app, 5);
    const tab = await openApp(browser, server, app);
    await tab.page.locator('#search').fill('/(unclosed/');
    await tab.page.keyboard.press('Enter');
    await tab.page.getByRole('alert').waitFor();
    expect(await tab.page.getByRole('alert').textContent()).toContain('(unclosed');
  });
});
