/** The histogram of the live page: of what is looked at, from the server's counts; drawn into with a mouse, a finger, keys. */
import { rmSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeLinesAt } from '../support/old-lines.ts';
import { pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../support/server.ts';
import { until } from '../support/until.ts';
import { launchBrowser, noBrowser, openApp, PHONE, type Tab } from './browser-tab.ts';

const MINUTE = 60_000;
/** Where the stored lines begin: on a whole hour, at least five hours ago. */
const START = Math.floor(Date.now() / (60 * MINUTE)) * 60 * MINUTE - 5 * 60 * MINUTE;
/** Two hours, a batch a minute; errors in the middle, warnings now and then. */
const MINUTES = 120;

function linesOfMinute(minute: number): { message: string; timestamp: string }[] {
  const count = 20 + Math.round(15 * Math.sin(minute / 9));
  return Array.from({ length: count }, (_, i) => {
    const level =
      minute >= 60 && minute < 66 && i % 3 === 0 ? 'error' : i === 7 && minute % 4 === 0 ? 'warn' : 'info';
    const timestamp = new Date(START + minute * MINUTE + i * 1_000).toISOString().replace('Z', '000+00:00');
    return { timestamp, message: `level=${level} minute=${minute} line ${i}` };
  });
}

describe.skipIf(noBrowser)('the histogram', () => {
  let browser: Browser;
  let data: string;
  let server: Server;
  let app: App;
  beforeAll(async () => {
    data = temporaryFolder();
    const before = await startServer({ data });
    [browser, app] = await Promise.all([launchBrowser(), before.createApp('history')]);
    await before.close();
    const batches = Array.from({ length: MINUTES }, (_, minute) => ({
      storedAtMs: START + minute * MINUTE + 30_000,
      lines: linesOfMinute(minute),
    }));
    await storeLinesAt(data, app.id, batches);
    server = await startServer({ data });
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), server?.close()]);
    rmSync(data, { recursive: true, force: true });
  });

  const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
  const all = `range=${iso(START)}/${iso(START + MINUTES * MINUTE)}`;
  const sum = async (tab: Tab): Promise<number> =>
    Number((await tab.page.locator('.line-sum strong').textContent())?.replaceAll(',', ''));
  const waitForSum = (tab: Tab, count: number): Promise<true> =>
    until(`${count} lines in the histogram`, async () => (await sum(tab)) === count);
  const plot = (tab: Tab) => tab.page.getByRole('slider', { name: 'Lines over time' });
  const boxOf = async (tab: Tab) => {
    const box = await plot(tab).boundingBox();
    if (!box) throw new Error('there is no histogram');
    return box;
  };
  const rangeIn = (tab: Tab): string => new URL(tab.page.url()).searchParams.get('range') ?? '';
  const total = (minutes: readonly number[], test = (_: string) => true): number =>
    minutes.flatMap(linesOfMinute).filter(({ message }) => test(message)).length;
  const minutes = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);

  it('counts what is looked at: range, filters, search; and what comes', async () => {
    const tab = await openApp(browser, server, app, { query: all });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    const { x, y, width, height } = await boxOf(tab);
    await tab.page.mouse.move(x + width / 2, y + height / 2);
    await tab.page.locator('.histogram-tooltip').waitFor();
    await tab.screenshot('histogram-dark');
    const errors = total(minutes(0, MINUTES), (message) => message.includes('level=error'));
    expect(await tab.page.locator('.error-count strong').textContent()).toBe(String(errors));
    await tab.page.locator('.error-count').click();
    await waitForSum(tab, errors);
    await tab.page.locator('#search').fill('minute:62');
    await waitForSum(
      tab,
      total([62], (message) => message.includes('level=error')),
    );
    await tab.page.getByRole('button', { name: 'Clear all filters' }).click();
    await waitForSum(tab, total(minutes(0, MINUTES)));
    await tab.page.getByLabel('Range of time').selectOption('5 minutes');
    await waitForSum(tab, 0);
    await pushLines(server, app.token, ['live one', 'ERROR: live two']);
    await waitForSum(tab, 2);
    expect(rangeIn(tab)).toBe('5m');
    expect(await tab.page.locator('.error-count strong').textContent()).toBe('1');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('is drawn into with a mouse: the range is shown alone, the list goes to its first line, and back', async () => {
    const tab = await openApp(browser, server, app, { query: all });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    const { x, y, width, height } = await boxOf(tab);
    const at = (minute: number): number => x + ((minute + 0.5) / MINUTES) * width;
    await tab.page.mouse.move(at(60), y + height / 2);
    await tab.page.mouse.down();
    await tab.page.mouse.move(at(63), y + height / 2, { steps: 4 });
    const tooltip = await tab.page.locator('.histogram-tooltip').textContent();
    const lines = total(minutes(60, 64));
    expect(tooltip).toContain(`(4 min): ${lines} lines`);
    expect(await tab.page.locator('.histogram-brush').count()).toBe(1);
    await tab.screenshot('histogram-brush');
    await tab.page.mouse.up();
    await waitForSum(tab, lines);
    expect(rangeIn(tab)).toBe(`${iso(START + 60 * MINUTE)}/${iso(START + 64 * MINUTE)}`);
    const selected = tab.page.locator('.row[data-selected=true]');
    await until('the first line of the range', async () =>
      ((await selected.textContent()) ?? '').includes('minute=60 line 0'),
    );
    await tab.screenshot('histogram-zoomed');
    await tab.page.getByRole('button', { name: 'Zoom out' }).click();
    await waitForSum(tab, total(minutes(54, 70)));
    await tab.page.goBack();
    await waitForSum(tab, lines);
    await tab.page.goBack();
    await waitForSum(tab, total(minutes(0, MINUTES)));
    expect(tab.consoleErrors).toEqual([]);
  });

  it('shows the tooltip where the pointer is, and goes to the time that is clicked', async () => {
    const tab = await openApp(browser, server, app, { query: all });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    const { x, y, width, height } = await boxOf(tab);
    for (const part of [0.02, 0.3, 0.75, 0.98]) {
      await tab.page.mouse.move(x + part * width, y + height / 2);
      const tip = await tab.page.locator('.histogram-tooltip').boundingBox();
      if (!tip) throw new Error('there is no tooltip');
      const distance = Math.min(
        Math.abs(tip.x - (x + part * width)),
        Math.abs(tip.x + tip.width - (x + part * width)),
      );
      expect(distance).toBeLessThan(width / MINUTES + 20);
      expect(tip.x).toBeGreaterThan(0);
      expect(tip.x + tip.width).toBeLessThan(1360);
    }
    await tab.page.mouse.click(x + ((30 + 0.5) / MINUTES) * width, y + height / 2);
    await until('the line of that time', async () =>
      ((await tab.page.locator('.row[data-selected=true]').textContent()) ?? '').includes('minute=30 line 0'),
    );
    // The line is marked in the histogram.
    const mark = await tab.page.locator('.histogram-highlight').boundingBox();
    expect(Math.abs((mark?.x ?? 0) - (x + (30 / MINUTES) * width))).toBeLessThan(12);
  });

  it('is used with keys alone, and says to a screen reader what it shows', async () => {
    const tab = await openApp(browser, server, app, { query: `${all}` });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    await plot(tab).focus();
    await tab.page.keyboard.press('Home');
    expect(await plot(tab).getAttribute('aria-valuetext')).toContain(`: ${total([0])} lines, 1 warning`);
    await tab.page.keyboard.press('ArrowRight');
    await tab.page.keyboard.press('Shift+PageDown');
    await tab.page.keyboard.press('Enter');
    await waitForSum(tab, total(minutes(1, 12)));
    const describedBy = await plot(tab).getAttribute('aria-describedby');
    const summary = await tab.page.locator(`[id="${describedBy}"]`).textContent();
    expect(summary).toContain(`: ${total(minutes(1, 12))} lines, 2 warnings. Most of them `);
    await plot(tab).focus();
    await tab.page.keyboard.press('-');
    await until('a longer range', async () => (await sum(tab)) > total(minutes(1, 12)));
  });

  it('is drawn into with a finger, light and small', async () => {
    const tab = await openApp(browser, server, app, { query: all, colorScheme: 'light', ...PHONE });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    const { x, y, width, height } = await boxOf(tab);
    const client = await tab.page.context().newCDPSession(tab.page);
    const touch = (type: string, minute?: number): Promise<unknown> =>
      client.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints:
          minute === undefined ? [] : [{ x: x + ((minute + 0.5) / MINUTES) * width, y: y + height / 2 }],
      });
    await touch('touchStart', 20);
    await touch('touchMove', 30);
    await touch('touchMove', 39);
    await tab.screenshot('histogram-phone-light');
    await touch('touchEnd');
    await waitForSum(tab, total(minutes(20, 40)));
    const wide = await tab.page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
    expect(wide).toBe(false);
  });

  it('of a permalink, and of a line in its context, is around the line', async () => {
    // The first line of the 60th minute.
    const at = total(minutes(0, 60)) + 1;
    const tab = await openApp(browser, server, app, { query: `at=${at}` });
    await until('counts', async () => (await sum(tab)) > 0);
    // A quarter of an hour around it, in buckets of ten seconds: all that was stored of each minute is at its half.
    expect(await sum(tab)).toBe(total(minutes(53, 68)));
    await tab.page.locator('.histogram-highlight').waitFor();
    await tab.screenshot('histogram-permalink');
    await tab.page.locator('#search').fill('minute:62 level:error');
    await waitForSum(tab, 0);
    await tab.waitForMessage('minute=62 line 0');
    await tab.page.locator('.row', { hasText: 'minute=62 line 0' }).locator('.text').click();
    await tab.page.keyboard.press('x');
    await waitForSum(tab, total(minutes(55, 70)));
    expect(tab.consoleErrors).toEqual([]);
  });

  it('has the times of the zone that is chosen, for rows as well', async () => {
    const tab = await openApp(browser, server, app, { query: all, timezoneId: 'Asia/Kolkata' });
    await waitForSum(tab, total(minutes(0, MINUTES)));
    const labels = () => tab.page.locator('.histogram-times span').allInnerTexts();
    // The beginning of the second hour; at midnight that is the day.
    const hour = new Date(START + 60 * MINUTE).toISOString().slice(11, 16);
    const isUtc = (text: string): boolean => (hour === '00:00' ? /^[A-Z]/.test(text) : text === hour);
    // Half an hour apart: their labels are at whole hours of the zone.
    expect((await labels()).some((text) => text.endsWith(':00'))).toBe(true);
    const time = () => tab.page.locator('.row time').first().textContent();
    const local = await time();
    await tab.page.keyboard.press('u');
    await until('times in UTC', async () => (await labels()).some(isUtc));
    await until('other times in the rows', async () => (await time()) !== local);
    await tab.page.reload();
    await until('still UTC', async () => (await labels()).some(isUtc));
  });
});
