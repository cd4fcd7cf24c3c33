import { describe, expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import {
  getRequest,
  requestThroughRouter,
  sendAndReadAll,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

describe('the page', () => {
  test('is HTML for a browser and says what to do', async () => {
    const { response } = await requestThroughRouter(
      await freePort(),
      {},
      getRequest('/', 'Accept: text/html,*/*\r\n'),
    );
    expect(response).toContain('Content-Type: text/html; charset=utf-8\r\n');
    expect(response).toContain('tailrace logs --tail -a myapp');
    expect(response).toContain('H21');
  });

  test('of the app itself is in a frame, for a browser', async () => {
    const app = new TestApp();
    app.dynos = [upstreamUp(await freePort())];
    app.errorPages = { error: 'https://example.com/a"b.html', maintenance: '//example.com/later.html' };
    const router = await startTestRouter(app);
    const html = 'Accept: text/html\r\n';
    const failed = await sendAndReadAll(router.port, getRequest('/', html));
    expect(statusOf(failed)).toBe(503);
    expect(failed).toContain('<iframe src="https://example.com/a&#34;b.html"></iframe>');
    expect(await sendAndReadAll(router.port, getRequest())).toContain('The app refuses connections');
    // What is wrong with a request is not the app's fault.
    expect(await sendAndReadAll(router.port, getRequest('/', `${html}Bad Header: x\r\n`))).not.toContain(
      '<iframe',
    );
    app.maintenance = true;
    expect(await sendAndReadAll(router.port, getRequest('/', html))).toContain(
      '<iframe src="//example.com/later.html">',
    );
  });

  test('is text for everything else', async () => {
    const { response } = await requestThroughRouter(await freePort());
    expect(response).toContain('Content-Type: text/plain; charset=utf-8\r\n');
    expect(response).not.toContain('<');
  });

  test('for HEAD has no body', async () => {
    const { response } = await requestThroughRouter(
      await freePort(),
      {},
      getRequest().replace('GET', 'HEAD'),
    );
    expect(response).toMatch(/Content-Length: [1-9]\d*\r\n/);
    expect(response).toMatch(/\r\n\r\n$/);
  });

  test('for an unknown host is 404 and writes no line', async () => {
    const app = new TestApp();
    const router = await startTestRouter(app);
    const response = await sendAndReadAll(
      router.port,
      getRequest().replace('myapp.localhost', 'nobody.localhost'),
    );
    expect(statusOf(response)).toBe(404);
    expect(app.lines).toEqual([]);
  });

  test('leaves the connection open for the next request', async () => {
    const app = new TestApp();
    app.desiredCount = 0;
    const router = await startTestRouter(app);
    const response = await sendAndReadAll(
      router.port,
      getRequest().replace('Connection: close\r\n', '') + getRequest(),
    );
    expect(response.match(/HTTP\/1\.1 503/g)).toHaveLength(2);
  });
});
