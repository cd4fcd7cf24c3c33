/** What people do with the list of lines: copy, unfold, choose dynos, keep searches, download. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logplexLine, octetCounted, postLogs, pushLines, TIME } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { launchBrowser, noBrowser, openApp, PHONE, type Tab } from './browser-tab.ts';

const LONG = `${'a long line with many words in it '.repeat(40)}END`;
const TRACE = [
  'Error: gave up',
  ...Array.from({ length: 9 }, (_, i) => `    at step${i} (worker.mjs:${i}:9)`),
].join('\n');

describe.skipIf(noBrowser)('the list', () => {
  let browser: Browser;
  let server: Server;
  let app: App;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    app = await server.createApp('shop');
    for (const [dyno, message] of [
      ['web.1', 'first'],
      ['web.2', '\x1b[32msecond\x1b[0m'],
      ['worker.1', 'third'],
      ['clock.1', 'fourth'],
    ])
      expect(
        (await postLogs(server, app.token, octetCounted(`<190>1 ${TIME} host token ${dyno} - - ${message}`)))
          .status,
      ).toBe(204);
    await pushLines(server, app.token, [LONG, TRACE, 'last']);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  const clipboard = (tab: Tab): Promise<string> => tab.page.evaluate('navigator.clipboard.readText()');
  const select = (tab: Tab, from: string, to: string): Promise<void> =>
    tab.page.evaluate(`(() => {
      const rows = [...document.querySelectorAll('.row')];
      const at = (text) => rows.find((row) => row.textContent.includes(text));
      const range = document.createRange();
      ${from};
      ${to};
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.querySelector('.lines').focus();
    })()`);
  const text = (source: string, message: string): string => `${TIME} app[${source}]: ${message}`;

  it('copies each row as one line, as a terminal shows it; a part of a text as it is', async () => {
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('last');
    await select(tab, `range.setStartBefore(at('first'))`, `range.setEndAfter(at('third'))`);
    await tab.page.keyboard.press('Control+C');
    const rows = [text('web.1', 'first'), text('web.2', 'second'), text('worker.1', 'third')];
    await until('the rows', async () => (await clipboard(tab)) === rows.join('\n'));
    // From the middle of a row to where another begins: that one isn't among them.
    await select(
      tab,
      `range.setStart(at('first').querySelector('.text').firstChild, 2)`,
      `range.setEnd(at('third').querySelector('time'), 0)`,
    );
    await tab.page.keyboard.press('Control+C');
    await until('two rows', async () => (await clipboard(tab)) === rows.slice(0, 2).join('\n'));
    // All of one row is one line, too.
    await select(tab, `range.selectNodeContents(at('fourth'))`, '');
    await tab.page.keyboard.press('Control+C');
    await until('one row', async () => (await clipboard(tab)) === text('clock.1', 'fourth'));
    await tab.page
      .locator('.row', { hasText: 'fourth' })
      .locator('.text')
      .dblclick({ position: { x: 12, y: 10 } });
    await tab.page.keyboard.press('Control+C');
    await until('a word', async () => (await clipboard(tab)) === 'fourth');
  });

  it.each([
    ['a desktop', {}],
    ['a phone', PHONE],
  ] as const)(
    'shows five rows of a long line and the gist of a trace on %s, and all of it on request',
    async (_name, size) => {
      const tab = await openApp(browser, server, app, size);
      await tab.waitForMessage('last');
      const rowOf = (message: string) => tab.page.locator('.row', { hasText: message });
      const rowCount = (message: string): Promise<number> =>
        rowOf(message)
          .locator('.text')
          .evaluate((element) => {
            const { lineHeight } = (
              globalThis as unknown as { getComputedStyle(e: unknown): { lineHeight: string } }
            ).getComputedStyle(element);
            return Math.round(
              (element as unknown as { clientHeight: number }).clientHeight / Number.parseFloat(lineHeight),
            );
          });
      await until('it folded', async () => (await tab.page.locator('.row[data-folds=true]').count()) === 1);
      expect([await rowCount('END'), await rowCount('third')]).toEqual([5, 1]);
      const folded = await rowCount('gave up');
      expect(folded).toBeLessThan(4);
      expect(await rowOf('gave up').locator('.text').textContent()).toBe(
        'Error: gave upat step0 (worker.mjs:0:9)+9 lines',
      );
      await tab.screenshot(`list-folded-${_name === 'a phone' ? 'phone' : 'desktop'}`);
      await rowOf('gave up').getByRole('button', { name: 'more' }).click();
      await until('the whole trace', async () => (await rowCount('gave up')) === 10);
      await rowOf('gave up').getByRole('button', { name: 'less' }).click();
      await until('folded again', async () => (await rowCount('gave up')) === folded);
      expect(await tab.page.locator('.row .unfold-button:visible').count()).toBe(2);
    },
  );

  it('shows several dynos together', async () => {
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('last');
    await tab.page.getByRole('button', { name: 'dyno all' }).click();
    await tab.page.getByRole('checkbox', { name: 'web.2' }).check();
    await tab.page.getByRole('checkbox', { name: 'worker.1' }).check();
    await tab.screenshot('list-dynos');
    await tab.waitForLineCount(2);
    expect(await tab.messages()).toEqual(['second', 'third']);
    expect(new URL(tab.page.url()).searchParams.get('dyno')).toBe('web.2,worker.1');
    await tab.page.keyboard.press('Escape');
    await tab.page.reload();
    await tab.waitForLineCount(2);
    expect(await tab.page.getByRole('button', { name: 'dyno web.2, worker.1' }).count()).toBe(1);
  });

  it('keeps searches in the browser', async () => {
    const tab = await openApp(browser, server, app, { query: 'q=third&dyno=worker.1' });
    await tab.waitForLineCount(1);
    const open = () => tab.page.getByRole('button', { name: 'Saved searches' }).click();
    await open();
    await tab.page.getByRole('textbox', { name: /^Save/ }).fill('the <b>third</b>');
    await tab.page.getByRole('button', { name: 'Save', exact: true }).click();
    await tab.page.getByText('dyno:worker.1 third').first().waitFor();
    await tab.screenshot('list-saved');
    await tab.page.keyboard.press('Escape');
    await tab.page.getByRole('button', { name: 'Clear all filters' }).click();
    await tab.waitForLineCount(7);
    await tab.page.reload();
    await tab.waitForLineCount(7);
    await open();
    await tab.page
      .getByRole('button', { name: /the <b>third<\/b>/ })
      .first()
      .click();
    await tab.waitForLineCount(1);
    await tab.page.getByRole('button', { name: 'Remove the' }).click();
    await tab.page.getByText('No search is saved yet.').waitFor();
    expect(await tab.page.evaluate('localStorage.getItem("tailrace-searches")')).toBe('[]');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('is downloaded as it is looked at: as text or NDJSON, packed or not, the range or all', async () => {
    const tab = await openApp(browser, server, app, { query: 'dyno=web.1,web.2' });
    await tab.waitForMessage('last');
    const download = async (...choices: readonly string[]): Promise<{ name: string; bytes: Buffer }> => {
      await tab.page.keyboard.press('Shift+D');
      for (const choice of choices) await tab.page.getByLabel(choice).check();
      const [file] = await Promise.all([
        tab.page.waitForEvent('download'),
        // The toolbar has one of that name, too.
        tab.page.locator('dialog').getByRole('button', { name: 'Download', exact: true }).click(),
      ]);
      await tab.page.locator('dialog').waitFor({ state: 'detached' });
      return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    const plain = await download('everything that is kept');
    expect(plain.name).toMatch(/^shop-\d{4}-\d\d-\d\dT\d{4}\.log$/);
    const lines = plain.bytes.toString().split('\n');
    expect(lines.slice(0, 2)).toEqual([text('web.1', 'first'), text('web.2', '\x1b[32msecond\x1b[0m')]);
    expect(plain.bytes.toString()).not.toContain('third');
    const packed = await download('NDJSON, with every field', 'packed with gzip');
    expect(packed.name).toMatch(/\.ndjson\.gz$/);
    const records = gunzipSync(packed.bytes)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ message }) => message)).toEqual([
      'first',
      '\x1b[32msecond\x1b[0m',
      LONG,
      TRACE,
      'last',
    ]);
    // Of another range there is nothing.
    await tab.page.goto(`${server.url}/?app=shop&range=2012-01-01T00:00:00Z/2012-01-02T00:00:00Z`);
    await tab.waitForMessage('last');
    await until('counts', async () => (await tab.page.locator('.line-sum strong').textContent()) === '0');
    expect((await download()).bytes.length).toBe(0);
    await tab.page.keyboard.press('Shift+D');
    await tab.screenshot('list-download');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('shows all apps together: history and what comes, each line with its app', async () => {
    const other = await server.createApp('billing');
    await pushLines(server, other.token, ['bill one', 'bill two']);
    const tab = await openApp(browser, server, app);
    await tab.waitForMessage('last');
    await tab.page.getByLabel('App', { exact: true }).selectOption('All apps');
    await tab.waitForMessage('bill two');
    await tab.waitForLineCount(9);
    await tab.waitUntilLive();
    await until('counts', async () => (await tab.page.locator('.line-sum strong').textContent()) === '9');
    await pushLines(server, other.token, ['bill live']);
    await pushLines(server, app.token, ['shop live']);
    await tab.waitForMessage('bill live');
    await tab.waitForMessage('shop live');
    await until(
      'live counts',
      async () => (await tab.page.locator('.line-sum strong').textContent()) === '11',
    );
    await tab.screenshot('list-all-apps');
    const originOf = (message: string) =>
      tab.page.locator('.row', { hasText: message }).locator('.origin').textContent();
    expect([await originOf('bill two'), await originOf('third')]).toEqual(['billing web.1', 'shop worker.1']);
    await tab.page.reload();
    await tab.waitForLineCount(11);
    // Paused and followed again, nothing is lost and nothing comes twice.
    await tab.page.keyboard.press('Space');
    await pushLines(server, other.token, ['while paused']);
    await tab.page.locator('.resume-button').getByText('1 new line').waitFor();
    await tab.page.keyboard.press('Space');
    await tab.waitForLineCount(12);
    await tab.page.locator('#search').fill('bill');
    await tab.waitForLineCount(3);
    await tab.page
      .locator('.row', { hasText: 'bill one' })
      .locator('.text')
      .click({ position: { x: 10, y: 8 } });
    await tab.page.keyboard.press('x');
    await tab.waitForLineCount(4);
    expect(new URL(tab.page.url()).search).toBe('?app=billing&at=1');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('has one row for a stack trace that comes line by line, wherever it is looked at from', async () => {
    const shop = await server.createApp('traces');
    const send = async (lines: readonly [dyno: string, message: string][]): Promise<void> => {
      const bytes = lines.map(([dyno, message]) => octetCounted(logplexLine(message, 'token', dyno)));
      expect((await postLogs(server, shop.token, Buffer.concat(bytes))).status).toBe(204);
    };
    const trace = ['Error: no order', '    at load (/app/orders.js:3:9)', '    at node:internal/x:1:1'];
    await send([
      ['web.1', 'before'],
      ['web.1', trace[0]],
      ['web.2', 'meanwhile'],
      ['web.1', trace[1]],
    ]);
    const tab = await openApp(browser, server, shop);
    const { page } = tab;
    await tab.waitForLineCount(4);
    // The rest comes live, between lines of another dyno, each of which says that it is an error.
    await send([['web.2', 'ERROR: another one']]);
    await send([
      ['web.1', trace[2]],
      ['web.2', trace[1]],
      ['web.1', 'after'],
    ]);
    await tab.waitForLineCount(8);
    const rows = (): Promise<string[]> => tab.messages();
    const folded = 'Error: no orderat load (/app/orders.js:3:9)+2 lines';
    const other = 'ERROR: another oneat load (/app/orders.js:3:9)+1 line';
    await until(
      'five rows',
      async () => String(await rows()) === String(['before', folded, 'meanwhile', other, 'after']),
    );
    const errors = page.locator('.error-count strong');
    await until('two errors', async () => (await errors.textContent()) === '2');
    await page.reload();
    await tab.waitForLineCount(8);
    expect(await rows()).toEqual(['before', folded, 'meanwhile', other, 'after']);
    await until('two errors', async () => (await errors.textContent()) === '2');
    // By key: the next error, open, copied whole.
    await page.locator('.row', { hasText: 'before' }).locator('.text').click();
    await page.keyboard.press('e');
    await page.keyboard.press('y');
    await page.getByText('Line copied').waitFor();
    const whole = trace.map((message) => `${text('web.1', message)}\n`).join('');
    expect(await clipboard(tab)).toBe(whole);
    await page.keyboard.press('Enter');
    await page.locator('.row .text', { hasText: trace[2].trim() }).waitFor();
    await page.getByRole('button', { name: 'Copy message' }).click();
    await until('the message', async () => (await clipboard(tab)) === trace.join('\n'));
    await page.keyboard.press('Enter');
    await tab.screenshot('list-traces');
    // With a filter that one line of it matches; what was found is seen.
    await page.locator('#search').fill('internal');
    await tab.waitForLineCount(3);
    expect(await rows()).toEqual([
      'Error: no orderat load (/app/orders.js:3:9)at node:internal/x:1:1+2 lines',
    ]);
    await page.locator('#search').fill('');
    await tab.waitForLineCount(8);
    await page.locator('select[name=level]').selectOption('errors');
    await tab.waitForLineCount(5);
    expect(await rows()).toEqual([folded, other]);
    // Its line in the context, and the address of a line within it.
    await page.locator('.row', { hasText: 'no order' }).locator('.text').click();
    await page.keyboard.press('x');
    await tab.waitForLineCount(8);
    const selected = page.locator('.row[data-selected=true] .text');
    await until('it is selected', async () => (await selected.textContent()) === folded);
    const within = await openApp(browser, server, shop, { query: 'at=6' });
    await until(
      'the event of that line is selected',
      async () => (await within.page.locator('.row[data-selected=true] .text').textContent()) === folded,
    );
    await within.page.keyboard.press('j');
    await until(
      'the row behind it',
      async () => (await within.page.locator('.row[data-selected=true] .text').textContent()) === 'meanwhile',
    );
    expect([...tab.consoleErrors, ...within.consoleErrors]).toEqual([]);
  });
});
