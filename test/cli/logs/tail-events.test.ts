import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { startNginxProxy } from '../../support/http/nginx-proxy.ts';
import { startReverseProxy } from '../../support/http/reverse-proxy.ts';
import { missing, Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import {
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
  temporaryFolder,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

let shared: Server | undefined;
afterAll(() => shared?.close());

// nginx passes no upgrade on unless it is told to.
describe.skipIf(missing('nginx'))('behind a proxy that removes the upgrade', () => {
  it('a tail gets 426 with a sentence, and logs go on by events, also over a restart', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    const app = await server.createApp('quiet');
    await pushLines(server, app.token, ['{"level":"error","msg":"early"}', ...numberedMessages(10)]);
    const port = await freePort();
    startNginxProxy(port, server.url);
    const proxy = `http://127.0.0.1:${port}`;
    const authorization = `Bearer ${server.key}`;
    const tailOverHttp = (): Promise<Response> =>
      fetch(`${proxy}/apps/quiet/tail`, { headers: { authorization } });
    await until('nginx', () =>
      tailOverHttp().then(
        () => true,
        () => false,
      ),
    );
    const refused = await tailOverHttp();
    expect(refused.status).toBe(426);
    expect(refused.headers.get('upgrade')).toBe('websocket');
    expect(await refused.json()).toMatchObject({
      id: 'upgrade_required',
      message: expect.stringMatching(/proxy on the way/),
    });

    const env = { TAILRACE_URL: proxy, TAILRACE_API_KEY: server.key };
    const once = await runTailrace(['logs', '-a', 'quiet', '-n', '3'], { env });
    expect(once.stdout.match(/line \d/g)).toEqual(['line 7', 'line 8', 'line 9']);
    const all = await runTailrace(['logs', '--all', '-n', '2', '--json'], { env });
    expect(all.stdout.match(/line \d/g)).toEqual(['line 8', 'line 9']);
    const wrong = await runTailrace(['logs', '-a', 'nobody'], { env });
    expect([wrong.stderr, wrong.status]).toEqual([expect.stringContaining("Couldn't find that app"), 1]);

    const tail = new Program(process.execPath, [TAILRACE, 'tail', '-a', 'quiet', '-n', '2'], { env });
    onTestFinished(async () => {
      await tail.stop('SIGKILL');
    });
    await tail.waitForOutput(/line 9\n/);
    await pushLines(server, app.token, numberedMessages(20, 'line', 10));
    await tail.waitForOutput(/line 29\n/);
    await server.kill();
    await until('the note', () => /connection lost/.test(tail.stderr));
    const again = await startServerForTest({ data, env: { TAILRACE_HTTP_PORT: new URL(server.url).port } });
    await pushLines(again, app.token, numberedMessages(5, 'line', 30));
    await tail.waitForOutput(/line 34\n/);
    expect(tail.stdout.match(/line \d+/g)).toEqual(numberedMessages(27, 'line', 8));
  });
});

describe.skipIf(missing('nginx'))(
  'a tail that was open, and is refused for now when it connects again',
  () => {
    const upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';
    it.each([
      ['a WebSocket', 429, upgrade],
      ['events', 425, ''],
    ])('waits as long as it is asked to, and goes on: over %s, %i', async (_over, status, directives) => {
      const data = dataFolderForTest();
      const server = await startServerForTest({ data });
      const app = await server.createApp('busy');
      await pushLines(server, app.token, numberedMessages(2));
      const port = await freePort();
      // Where nginx' workers, who are somebody else, see it.
      const folder = temporaryFolder();
      chmodSync(folder, 0o755);
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const refusing = join(folder, 'refusing');
      startNginxProxy(
        port,
        server.url,
        '',
        `${directives} if (-f ${refusing}) { return ${status}; } add_header Retry-After 6 always;`,
      );
      const env = { TAILRACE_URL: `http://127.0.0.1:${port}`, TAILRACE_API_KEY: server.key };
      await until('nginx', () =>
        fetch(env.TAILRACE_URL).then(
          () => true,
          () => false,
        ),
      );
      const tail = new Program(process.execPath, [TAILRACE, 'tail', '-a', 'busy', '-n', '1'], { env });
      onTestFinished(async () => {
        await tail.stop('SIGKILL');
      });
      await tail.waitForOutput(/line 1\n/);
      writeFileSync(refusing, '');
      await server.kill();
      await until('the refusal', () =>
        tail.stderr.includes(`the server answered ${status}, and asks for 6 s`),
      );
      const refusedAtMs = performance.now();
      const again = await startServerForTest({
        data,
        env: { TAILRACE_HTTP_PORT: new URL(server.url).port },
      });
      await pushLines(again, app.token, numberedMessages(1, 'line', 2));
      rmSync(refusing);
      await tail.waitForOutput(/line 2\n/);
      expect(tail.stdout.match(/line \d/g)).toEqual(['line 1', 'line 2']);
      // It waited, and knocked but once; a busy machine takes longer to start the server.
      const knocks = tail.stderr.match(/answered/g)?.length;
      expect(knocks).toBeLessThanOrEqual(1 + Math.floor((performance.now() - refusedAtMs) / 6_000));
    });
  },
);

it.each([
  ['refuses WebSockets', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>'],
  ['resets them', ''],
  ['answers them with a page', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>'],
])('logs come by events where something on the way %s', async (_what, refusal) => {
  shared ??= await startServer();
  const app = await shared.createApp();
  await pushLines(shared, app.token, numberedMessages(3));
  const url = await startReverseProxy(shared.url, { refusal });
  const env = { TAILRACE_URL: url, TAILRACE_API_KEY: shared.key };
  const { stdout, stderr } = await runTailrace(['logs', '-a', app.name, '-n', '2'], { env });
  expect(stdout.match(/line \d/g)).toEqual(['line 1', 'line 2']);
  expect(stderr).toBe('');
  const unknown = await runTailrace(['logs', '-a', 'nobody'], { env });
  expect([unknown.stderr, unknown.status]).toEqual([expect.stringContaining("Couldn't find that app"), 1]);
});
