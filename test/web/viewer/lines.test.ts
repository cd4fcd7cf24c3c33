/** The viewer's page of lines, in a real browser on a real viewer. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startReverseProxy } from '../../support/http/reverse-proxy.ts';
import { numberedMessages } from '../../support/senders/send-lines.ts';
import { until } from '../../support/until.ts';
import { seriousFindings } from '../accessibility.ts';
import { launchBrowser, noBrowser, PHONE, type Tab } from '../browser-tab.ts';
import { EMAIL, openViewer, PASSWORD, type SentLine, TestViewer } from './viewer-server.ts';

const TRACE = [
  'java.lang.IllegalStateException: order 7 was lost',
  '\tat shop.Orders.find(Orders.java:41)',
  'Caused by: java.io.IOException: no connection',
  '\t... 12 more',
];

const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '<script>alert(2)</script>',
  '"><svg onload=alert(3)>',
  '{"a":"<iframe srcdoc=\'<script>alert(4)</script>\'>","<b>k</b>":"x","__proto__":{"b":1}}',
  '<b>f</b>="</span><img src=x onerror=alert(5)>" x=javascript:alert(6)',
  '\x1b]8;;javascript:alert(7)\x07link\x1b]8;;\x07 \x1b[31mred\x1b[0m',
  '\u202egnitirw \u2066isolated\u2069 \x07',
  '{{constructor.constructor("alert(8)")()}} #{alert(9)}',
];

/** What must not be in the page. */
const MADE = 'script:not([src]), iframe, #page img, [onerror], [onload], a[href^="javascript:"]';

let browser: Browser;
let viewer: TestViewer;

