/** What a drain costs while it is stuck, and what becomes of what is under way when the router stops. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const MEBIBYTE = 1_048_576;

/** Memory of the process that isn't files, bytes. */
function anonymousBytes(server: Server): number {
  const status = readFileSync(`/proc/${server.program.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

it.skipIf(process.platform !== 'linux')('stuck drains cost a bounded, small amount of memory', async () => {
  const server = await startServerForTest();
  const app = await server.createApp();
  const pushMuch = async (): Promise<void> => {
    const lines = numberedMessages(1_000, 'x'.repeat(2_000));
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, lines);
  };
  await pushMuch();
  const before = anonymousBytes(server);
  const stuck = await startHttpReceiver(() => 'hang');
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
    await server.createDrain(app, `${stuck.url}/${i}`);
    await server.createDrain(app, `syslog://127.0.0.1:${port}/${i}`);
  }
  await pushMuch();
  await until('all to be stuck', () => stuck.requests.length >= 10 && sockets.length >= 10);
  await pushMuch();
  // Eighty megabytes wait for twenty drains; each may hold what it is sending, and no more.
  expect(anonymousBytes(server) - before).toBeLessThan(20 * 4 * MEBIBYTE);
  const drains = await server.listDrains(app);
  for (const { delivery } of drains) expect(delivery.lagLines).toBeGreaterThan(10_000);
});

it('a router that stops finishes what is in flight: no duplicates, no gaps', async () => {
  const data = dataFolderForTest();
  let server = await startServerForTest({ data });
  const app = await server.createApp();
  let answer = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let isStopping = false;
  const http = await startHttpReceiver(async (attempt) => {
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
  const syslog = await startTcpReceiver();
  await server.createDrain(app, http.url);
  await server.createDrain(app, syslog.url);
  await pushLines(server, app.token, numberedMessages(100));
  await arrived;
  isStopping = true;
  await server.close();
  expect(server.program.child.exitCode).toBe(0);
  expect(http.acceptedMessages()).toEqual(numberedMessages(100));
  server = await startServerForTest({ data });
  await pushLines(server, app.token, ['the last']);
  for (const receiver of [http.acceptedMessages.bind(http), syslog.messages.bind(syslog)]) {
    await until('the last line', () => receiver().includes('the last'));
    expect(receiver()).toEqual([...numberedMessages(100), 'the last']);
  }
});
