import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectionError } from '../../src/cli/connection-error.ts';
import { followTail } from '../../src/cli/logs/tail-client.ts';
import { sendClientRequest } from '../../src/common/http/client/client-request.ts';
import { ServerSilence, watchForSilence } from '../../src/common/http/client/silent-server.ts';
import { runTailrace } from '../support/program.ts';
import { startServerForTest } from '../support/server.ts';
import { until } from '../support/until.ts';

it.each([[['ps', '-a', 'x']], [['logs', '-a', 'x', '--tail']]])(
  '%j: what a proxy writes instead of the API is one sentence',
  async (args) => {
    const proxy = createServer((_request, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'));
    proxy.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>'),
    );
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const { port } = proxy.address() as AddressInfo;
    const env = { TAILRACE_URL: `http://127.0.0.1:${port}`, TAILRACE_API_KEY: 'k.x' };
    expect(await runTailrace(args, { env })).toMatchObject({
      status: 1,
      stderr: ' ›   Error: The server answered 502.\n',
    });
  },
);

/** The address of what answers every connection with these bytes, and ends it. */
async function answering(bytes: string): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answer = (status: string, type: string, body: string, length = body.length) =>
  `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;
const PAGE = answer('200 OK', 'text/html; charset=utf-8', '<html></html>');
const LOGIN =
  'HTTP/1.1 302 Found\r\nLocation: https://login.example.com/?a=secret\r\nContent-Length: 0\r\n\r\n';
const HALF = answer('200 OK', 'application/json', '[{"a', 1_000);

describe('what answers in the place of a server', () => {
  const change = ['config:set', 'A=1', '-a', 'x'];
  it.each<[string, string, string[], RegExp]>([
    [
      'a page',
      PAGE,
      ['apps'],
      /isn't tailrace's API \(200, text\/html\): look at TAILRACE_URL, and at a proxy/,
    ],
    ['a page', PAGE, change, /isn't tailrace's API/],
    ['a page', PAGE, ['logs', '-a', 'x'], /The server answered 200\./],
    ['a login', LOGIN, ['ps', '-a', 'x'], /isn't tailrace's API \(302, to https:\/\/login\.example\.com\)/],
    ['null', answer('200 OK', 'application/json', 'null'), ['apps'], /isn't tailrace's API/],
    ['half an answer', HALF, ['apps'], /doesn't answer \(ECONNRESET\)/],
    ['half an answer', HALF, ['logs', '-a', 'x'], /The server answered 200\./],
    [
      'half an answer',
      HALF,
      ['apps:create', 'x-x', '--no-remote'],
      /broke before it answered \(ECONNRESET\): it may have done it/,
    ],
    [
      'no answer',
      '',
      ['apps:create', 'x-x', '--no-remote'],
      /broke before it answered \(ECONNRESET\): it may have done it/,
    ],
    [
      'a greeting',
      '220 mail.example.com\r\n',
      ['apps'],
      /doesn't speak HTTP \(HPE_\w+\): is that the address/,
    ],
  ])('%s: one sentence', async (_name, bytes, args, said) => {
    const env = { TAILRACE_URL: await answering(bytes), TAILRACE_API_KEY: 'k.x' };
    const { status, stdout, stderr } = await runTailrace(args, { env });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('secret');
  });

  it('with https:// and a server without TLS: a sentence', async () => {
    const url = (await answering(PAGE)).replace('http:', 'https:');
    const { stderr } = await runTailrace(['apps'], { env: { TAILRACE_URL: url, TAILRACE_API_KEY: 'k.x' } });
    expect(stderr).toMatch(
      /^ › {3}Error: What answers at https:[^ ]+ doesn't speak TLS [^\n]+http:\/\/\?\n$/,
    );
  });
});

describe('a server that takes connections', () => {
  /** Its requests are answered as long as it isn't silent. */
  async function starting(answers: (path: string) => boolean) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (answers(request.url ?? '')) response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  }

  it('and answers nothing is silent; one that answers others, and works on this, isn’t', async () => {
    const silent = await starting(() => false);
    const { signal } = watchForSilence(`${silent.url}/health`, { everyMs: 20, giveUpMs: 100 });
    const waiting = sendClientRequest(`${silent.url}/apps`, { signal });
    await expect(waiting).rejects.toThrow(ServerSilence);

    let isStopped = false;
    const busy = await starting((path) => path === '/health' && !isStopped);
    const watch = watchForSilence(`${busy.url}/health`, { everyMs: 100, giveUpMs: 4_000 });
    const long = sendClientRequest(`${busy.url}/apps`, { signal: watch.signal });
    const lost = expect(long).rejects.toThrow(ServerSilence);
    await until('it was asked for long', () => busy.asked.length > 8);
    expect(watch.signal.aborted).toBe(false);
    isStopped = true;
    await lost;
    watch.end();
  });

  it('is said to be silent', () => {
    expect(connectionError('http://a', 'SILENT').message).toMatch(
      /^The server at http:\/\/a takes connections, and/,
    );
    expect(connectionError('http://a', 'SILENT', { isChange: true }).message).toMatch(
      /It may do it all the same/,
    );
  });
});

it('what was read in part is an error when the server stays away', { timeout: 120_000 }, async () => {
  const server = await startServerForTest();
  const app = await server.createApp();
  const body = Array.from({ length: 90_000 }, (_, i) => `line ${i} ${'x'.repeat(60)}`).join('\n');
  const sent = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', authorization: `Basic ${btoa(`token:${app.token}`)}` },
    body,
  });
  expect(sent.ok, await sent.text()).toBe(true);
  const lost: string[] = [];
  let count = 0;
  let goOn = (): void => {};
  const ended = followTail(
    { url: server.url, key: server.key },
    {
      app: app.name,
      query: { lines: '90000', tail: 'false', format: 'text' },
      onMessage: ({ lines }) => {
        if (lines.length === 0) return;
        count += lines.length;
        // Reads on when the server is gone.
        return new Promise((resolve) => {
          goOn = resolve;
        });
      },
      onDisconnected: (why) => lost.push(why),
      onReconnected: () => {},
      onNotice: () => {},
      giveUpMs: 0,
    },
    new AbortController().signal,
  ).then(
    () => 'all is there',
    (error: Error) => error.message,
  );
  await until('its first lines', async () => count > 0);
  await server.kill();
  goOn();
  const timer = setInterval(() => goOn(), 10);
  onTestFinished(() => clearInterval(timer));
  expect(await ended).toMatch(/was lost, and it doesn't answer \(.+\): what is there isn't all\. Ask again/);
  expect(count).toBeLessThan(90_000);
});
