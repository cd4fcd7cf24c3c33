/** The live page for people who don't see it, see little, or use no mouse. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { octetCounted, postLogs, pushLines, TIME } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../support/server.ts';
import { axeFindings } from './accessibility.ts';
import { launchBrowser, noBrowser, openApp, openPage, PHONE, type Tab } from './browser-tab.ts';

const TRACE = ['Error: gave up', '    at step (worker.mjs:1:9)', '    at main (worker.mjs:2:9)'];
const LINES = [
  ...Array.from(
    { length: 16 },
    (_, i) => `color \x1b[${(i < 8 ? 30 : 82) + i}mforeground ${i}\x1b[0m \x1b[2mdim\x1b[0m`,
  ),
  ...Array.from({ length: 8 }, (_, i) => `color \x1b[${40 + i}mbackground ${i}\x1b[0m`),
  `${'a long line with many words in it '.repeat(60)}END`,
  '{"level":"warn","user":"ann","status":500,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}',
  'level=error user=bob status=200 path=/a',
  'level=debug chatter=1 of=2',
  'Error: gave up\n    at run (worker.mjs:38:9)',
  'hidden \x07 character',
];

const COLORED = 24;

describe.skipIf(noBrowser)('the page', () => {
  let browser: Browser;
  let server: Server;
  let app: App;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    app = await server.createApp('shop');
    await server.createDrain(app, 'http://127.0.0.1:9/lines');
    await pushLines(server, app.token, LINES.slice(0, COLORED));
    // A dyno of each color.
    const frames = Array.from({ length: 14 }, (_, i) =>
      octetCounted(`<190>1 ${TIME} host token dyno.${i} - - of dyno ${i}`),
    );
    expect(
      (await postLogs(server, app.token, Buffer.concat(frames.map((frame) => Buffer.from(frame))))).status,
    ).toBe(204);
    await pushLines(server, app.token, LINES.slice(COLORED));
    await pushLines(server, app.token, [...TRACE, 'between', ...TRACE, ...TRACE]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  const STATES: readonly (readonly [string, (tab: Tab) => Promise<unknown>])[] = [
    ['the newest lines', async () => {}],
    [
      'the oldest lines',
      async (tab) => {
        await tab.page.keyboard.press('g');
        await tab.waitForMessage('foreground 0');
      },
    ],
    [
      'a line’s details, and columns',
      async (tab) => {
        await tab.page.locator('.row', { hasText: '"ann"' }).locator('.expand-button').click();
        await tab.page.getByRole('button', { name: 'user as column' }).click();
      },
    ],
    ['keys', (tab) => tab.page.keyboard.press('?')],
    ['the form for a download', (tab) => tab.page.keyboard.press('Shift+D')],
    ['the form for a time', (tab) => tab.page.keyboard.press('t')],
    ['a choice of dynos', (tab) => tab.page.getByRole('button', { name: 'dyno all' }).click()],
    ['saved searches', (tab) => tab.page.getByRole('button', { name: 'Saved searches' }).click()],
    [
      'a search with matches',
      async (tab) => {
        await tab.page.locator('#search').fill('user');
        await tab.waitForLineCount(2);
      },
    ],
    [
      'a search with a fault',
      async (tab) => {
        await tab.page.locator('#search').fill('(user');
        await tab.page.locator('#search-fault').waitFor();
      },
    ],
    [
      'a search without a match',
      async (tab) => {
        await tab.page.locator('#search').fill('nowhere>=5');
        await tab.page.getByText('No line matches').waitFor();
        await tab.page.getByText('A field is compared with a colon: nowhere:>=5.').waitFor();
      },
    ],
  ];

  it.each([
    ['light', {}],
    ['dark', PHONE],
  ] as const)('has nothing that axe-core finds: %s, %o', async (colorScheme, size) => {
    const found: string[] = [];
    const tab = await openApp(browser, server, app, { colorScheme, reducedMotion: 'reduce', ...size });
    // What a small screen lays out in another way.
    const states =
      size === PHONE ? STATES.filter(([name]) => /newest|details|dynos|fault/.test(name)) : STATES;
    for (const [state, enter] of states) {
      await tab.page.goto(`${server.url}/?app=shop`);
      await tab.waitUntilLive();
      await tab.waitForMessage('hidden');
      await enter(tab);
      for (const finding of await axeFindings(tab.page)) found.push(`${state}: ${finding}`);
      await tab.page.evaluate('localStorage.removeItem("tailrace-columns")');
    }
    expect(found).toEqual([]);
  });

  it('without a key, with a wrong one, or without an app has nothing that axe-core finds', async () => {
    const tab = await openPage(browser, server, { key: '', query: 'app=shop' });
    await tab.page.getByLabel('API key').waitFor();
    expect(await axeFindings(tab.page)).toEqual([]);
    await tab.page.getByLabel('API key').fill('k.wrong');
    await tab.page.keyboard.press('Enter');
    await tab.page.getByText('The server doesn’t know this key.').waitFor();
    expect(await axeFindings(tab.page)).toEqual([]);
  });

  it('tells a screen reader how much comes, not each line, and what was done', async () => {
    const own = await server.createApp();
    const tab = await openApp(browser, server, own);
    expect(await tab.page.getByRole('log').getAttribute('aria-live')).toBe('off');
    await pushLines(server, own.token, ['one', 'two', 'ERROR: three']);
    await tab.page.getByRole('status').filter({ hasText: '3 lines came, 1 error' }).waitFor();
    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('c');
    await tab.page.getByRole('status').filter({ hasText: 'Link copied' }).waitFor();
  });

  it('says which line is selected, and how serious lines are, to those who don’t see it', async () => {
    const own = await server.createApp();
    await pushLines(server, own.token, ['plain', 'ERROR: gave up', 'WARN low']);
    const tab = await openApp(browser, server, own);
    await tab.waitForMessage('low');
    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('k');
    await tab.page
      .getByRole('status')
      .filter({ hasText: /^error, [\d:]+, web\.1: ERROR: gave up$/ })
      .waitFor();
    expect(await tab.page.locator('[aria-current=true]').textContent()).toContain('gave up');
    await tab.page.keyboard.press('k');
    await tab.page
      .getByRole('status')
      .filter({ hasText: /^[\d:]+, web\.1: plain$/ })
      .waitFor();
    const lines = await tab.page.getByRole('log').ariaSnapshot();
    expect(lines).toMatch(/ error\n[\s\S]+ERROR: gave up warning[\s\S]+WARN low/);
    // The list is where keys go to.
    await tab.page.locator('.lines').focus();
    await tab.page.keyboard.press('j');
    expect(await tab.page.evaluate(`getComputedStyle(document.querySelector('.lines')).outlineStyle`)).toBe(
      'solid',
    );
  });

  it.each([
    ['a narrow window', { width: 320, height: 640 }],
    ['400 %', { width: 320, height: 256 }],
    ['a phone that lies', { width: 740, height: 340 }],
  ])('fits: %s', async (_name, viewport) => {
    const tab = await openApp(browser, server, app, { viewport });
    await tab.waitForMessage('hidden');
    const { width, lines } = await tab.page.evaluate<{ width: number; lines: number }>(
      `({ width: document.documentElement.scrollWidth, lines: document.querySelector('.lines').clientHeight })`,
    );
    expect(width).toBe(viewport.width);
    expect(lines).toBeGreaterThan(viewport.height / 2);
    const last = tab.page.getByRole('button', { name: 'Remember' });
    await last.scrollIntoViewIfNeeded();
    const box = await last.boundingBox();
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(viewport.width);
  });

  it('shows with the system’s own colors what is selected, serious or found', async () => {
    const tab = await openApp(browser, server, app, { forcedColors: 'active', query: 'q=gave' });
    await tab.waitForMessage('gave up');
    await tab.page.keyboard.press('k');
    const styles = await tab.page.evaluate<Record<string, string>>(`(() => {
      const style = (selector, part) => getComputedStyle(document.querySelector(selector), part);
      return {
        selected: style('.row[data-selected=true]').outlineStyle,
        error: style('.level-error .line', '::before').borderLeftWidth,
        match: style('.match').backgroundColor,
      };
    })()`);
    expect(styles).toEqual({ selected: 'solid', error: '3px', match: 'rgb(255, 255, 0)' });
  });

  it('moves nothing for those who asked for less motion', async () => {
    const tab = await openApp(browser, server, app, { reducedMotion: 'reduce' });
    await tab.waitForMessage('hidden');
    const moving = await tab.page.evaluate<
      string[]
    >(`[...document.querySelectorAll('*')].flatMap((element) => {
      const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(element);
      return animationName !== 'none' || transitionDuration !== '0s' || scrollBehavior === 'smooth' ? [element.className] : [];
    })`);
    expect(moving).toEqual([]);
  });

  it('is used without a mouse: its controls are reached, and have a name', async () => {
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('hidden');
    const names: string[] = [];
    for (let i = 0; i < 25 && !names.includes('Lines'); i++) {
      await tab.page.keyboard.press('Tab');
      names.push(
        await tab.page.evaluate<string>(
          `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`,
        ),
      );
    }
    expect(names).toEqual(
      expect.arrayContaining([
        'App',
        'Search all lines',
        'source all',
        'dyno all',
        'Download',
        'Lines over time',
        'Lines',
      ]),
    );
  });
});
