/** What a drain costs while it is stuck, and what becomes of what is under way when the router stops. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { httpReceiver, tcpReceiver } from '../../support/receivers/receivers.ts';
import { numbered, pushLines } from '../../support/senders/push.ts';
import { dataForTest, type Server, serveForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const MEBIBYTE = 1_048_576;

/** Memory of the process that isn't files, bytes. */
function anonymousBytes(server: Server): number {
  const status = readFileSync(`/proc/${server.program.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

it.skipIf(process.platform !== 'linux')('stuck drains cost a bounded, small amount of memory', async () => {
  const server = await serveForTest();
  const app = await server.createApp();
  const pushMuch = async (): Promise<void> => {
    const lines = numbered(1_000, 'x'.repeat(2_000));
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, lines);
  };
  await pushMuch();
  const before = anonymousBytes(server);
  const stuck = await httpReceiver(() => 'hang');
  const sockets: Socket[] = [];
  const deaf = createServer((socket) => void sockets.push(socket.pause()));
  await new Promise<void>((resolve) => deaf.listen({ host: '127.0.0.1', port: 0 }, () => resolve()));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  });
  const address = deaf.address();
  const port = typeof address === 'object' ? address?.port : 0;
  for (let i = 0; i < 10; i++) {
    await server.addDrain(app, `${stuck.url}/${i}`);
    await server.addDrain(app, `syslog://127.0.0.1:${port}/${i}`);
  }
  await pushMuch();
  await until('all to be stuck', () => stuck.deliveries.length >= 10 && sockets.length >= 10);
  await pushMuch();
  // Eighty megabytes wait for twenty drains; each may hold what it is sending, and no more.
  expect(anonymousBytes(server) - before).toBeLessThan(20 * 4 * MEBIBYTE);
  const drains = await server.drains(app);
  for (const { delivery } of drains) expect(delivery.lagLines).toBeGreaterThan(10_000);
});

it('a router that stops finishes what is under way: nothing comes twice, nothing is left out', async () => {
  const data = dataForTest();
  let server = await serveForTest({ data });
  const app = await server.createApp();
  let answer = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let isStopping = false;
  const http = await httpReceiver(async (attempt) => {
    if (attempt > 0) return 200;
    answer();
    // The answer comes when the router has long been told to stop.
    await until('the end to begin', () => isStopping);
    await until(
      'it to be told',
      async () => !(await fetch(`${server.url}/health`).catch(() => undefined))?.ok,
    );
    return 200;
  });
  const syslog = await tcpReceiver();
  await server.addDrain(app, http.url);
  await server.addDrain(app, syslog.url);
  await pushLines(server, app.token, numbered(100));
  await arrived;
  isStopping = true;
  await server.close();
  expect(server.program.child.exitCode).toBe(0);
  expect(http.accepted()).toEqual(numbered(100));
  server = await serveForTest({ data });
  await pushLines(server, app.token, ['the last']);
  for (const receiver of [http.accepted.bind(http), syslog.messages.bind(syslog)]) {
    await until('the last line', () => receiver().includes('the last'));
    expect(receiver()).toEqual([...numbered(100), 'the last']);
  }
});
