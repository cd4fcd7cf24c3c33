import { expect, test } from 'vitest';
import { routerLogLine } from '../../../src/apps/http-router/http/access-log.ts';
import {
  getRequest,
  sendAndReadAll,
  startDyno,
  startFixedResponseDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

async function startRouted() {
  const app = new TestApp();
  const urls: string[] = [];
  const port = await startDyno((incoming, response) => {
    urls.push(incoming.url ?? '');
    response.end('ok');
  });
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app);
  return { app, router, urls };
}

const LINE =
  /^at=info method=[A-Z]+ path="[^"\\\s]*" host=[\w.-]* request_id=[\w-]+ fwd="[^"\\]*" dyno=web\.1 connect=\d+ms service=\d+ms status=200 bytes=2 protocol=http$/;

test.each([
  ['/"status=500', '/%22status=500'],
  ['/\\', '/%5C'],
  ['/\xc3\xa9', '/%C3%A9'],
  ['/a"%20at=error%20code=H10', '/a%22%20at=error%20code=H10'],
])('a path cannot add fields to the log line: %s', async (path, printed) => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await startFixedResponseDyno('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))];
  const router = await startTestRouter(app);
  await sendAndReadAll(router.port, getRequest(path));
  const line = await app.waitForLine(1);
  expect(line).toMatch(LINE);
  expect(line).toContain(`path="${printed}"`);
});

test.each(['/a b', '/a\tb', '/a\x00b', '/a\nb', '/a\rb', '/\x1b[31m', '/\x7f'])(
  'a path with white space or control characters is rejected: %j',
  async (path) => {
    const { app, router, urls } = await startRouted();
    expect(statusOf(await sendAndReadAll(router.port, getRequest(path)))).toBe(400);
    expect(urls).toEqual([]);
    for (const line of app.lines) expect(line).not.toMatch(/[\x00-\x1f\x7f]/);
  },
);

test.each([
  'my app',
  'a"b',
  'a\\b',
  'a=b c',
  'myapp.localhost\x00',
  'a/b',
  'a@b',
  '[::1',
  'myapp.localhost:x',
])('an invalid host is rejected: %j', async (host) => {
  const { app, router, urls } = await startRouted();
  const response = await sendAndReadAll(router.port, getRequest().replace('myapp.localhost', host));
  expect(statusOf(response)).toBe(400);
  expect([app.lines, urls]).toEqual([[], []]);
});

test('two hosts are rejected, and a missing one', async () => {
  const { router, urls } = await startRouted();
  expect(statusOf(await sendAndReadAll(router.port, getRequest('/', 'Host: other\r\n')))).toBe(400);
  expect(statusOf(await sendAndReadAll(router.port, getRequest().replace(/Host.*\r\n/, '')))).toBe(400);
  expect(urls).toEqual([]);
});

test('a port and capitals in the host are not logged', async () => {
  const { app, router } = await startRouted();
  await sendAndReadAll(router.port, getRequest().replace('myapp.localhost', 'MyApp.LOCALHOST:8080'));
  expect(await app.waitForLine(1)).toContain(' host=myapp.localhost request_id=');
});

test('a value of X-Forwarded-For cannot close its quotes', async () => {
  const { app, router } = await startRouted();
  await sendAndReadAll(router.port, getRequest('/', 'X-Forwarded-For: 1.1.1.1" dyno=web.9 x="\\\r\n'));
  const line = await app.waitForLine(1);
  expect(line).toMatch(LINE);
  expect(line).toContain('fwd="1.1.1.1%22 dyno=web.9 x=%22%5C, 127.0.0.1"');
});

test('a log line without a single safe value is still one line', () => {
  const evil = 'a\r\n"\\ \x00\x7f\xff';
  const entry = {
    method: evil,
    path: evil,
    host: evil,
    requestId: 'id',
    forwardedFor: evil,
    dyno: 'web.1',
    connectMs: -1,
    serviceMs: 1.6,
    status: 200,
    byteCount: 0,
  };
  expect(routerLogLine(entry)).toBe(
    'at=info method=a%0D%0A%22%5C%20%00%7F%FF path="a%0D%0A%22%5C%20%00%7F%FF" host=a%0D%0A%22%5C%20%00%7F%FF request_id=id fwd="a%0D%0A%22%5C %00%7F%FF" dyno=web.1 connect= service=2ms status=200 bytes=0 protocol=http',
  );
});

const H = 'Host: myapp.localhost\r\n';
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: myapp.localhost\r\n\r\n';

test.each([
  ['length and chunks', `POST / HTTP/1.1\r\n${H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['chunks spelled with white space', `POST / HTTP/1.1\r\n${H}Transfer-Encoding : chunked\r\n\r\n`],
  ['chunks on a folded line', `POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n chunked\r\n\r\n`],
  ['chunks among others', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, identity\r\n\r\n`],
  ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`],
  ['two lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`],
  ['a length in hexadecimal', `POST / HTTP/1.1\r\n${H}Content-Length: 0x5\r\n\r\n`],
  ['a bare line feed in a header', `POST / HTTP/1.1\r\n${H}X: a\nTransfer-Encoding: chunked\r\n\r\n`],
  ['a bare carriage return', `POST / HTTP/1.1\r\n${H}X: a\rContent-Length: 9\r\n\r\n`],
  [
    'a bare line feed behind a chunk size',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\n\r\n`,
  ],
  [
    'a line feed in a chunk extension',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n`,
  ],
])('a request is not smuggled past with %s', async (_how, request) => {
  const { router, urls } = await startRouted();
  expect(statusOf(await sendAndReadAll(router.port, request + smuggled))).toBe(400);
  expect(urls).not.toContain('/smuggled');
});
