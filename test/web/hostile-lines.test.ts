import { rmSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeOldLines } from '../support/old-lines.ts';
import { octetCounted, postLogs, pushLines, TIME } from '../support/senders/send-lines.ts';
import { type Server, startServer, temporaryFolder } from '../support/server.ts';
import { launchBrowser, noBrowser, openApp } from './browser-tab.ts';

const HOSTILE_LINES = [
  '<img src=x onerror=alert(1)>',
  '<script>alert(2)</script>',
  '"><svg onload=alert(3)>',
  '{"a":"<iframe srcdoc=\'<script>alert(4)</script>\'>","__proto__":{"b":1}}',
  'k="</span><img src=x onerror=alert(5)>" x=javascript:alert(6)',
  '\x1b]8;;javascript:alert(7)\x07link\x1b]8;;\x07 \x1b[31mred\x1b[0m \x1b[38;2;1;2;3;4;5murl(x)\x1b[0m',
  '\u202egnitirw \u2066isolated\u2069 \x00\x07\x7f',
];

describe.skipIf(noBrowser)('a hostile line', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.close()]));

  it('is only text, whatever it contains', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, HOSTILE_LINES);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(HOSTILE_LINES.length);
    for (let i = 0; i < HOSTILE_LINES.length; i++) {
      await tab.page.keyboard.press('k');
      await tab.page.keyboard.press('Enter');
    }
    await tab.page
      .locator('.details')
      .nth(HOSTILE_LINES.length - 1)
      .waitFor();
    const messages = await tab.messages();
    expect(messages.slice(0, 3)).toEqual(HOSTILE_LINES.slice(0, 3));
    expect(messages[5]).toContain('␛]8;;javascript:alert(7)␇link');
    expect(messages[6]).toContain('<U+202E>gnitirw <U+2066>isolated<U+2069> ␀␇␡');
    const red = tab.page.locator('.row .fg-1', { hasText: 'red' });
    expect(await red.count()).toBe(1);
    // A search for hostile text is text as well.
    await tab.page.locator('#search').fill('"<img src=x"');
    await tab.page.keyboard.press('Enter');
    await tab.waitForLineCount(2);
    expect(await tab.page.locator('.lines img, .lines script, .lines iframe, .lines a').count()).toBe(0);
    expect(tab.consoleErrors).toEqual([]);
    expect(tab.foreignRequests).toEqual([]);
  });

  it('has nothing hidden in any of its fields', async () => {
    const app = await server.createApp();
    const odd = '\u202eevil\u2066\u200b\u061c';
    const data = `[a@1 k="${odd}"]`;
    const frame = octetCounted(
      `<190>1 ${TIME} h${odd} token web${odd} ID${odd} ${data} {"k\\u202e":"\\u200bv"}`,
    );
    expect((await postLogs(server, app.token, frame)).status).toBe(204);
    const tab = await openApp(browser, server, app);
    await tab.waitForLineCount(1);
    await tab.page.keyboard.press('k');
    await tab.page.keyboard.press('Enter');
    await tab.page.locator('.details').waitFor();
    const shown = await tab.page.evaluate<string>('document.documentElement.outerHTML');
    expect(shown).not.toMatch(/[\u202e\u2066\u200b\u061c]/);
    expect(shown).toContain('k="&lt;U+202E&gt;evil&lt;U+2066&gt;&lt;U+200B&gt;&lt;U+061C&gt;"');
    expect(shown).toContain('&lt;U+200B&gt;v');
    expect(tab.consoleErrors).toEqual([]);
  });

  it('with a time that no calendar has doesn’t stop the page, whatever stored it', async () => {
    const data = temporaryFolder();
    const before = await startServer({ data });
    const app = await before.createApp();
    await before.close();
    const times = ['2026-11-28T09:20:60Z', '2026-11-28T09:20:00+99:99', 'x\u202e', '-'];
    await storeOldLines(data, app.id, [
      { message: 'before' },
      ...times.map((timestamp, i) => ({ timestamp, message: `no time ${i}` })),
    ]);
    const own = await startServer({ data });
    try {
      const tab = await openApp(browser, own, app);
      await tab.waitForMessage('no time 3');
      for (const time of times) {
        const frame = octetCounted(`<190>1 ${time} h token web.1 - - live ${time}`);
        expect((await postLogs(own, app.token, frame)).status).toBe(204);
      }
      await pushLines(own, app.token, ['goes on']);
      await tab.waitForMessage('goes on');
      await tab.waitForLineCount(times.length * 2 + 2);
      for (let i = 0; i < 7; i++) await tab.page.keyboard.press('k');
      await tab.page.keyboard.press('Enter');
      await tab.page.locator('.details').waitFor();
      expect(await tab.page.locator('time', { hasText: '--:--:--' }).count()).toBe(times.length);
      expect(tab.consoleErrors).toEqual([]);
    } finally {
      await own.close();
      rmSync(data, { recursive: true, force: true });
    }
  });

  it('could do nothing as HTML: inline scripts, other servers and HTML from text are forbidden', async () => {
    const app = await server.createApp();
    const tab = await openApp(browser, server, app);
    const tried = await tab.page.evaluate<string[]>(`(async () => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective));
      try { document.body.innerHTML = '<b>x</b>'; } catch { seen.push('refused: innerHTML'); }
      const script = document.createElement('script');
      try { script.text = 'window.done = true'; } catch { seen.push('refused: script'); }
      await fetch('http://127.0.0.1:9/').catch(() => seen.push('refused: fetch'));
      await new Promise((resolve) => setTimeout(resolve));
      return seen;
    })()`);
    expect(tried).toEqual(
      expect.arrayContaining(['refused: innerHTML', 'refused: script', 'refused: fetch', 'connect-src']),
    );
  });

  it('is on a page with strict headers, right types and validators', async () => {
    const page = await request(`${server.url}/`);
    const html = await page.body.text();
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['cache-control']).toBe('no-cache');
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:\/\//);

    const script = /src="\.(\/assets\/[^"]+\.js)"/.exec(html)?.[1] ?? '';
    const plain = await request(server.url + script);
    const text = await plain.body.text();
    expect(plain.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const small = await request(server.url + script, { headers: { 'accept-encoding': 'br, gzip' } });
    expect(small.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(Buffer.from(await small.body.arrayBuffer())).toString()).toBe(text);
    const known = await request(server.url + script, {
      headers: { 'if-none-match': `"other", ${plain.headers.etag}` },
    });
    expect(known.statusCode).toBe(304);
    expect(await known.body.text()).toBe('');
    const head = await request(`${server.url}/`, { method: 'HEAD' });
    expect([head.statusCode, await head.body.text()]).toEqual([200, '']);
    const beside = await request(`${server.url}/assets/..%2f..%2fpackage.json`);
    expect(beside.statusCode).toBe(404);
    await beside.body.dump();
  });
});
