import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { type Server, startServer } from '../support/server.ts';
import { launchBrowser, noBrowser, openApp } from './browser-tab.ts';

describe.skipIf(noBrowser)('100,000 lines', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('are all held, in a page that stays small and scrolls', async () => {
    const app = await server.createApp();
    const tab = await openApp(browser, server, app);
    const words = 'method=GET path="/orders" status=200 service=12ms';
    for (let i = 0; i < 100_000; i += 5_000)
      await pushLines(server, app.token, numberedMessages(5_000, words, i));
    await tab.waitForLineCount(100_000);
    await tab.waitForMessage(`${words} 99999`);
    expect(await tab.page.locator('.row').count()).toBeLessThan(200);
    await tab.page.keyboard.press('Space');

    // From end to end in leaps, then line by line: every frame has rows in the visible part.
    const { empty, frames } = await tab.page.evaluate<{ empty: number; frames: number[] }>(`(async () => {
      const box = document.querySelector('.lines');
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const frames = [];
      let empty = 0;
      const look = async (top) => {
        const start = performance.now();
        box.scrollTop = top;
        await frame();
        await frame();
        frames.push((performance.now() - start) / 2);
        const edge = box.getBoundingClientRect().top;
        const seen = [...document.querySelectorAll('.row')].filter((row) => {
          const { top, bottom } = row.getBoundingClientRect();
          return bottom > edge && top < edge + box.clientHeight;
        });
        if (seen.length < 5) empty++;
      };
      for (let i = 0; i <= 20; i++) await look((box.scrollHeight * i) / 20);
      const start = box.scrollHeight / 2;
      for (let i = 0; i < 60; i++) await look(start + i * 60);
      return { empty, frames: frames.sort((a, b) => a - b) };
    })()`);
    expect(empty).toBe(0);
    const at = (share: number) => frames[Math.floor((frames.length - 1) * share)].toFixed(1);
    console.log(`100,000 lines, ms a frame: median ${at(0.5)}, 95 % ${at(0.95)}, longest ${at(1)}`);

    await tab.page.keyboard.press('g');
    await tab.waitForMessage(`${words} 0`);
    await tab.page.keyboard.press('Shift+G');
    await tab.waitForMessage(`${words} 99999`);
    expect(tab.consoleErrors).toEqual([]);
  });
});
