/** A browser whose clock is wrong by hours: times on the page are the server's. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { launchBrowser, noBrowser, type Tab } from '../browser-tab.ts';
import { openViewer, TestViewer } from './viewer-server.ts';

const HOUR_MS = 3_600_000;

let browser: Browser;
let viewer: TestViewer;

describe.skipIf(noBrowser)('a browser whose clock is', () => {
  beforeAll(async () => {
    [browser, viewer] = await Promise.all([launchBrowser(), TestViewer.start()]);
    await viewer.firstVisit(browser);
  });
  afterAll(() => Promise.all([browser?.close(), viewer?.close()]));

  const sum = async (tab: Tab): Promise<string | null> => tab.page.locator('.line-sum strong').textContent();

  it.each([
    ['5 hours ahead', 5],
    ['5 hours behind', -5],
    ['a year ahead', 8_766],
  ])(
    '%s shows the last hour by the server’s clock, counts it, and says how long ago a line was',
    async (name, hours) => {
      const [stream] = await viewer.createStreams(name, 'app');
      await viewer.send(stream, [
        { message: 'of yesterday', ms: Date.now() - 24 * HOUR_MS },
        { message: 'ten minutes ago', ms: Date.now() - HOUR_MS / 6 },
        'just now',
      ]);
      const tab = await openViewer(browser, viewer, '');
      await tab.page.clock.setSystemTime(Date.now() + hours * HOUR_MS);
      await tab.page.goto(`${viewer.url}/?group=${stream.group}&from=1h`);
      const browserMs = await tab.page.evaluate<number>('Date.now()');
      expect(Math.round((browserMs - Date.now()) / HOUR_MS)).toBe(hours);
      await tab.waitForMessage('ten minutes ago');
      await tab.waitForMessage('just now');
      expect(await tab.messages()).not.toContain('of yesterday');
      await until('two lines in the histogram', async () => (await sum(tab)) === '2');
      await viewer.send(stream, ['and live']);
      await tab.waitForMessage('and live');
      // Of the last day, too, and where nothing says since when.
      await tab.page.getByLabel('Time', { exact: true }).selectOption('7d');
      await tab.waitForMessage('of yesterday');
      await until('all in the histogram', async () => (await sum(tab)) === '4');
      await tab.page.locator('.line', { hasText: 'ten minutes ago' }).first().click();
      await tab.page.keyboard.press('Enter');
      await until('how long ago', async () =>
        / \(1\d min(?:\s\S+)? ago\)/.test((await tab.page.locator('body').textContent()) ?? ''),
      );
      expect(tab.consoleErrors).toEqual([]);
    },
  );
});