describe.skipIf(noBrowser)('the viewer’s lines', () => {
  beforeAll(async () => {
    [browser, viewer] = await Promise.all([launchBrowser(), TestViewer.start()]);
    await viewer.firstVisit(browser);
  });
  afterAll(() => Promise.all([browser?.close(), viewer?.close()]));

  const openGroup = async (group: string, query = '', options = {}): Promise<Tab> => {
    const tab = await openViewer(browser, viewer, `group=${group}${query && `&${query}`}`, options);
    await tab.page.locator('.viewer-page').waitFor();
    return tab;
  };
  const sumOf = (tab: Tab): Promise<string | null> => tab.page.locator('.line-sum strong').textContent();
  const search = async (tab: Tab, text: string): Promise<void> => {
    await tab.page.locator('#search').fill(text);
    await tab.page.keyboard.press('Enter');
  };

  it('are shown to those who sign in, until they sign out', async () => {
    const tab = await openViewer(browser, viewer, '', { storageState: undefined });
    const { page } = tab;
    await page.getByLabel('E-mail').fill(EMAIL);
    await page.getByLabel('Password').fill('something else');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await tab.screenshot('viewer-sign-in');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    // The link of the first visit is used up.
    const again = await openViewer(browser, viewer, viewer.firstRunUrl, { storageState: undefined });
    await again.page.getByLabel('E-mail').fill('eve@example.com');
    await again.page.getByLabel('Password').fill(PASSWORD);
    await again.page.getByRole('button', { name: 'Make my account' }).click();
    await again.page.getByRole('alert').getByText('This link was used already').waitFor();
  });

  it('are history and live in one list over two streams, each once and in order', async () => {
    const [shop, api] = await viewer.createStreams('history', 'shop', 'api');
    const start = Date.now() - 3_600_000;
    const numbered = (from: number, to: number, even: boolean): SentLine[] =>
      numberedMessages(to - from, 'line', from)
        .map((message, i) => ({ message, ms: start + (from + i) * 100 }))
        .filter((_, i) => ((from + i) % 2 === 0) === even);
    await Promise.all([
      viewer.send(shop, numbered(0, 2_500, true)),
      viewer.send(api, numbered(0, 2_500, false)),
    ]);
    const tab = await openGroup(shop.group);
    await tab.waitForMessage('line 2499');
    await tab.waitUntilLive();
    await viewer.send(shop, numbered(2_500, 2_600, true));
    await viewer.send(api, numbered(2_500, 2_600, false));
    await tab.waitForMessage('line 2599');
    // To the beginning: as far as the wheel turns.
    await until('the first line', async () => {
      await tab.scrollTo(0);
      return (await tab.messages()).includes('line 0');
    });
    await viewer.send(shop, ['the last']);
    await tab.page.locator('.resume-button', { hasText: '1 new line' }).waitFor();
    await tab.waitForLineCount(2_601);
    const texts = await textsOfAll(tab);
    expect(texts.slice(0, 2_500)).toEqual(numberedMessages(2_500));
    // Live ones stand as they arrived.
    expect(texts.slice(0, -1).sort(byNumber)).toEqual(numberedMessages(2_600));
    await tab.page.keyboard.press('Shift+G');
    await tab.waitForMessage('the last');
    expect(await tab.isAtEnd()).toBe(true);
    expect(tab.consoleErrors).toEqual([]);
    await tab.screenshot('viewer-history');
  });

  it('come where a proxy lets no WebSocket through; times are read as the browser shows them', async () => {
    const [app] = await viewer.createStreams('no WebSockets', 'app');
    await viewer.send(app, ['just before']);
    const refusal = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
    const url = await startReverseProxy(viewer.url, { refusal });
    const timezoneId = 'Pacific/Kiritimati'; // 14 hours ahead
    const from = new Date(Date.now() - 300_000).toLocaleString('sv', { timeZone: timezoneId }).slice(0, 16);
    const q = encodeURIComponent(`just since:"${from}"`);
    const tab = await openViewer(browser, viewer, `${url}/?group=${app.group}&q=${q}`, { timezoneId });
    await tab.waitForMessage('just before');
    await tab.waitUntilLive();
    await viewer.send(app, ['just now']);
    await tab.waitForMessage('just now');
    await until('both in the histogram', async () => (await sumOf(tab)) === '2');
  });

  it('are scrolled through to the oldest without a hole, in a page that stays small', async () => {
    const [stream] = await viewer.createStreams('many', 'app');
    const count = 12_000;
    const start = Date.now() - count;
    for (let i = 0; i < count; i += 6_000)
      await viewer.send(
        stream,
        numberedMessages(6_000, 'at=info status=200 line', i).map((message, n) => ({
          message,
          ms: start + i + n,
        })),
      );
    const tab = await openGroup(stream.group);
    await tab.waitForMessage(`line ${count - 1}`);
    const { empty, frames, rowsMax } = await tab.page.evaluate<{
      empty: number;
      frames: number[];
      rowsMax: number;
    }>(`(async () => {
      const box = document.querySelector('.lines');
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const frames = [];
      let [empty, rowsMax, last] = [0, 0, await frame()];
      for (;;) {
        box.scrollTop -= 4000;
        const now = await frame();
        frames.push(now - last);
        last = now;
        const { left, top } = box.getBoundingClientRect();
        if (!document.elementFromPoint(left + 300, top + box.clientHeight / 2).closest('.row')) empty++;
        rowsMax = Math.max(rowsMax, document.querySelectorAll('.row').length);
        if (box.scrollTop === 0 && document.querySelector('.row .text').textContent.endsWith('line 0')) break;
      }
      return { empty, frames: frames.sort((a, b) => a - b), rowsMax };
    })()`);
    expect(empty).toBe(0);
    expect(rowsMax).toBeLessThan(250);
    const at = (share: number): string => frames[Math.floor((frames.length - 1) * share)].toFixed(0);
    console.log(`${count} lines, ms a frame: median ${at(0.5)}, 95 % ${at(0.95)}, longest ${at(1)}`);
    await tab.waitForLineCount(count);
  });

  it('are searched with the grammar; what can’t be read is marked, and takes no line away', async () => {
    const [stream] = await viewer.createStreams('search', 'app');
    const statuses = [200, 404, 500, 503];
    await viewer.send(
      stream,
      statuses.map((status) => `at=info path=/orders status=${status}`),
    );
    const tab = await openGroup(stream.group);
    await tab.waitForLineCount(4);
    await search(tab, 'status:>=500 OR status:404');
    await tab.waitForLineCount(3);
    await search(tab, 'status:>=500');
    await tab.waitForLineCount(2);
    await tab.page.locator('#search').fill('status:>=500 (');
    await tab.page.getByRole('alert').getByText("isn't closed").waitFor();
    expect(await tab.lineCount()).toBe(2);
    await tab.screenshot('viewer-search');
    // What matches comes live, and nothing else.
    await search(tab, 'status:>=500');
    await viewer.send(stream, ['status=201 a', 'status=502 b']);
    await tab.waitForLineCount(3);
    await tab.waitForMessage('status=502 b');
    await tab.page.getByRole('button', { name: 'What a search may say' }).click();
    await tab.page.getByText('/status=5\\d\\d/').click();
    await until('the example is searched', async () =>
      (await tab.page.locator('#search').inputValue()).startsWith('/status'),
    );
    expect(tab.consoleErrors).toEqual([]);
  });

  it('go on where they stopped when the viewer was killed, each once', async () => {
    const [stream] = await viewer.createStreams('crash', 'app');
    await viewer.send(stream, ['before']);
    const tab = await openGroup(stream.group);
    await tab.waitForMessage('before');
    await tab.waitUntilLive();
    await viewer.send(stream, numberedMessages(300));
    await viewer.kill();
    await tab.page.getByRole('alert').getByText('The server is unreachable').waitFor();
    await tab.screenshot('viewer-unreachable');
    await viewer.startAgain();
    await viewer.send(stream, ['after']);
    await tab.waitUntilLive();
    await tab.waitForMessage('after');
    await tab.page.getByRole('alert').waitFor({ state: 'detached' });
    expect(await textsOfAll(tab)).toEqual(['before', ...numberedMessages(300), 'after']);
  });

  it('of a stretch of time are those that are drawn on the histogram; a click goes to a time', async () => {
    const [stream] = await viewer.createStreams('times', 'app');
    const start = Date.now() - 7_200_000;
    await viewer.send(
      stream,
      numberedMessages(120, 'minute').map((message, i) => ({
        message,
        ms: start + i * 60_000,
        severity: i % 10 ? 6 : 3,
      })),
    );
    const tab = await openGroup(stream.group, 'from=2h5m');
    await tab.waitForLineCount(120);
    const plot = tab.page.getByRole('slider', { name: 'Lines over time' });
    await until('all are counted', async () =>
      (await tab.page.locator('.line-sum').textContent())?.startsWith('120'),
    );
    const box = await plot.boundingBox();
    if (!box) throw new Error('there is no histogram');
    await tab.page.mouse.move(box.x + box.width * 0.25, box.y + 30);
    await tab.page.mouse.down();
    await tab.page.mouse.move(box.x + box.width * 0.4, box.y + 30, { steps: 4 });
    await tab.screenshot('viewer-histogram');
    await tab.page.mouse.move(box.x + box.width * 0.5, box.y + 30, { steps: 4 });
    await tab.page.mouse.up();
    await until('a quarter of the lines', async () => {
      const count = await tab.lineCount();
      return count > 20 && count < 45;
    });
    expect(new URL(tab.page.url()).searchParams.get('to')).not.toBeNull();
    await tab.page.locator('.state[data-state=past]').waitFor();
    // Back, and with a click to where it was.
    await tab.page.goBack();
    await tab.waitForLineCount(120);
    await until('all are counted again', async () =>
      (await tab.page.locator('.line-sum').textContent())?.startsWith('120'),
    );
    const again = (await plot.boundingBox()) ?? box;
    await tab.page.mouse.click(again.x + again.width * 0.3, again.y + 30);
    await tab.page.locator('.row[data-selected=true]').waitFor();
    expect(await tab.lineCount()).toBe(120);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('are led to by links, also after signing in, with what is around them', async () => {
    const [stream] = await viewer.createStreams('links', 'app');
    await viewer.send(stream, numberedMessages(1_500, 'row'));
    const tab = await openGroup(stream.group, 'q=row%20700');
    await tab.waitForLineCount(1);
    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('c');
    await tab.page.getByText('Link copied').waitFor();
    const link = await tab.page.evaluate<string>('navigator.clipboard.readText()');
    expect(link).toContain(`line=${stream.id}.701`);
    await tab.page.keyboard.press('x');
    await tab.waitForMessage('row 699');
    await tab.page.locator('.row[data-selected=true]', { hasText: 'row 700' }).waitFor();
    await tab.page.goBack();
    await tab.waitForLineCount(1);

    const other = await openViewer(browser, viewer, link, { storageState: undefined });
    await other.page.getByLabel('E-mail').fill(EMAIL);
    await other.page.getByLabel('Password').fill(PASSWORD);
    await other.page.keyboard.press('Enter');
    const selected = other.page.locator('.row[data-selected=true]', { hasText: 'row 700' });
    await selected.waitFor();
    await other.waitForMessage('row 695');
    await other.waitForMessage('row 705');
    await other.page.reload();
    await selected.waitFor();
    expect(await selected.isVisible()).toBe(true);
    await other.screenshot('viewer-link');
    // A line that isn't there any more is said to be gone, and the newest are shown.
    await other.page.goto(`${viewer.url}/?group=${stream.group}&line=${stream.id}.99999`);
    await other.page.getByText('That line is gone').waitFor();
    await other.waitForMessage('row 1499');
  });

  it('have fields: values with counts, columns, and a table', async () => {
    const [stream] = await viewer.createStreams('fields', 'app');
    await viewer.send(
      stream,
      Array.from(
        { length: 60 },
        (_, i) => `at=info path="/p/${i % 4}" status=${i % 3 === 0 ? 500 : 200} user.id=${i}`,
      ),
    );
    const tab = await openGroup(stream.group);
    const { page } = tab;
    await tab.waitForLineCount(60);
    await page.getByRole('button', { name: 'status', exact: true }).click();
    await page.locator('.facet-value', { hasText: '500' }).getByText('20').waitFor();
    await page.getByRole('button', { name: 'Column status' }).click();
    await page.locator('.row .column-cell', { hasText: '500' }).first().waitFor();
    await tab.screenshot('viewer-fields');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Without 500' }).click();
    await tab.waitForLineCount(40);
    await page.keyboard.press('Escape');
    await tab.waitForLineCount(60);
    await page.getByRole('button', { name: 'Group by path' }).click();
    const row = page.getByRole('row', { name: '/p/2' });
    await row.getByText('15', { exact: true }).waitFor();
    await tab.screenshot('viewer-group');
    await row.getByRole('button').click();
    await tab.waitForLineCount(15);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('that a sender sends one by one are one event; lines are copied as text, and downloaded', async () => {
    const [stream] = await viewer.createStreams('events', 'app');
    await viewer.send(stream, ['before', ...TRACE.map((message) => ({ message, severity: 3 })), 'after']);
    const tab = await openGroup(stream.group);
    const { page } = tab;
    await tab.waitForLineCount(6);
    expect(await page.locator('.row').count()).toBe(3);
    await page.keyboard.press('k');
    await page.keyboard.press('k');
    await page.keyboard.press('y');
    await page.getByText('Line copied').waitFor();
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied.split('\n').map((text) => text.replace(/^\S+ app\[web\.1\]: /, ''))).toEqual([
      ...TRACE,
      '',
    ]);
    // Several that are selected with the mouse, too: as text, without what is laid out around it.
    await page.evaluate(`(() => {
      const texts = document.querySelectorAll('.row .text');
      document.getSelection().setBaseAndExtent(texts[0].firstChild, 2, texts[2].firstChild, 3);
    })()`);
    await page.keyboard.press('ControlOrMeta+c');
    const selected = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(selected.split(/^\S+ app\[web\.1\]: /m)).toEqual([
      '',
      'before\n',
      `${TRACE.join('\n')}\n`,
      'after',
    ]);
    await page.keyboard.press('Shift+D');
    const link = (name: string): Locator => page.getByRole('link', { name, exact: true });
    const [download] = await Promise.all([page.waitForEvent('download'), link('Text').click()]);
    const text = readFileSync(await download.path(), 'utf8');
    expect(text.split('\n').filter((one) => one.includes('app[web.1]: ')).length).toBe(6);
    const packed = await page.request.get(`${viewer.url}/${await link('NDJSON, gzip').getAttribute('href')}`);
    const ndjson = gunzipSync(await packed.body())
      .toString()
      .trim()
      .split('\n');
    expect(ndjson.map((one) => JSON.parse(one).message)).toEqual(['before', ...TRACE, 'after']);
    await page.keyboard.press('Escape');
    // A search that finds one of its lines shows, copies and downloads all of them, those that come live too.
    await search(tab, '"no connection"');
    await tab.waitForLineCount(4);
    expect(await page.locator('.row', { hasText: 'order 7 was lost' }).count()).toBe(1);
    expect(await page.locator('.row').count()).toBe(1);
    await tab.waitUntilLive();
    await viewer.send(stream, ['another', ...TRACE]);
    await tab.waitForLineCount(8);
    await page.keyboard.press('Shift+D');
    const found = await page.request.get(`${viewer.url}/${await link('Text').getAttribute('href')}`);
    expect((await found.text()).match(/12 more/g)).toHaveLength(2);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('are only text, whatever a drain sends', async () => {
    const [stream] = await viewer.createStreams(
      '<img src=x onerror=alert(10)>',
      '"><script>alert(11)</script>',
    );
    await viewer.send(
      stream,
      HOSTILE.map((message) => ({ message, dyno: 'web.<b>1', source: '<i>app' })),
    );
    const tab = await openGroup(stream.group);
    const { page } = tab;
    await tab.waitForLineCount(HOSTILE.length);
    for (let i = 0; i < HOSTILE.length; i++) {
      await page.keyboard.press('k');
      await page.keyboard.press('Enter');
      await page.locator('.row[data-selected=true] .details').waitFor();
      expect(await page.locator(MADE).count()).toBe(0);
      await page.keyboard.press('Enter');
    }
    for (const name of ['source', 'dyno']) await page.getByRole('button', { name, exact: true }).click();
    await page.locator('.facet-value').nth(1).waitFor();
    expect((await tab.messages()).slice(0, 3)).toEqual(HOSTILE.slice(0, 3));
    await page.goto(`${viewer.url}/?group=${stream.group}&by=a`);
    await page.getByRole('table').waitFor();
    await page.goto(`${viewer.url}/?page=streams`);
    await page.getByText('alert(11)').first().waitFor();
    expect(await page.locator(MADE).count()).toBe(0);
    expect(await page.content()).not.toMatch(/[\u202e\u2066]/);
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it('can be read with the keyboard alone', async () => {
    const [stream] = await viewer.createStreams('keys', 'app');
    await viewer.send(stream, ['one', { message: 'two', severity: 3 }, '{"user":{"id":7}}', 'four']);
    const tab = await openGroup(stream.group);
    const { page } = tab;
    await tab.waitForLineCount(4);
    const keys = async (...names: string[]): Promise<void> => {
      for (const name of names) await page.keyboard.press(name);
    };
    await keys('e');
    await page.locator('.row[data-selected=true]', { hasText: 'two' }).waitFor();
    await keys('j', 'Enter');
    await page.locator('.details', { hasText: 'user.id' }).waitFor();
    await keys('Escape', '/');
    await page.keyboard.type('four');
    await keys('Enter');
    await tab.waitForLineCount(1);
    await keys('Escape');
    await tab.waitForLineCount(4);
    await keys('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await keys('Escape');
    // The histogram: a range with the arrow keys.
    const plot = page.getByRole('slider', { name: 'Lines over time' });
    await plot.focus();
    await keys('End', 'ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Enter');
    await until('a range', () => new URL(page.url()).searchParams.has('from'));
    // And with Tab to every button on the way to the fields.
    const names = new Set<string>();
    await page.locator('.scope').focus();
    for (let i = 0; i < 25; i++) {
      await keys('Tab');
      names.add(await page.evaluate<string>('document.activeElement.getAttribute("aria-label") ?? ""'));
    }
    for (const name of ['Search', 'Time', 'Save this search', 'Download or copy', 'Lines over time', 'Lines'])
      expect(names).toContain(name);
    expect(tab.consoleErrors).toEqual([]);
  });

  it('fit on a phone and look right in the light and in the dark, for everybody', async () => {
    const [shop, api] = await viewer.createStreams('looks', 'shop', 'api');
    const now = Date.now();
    const texts = [
      'at=info method=GET path="/orders/7" status=200 service=12ms',
      'Processing order 7',
      ...TRACE,
      '{"level":"warn","msg":"slow query","duration":"2.1s"}',
    ];
    for (const stream of [shop, api])
      await viewer.send(
        stream,
        Array.from({ length: 90 }, (_, i) => {
          const message = texts[i % texts.length];
          const isTrace = TRACE.includes(message);
          const ms = now - (90 - i + (isTrace ? i % texts.length : 0)) * 2_000;
          return { message, ms, severity: isTrace ? 3 : 6, dyno: isTrace ? 'web.2' : `web.${i % 3}` };
        }),
      );
    for (const colorScheme of ['dark', 'light'] as const) {
      const tab = await openGroup(shop.group, '', { colorScheme, reducedMotion: 'reduce' });
      await tab.waitForMessage('slow query');
      await tab.waitUntilLive();
      await tab.page.keyboard.press('k');
      await tab.page.keyboard.press('Enter');
      await tab.page.locator('.details').waitFor();
      await tab.screenshot(`viewer-${colorScheme}`);
      // The time, whose line it is and the text stand beside each other.
      const tops = await tab.page
        .locator('.row')
        .first()
        .evaluate((row) =>
          [...row.querySelectorAll('time, .origin, .line > .text')].map(
            (one) => one.getBoundingClientRect().top,
          ),
        );
      expect(Math.max(...tops) - Math.min(...tops)).toBeLessThan(4);
      expect(await tab.page.locator('.stream-name', { hasText: 'shop' }).count()).toBeGreaterThan(0);
      expect(await seriousFindings(tab.page)).toEqual([]);
      const moving = await tab.page.evaluate<number>(
        'document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 1).length',
      );
      expect(moving).toBe(0);
    }
    const phone = await openGroup(shop.group, '', { ...PHONE, colorScheme: 'light' });
    await phone.waitForMessage('slow query');
    await phone.page.locator('.line').last().click();
    await phone.screenshot('viewer-phone');
    expect(await seriousFindings(phone.page)).toEqual([]);
    expect(await phone.page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth')).toBe(
      true,
    );
    await phone.page.getByRole('button', { name: 'Searches and fields' }).click();
    await phone.page.getByRole('complementary').waitFor();
    await phone.screenshot('viewer-phone-fields');
    expect(phone.consoleErrors).toEqual([]);
  });

  it('are counted as far as there is time; it is said when that wasn’t all', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `app ${i}`);
    const streams = await viewer.createStreams('counted', ...names);
    for (const stream of streams)
      await viewer.send(
        stream,
        Array.from({ length: 2_000 }, (_, i) => `message ${i} status=${200 + (i % 3)}`),
      );
    await viewer.kill();
    await viewer.startAgain({ VIEWER_SEARCH_TIME: '1ms' });
    const tab = await openGroup(streams[0].group, `q=${encodeURIComponent('/m.*e.*s.*s.*a.*g.*e/')}`);
    const { page } = tab;
    const chart = page.getByRole('region', { name: 'Lines over time' });
    await chart.getByText('not all counted').waitFor();
    expect(await chart.locator('.line-sum strong').textContent()).toMatch(/^[\d,]+\+$/);
    await page.getByRole('button', { name: 'status', exact: true }).click();
    await page.locator('.field').getByText('not all counted').waitFor();
    await tab.screenshot('viewer-partial-counts');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Group by status' }).click();
    await page.locator('.group-table').getByText('not all counted').waitFor();
    await page.getByRole('button', { name: 'Back to the lines' }).click();
    await tab.waitForMessage('message 1999 status=201');
    expect(tab.consoleErrors).toEqual([]);
  });
});

/** Texts of all rows that the page holds, from the top. */
async function textsOfAll(tab: Tab): Promise<string[]> {
  const found = new Map<number, string>();
  await tab.scrollTo(0);
  for (;;) {
    const seen = await tab.page.evaluate<{ rows: [number, string][]; atEnd: boolean }>(`(async () => {
      const box = document.querySelector('.lines');
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const rows = [...document.querySelectorAll('.row')].map((row) => [
        Number(row.dataset.at), row.querySelector('.line > .text').textContent,
      ]);
      const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 2;
      if (!atEnd) box.scrollTop += box.clientHeight + 400;
      return { rows, atEnd };
    })()`);
    for (const [at, text] of seen.rows) found.set(at, text);
    if (seen.atEnd) return [...found].sort(([a], [b]) => a - b).map(([, text]) => text);
  }
}

function byNumber(a: string, b: string): number {
  return Number(a.split(' ')[1]) - Number(b.split(' ')[1]);
}
