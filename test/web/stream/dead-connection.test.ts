/** Connections that are dead without an end: a laptop has slept, something on the way has forgotten them, or lets nothing through. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { pushLines } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { launchBrowser, noBrowser, Tab } from '../browser-tab.ts';

/**
 * Passes connections on to a port; what was upgraded is forgotten when that is asked for: nothing is passed on any more, and nothing is ended.
 * @param swallows the upgrade is passed on, and nothing behind it
 */
async function startForgetfulProxy(
  port: number,
  swallows = false,
): Promise<{ url: string; forget: () => number }> {
  const upgraded = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ]) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
    client.on('data', (chunk) => {
      if (!/^upgrade: websocket/im.test(chunk.toString('latin1'))) return;
      upgraded.add(client).add(target);
      if (!swallows) return;
      target.unpipe(client).once('data', (answer: Buffer) => {
        client.write(answer.subarray(0, answer.indexOf('\r\n\r\n') + 4));
        target.resume();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const forget = (): number => {
    for (const socket of upgraded) socket.unpipe().pause();
    return upgraded.size;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, forget };
}

it.skipIf(noBrowser)(
  'a tail whose connection is dead unseen connects again, and nothing is missing',
  async () => {
    const server = await startServerForTest();
    const app = await server.createApp('quiet');
    await pushLines(server, app.token, ['one']);
    const proxy = await startForgetfulProxy(Number(new URL(server.url).port));
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.clock.install();
    const tab = new Tab(page, proxy);
    await page.goto(`${proxy.url}/?app=quiet#key=${server.key}`);
    await tab.waitForMessage('one');
    await tab.waitUntilLive();
    expect(proxy.forget()).toBe(2);
    await pushLines(server, app.token, ['two']);
    await page.clock.fastForward(60_000);
    await tab.waitForMessage('two');
    await tab.waitUntilLive();
    await pushLines(server, app.token, ['three']);
    await tab.waitForMessage('three');
    expect(await tab.messages()).toEqual(['one', 'two', 'three']);
    expect(tab.consoleErrors).toEqual([]);
  },
);

it.skipIf(noBrowser)('where no WebSocket comes through, lines come as events, and go on', async () => {
  const server = await startServerForTest();
  const app = await server.createApp('quiet');
  await pushLines(server, app.token, ['one']);
  const proxy = await startForgetfulProxy(Number(new URL(server.url).port), true);
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.clock.install();
  const tab = new Tab(page, proxy);
  await page.goto(`${proxy.url}/?app=quiet#key=${server.key}`);
  await tab.waitForMessage('one');
  await pushLines(server, app.token, ['two']);
  // Nothing has come: it isn’t live.
  await page.locator('.state[data-state=connecting]').waitFor();
  await until('a WebSocket', () => proxy.forget() === 2);
  await page.clock.fastForward(30_000);
  await page.clock.fastForward(3_000);
  await tab.waitForMessage('two');
  await tab.waitUntilLive();
  await pushLines(server, app.token, ['three']);
  await tab.waitForMessage('three');
  expect(await tab.messages()).toEqual(['one', 'two', 'three']);
  // Another search doesn't wait for WebSockets again.
  await page.locator('#search').fill('four');
  await tab.waitForLineCount(0);
  await tab.waitUntilLive();
  await pushLines(server, app.token, ['four']);
  await tab.waitForMessage('four');
  expect(proxy.forget()).toBe(2);
  expect(tab.consoleErrors).toEqual([]);
});
