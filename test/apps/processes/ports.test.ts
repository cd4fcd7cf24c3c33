import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  defaultPort,
  firstPortOf,
  PortAllocator,
  portPauseMs,
  waitForPort,
} from '../../../src/apps/processes/ports.ts';
import { freePort } from '../../support/free-port.ts';
import { Program } from '../../support/program.ts';

/** A listener on loopback only: also that makes a port unusable for a dyno. */
async function listener(host = '127.0.0.1') {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

test("ports are foreman's", () => {
  expect([defaultPort(5000, 0, 1), defaultPort(5000, 0, 3), defaultPort(5000, 2, 1)]).toEqual([
    5000, 5002, 5200,
  ]);
});

test('servers with different data folders begin at different ports, the same after a restart', () => {
  const folders = Array.from({ length: 40 }, (_, i) => `/data/${i}`);
  const first = folders.map((folder) => firstPortOf(folder, 20_000, 70));
  expect(folders.map((folder) => firstPortOf(folder, 20_000, 70))).toEqual(first);
  expect(new Set(first).size).toBeGreaterThan(20);
  for (const port of first) {
    expect(port % 100).toBe(0);
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(27_000);
  }
});

test('a port that something listens on is skipped, and none is given out twice', async () => {
  const { server, port } = await listener();
  const ports = new PortAllocator();
  const taken = await Promise.all([ports.allocate(port), ports.allocate(port), ports.allocate(port)]);
  expect(new Set(taken).size).toBe(3);
  expect(Math.min(...taken)).toBeGreaterThan(port);
  server.close();
  await once(server, 'close');
  expect(await ports.allocate(port)).toBe(port);
  ports.release(port);
  expect(await ports.allocate(port)).toBe(port);
});

test('a port that another server has given out is skipped, until that one is gone', async () => {
  const first = await freePort();
  const [one, other] = [new PortAllocator(), new PortAllocator()];
  const [a, b] = await Promise.all([one.allocate(first), other.allocate(first)]);
  expect(a).not.toBe(b);
  const program = join(import.meta.dirname, '..', '..', '..', 'dist', 'src', 'apps', 'processes', 'ports.js');
  const script = `const { PortAllocator } = await import(${JSON.stringify(program)});
    console.log(await new PortAllocator().allocate(${first}));
    setInterval(() => {}, 1_000);`;
  const server = new Program(process.execPath, ['--input-type=module', '-e', script]);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const [text] = await server.waitForOutput(/\d+/);
  const theirs = Number(text);
  expect([a, b]).not.toContain(theirs);
  one.release(a);
  expect(await other.allocate(a)).toBe(a);
  await server.stop('SIGKILL');
  expect(await other.allocate(theirs)).toBe(theirs);
});

test('no free port is an error', async () => {
  await expect(new PortAllocator().allocate(65_536)).rejects.toThrow('no free TCP port');
});

test('what listens after some time is noticed a sixth later at the most, with few looks at its port', () => {
  const looks = [0];
  for (let at = 0; at < 20_000; at += portPauseMs(at)) looks.push(at + portPauseMs(at));
  for (let listensAt = 0; listensAt < 20_000; listensAt += 7) {
    const lateMs = looks.find((at) => at >= listensAt)! - listensAt;
    if (lateMs > Math.min(250, Math.max(10, listensAt / 6))) expect.fail(`${lateMs} ms after ${listensAt}`);
  }
  expect(looks.filter((at) => at <= 2_000).length).toBeLessThan(40);
});

test('waiting for a port ends when it accepts connections, on either loopback address, or when aborted', async () => {
  const { server, port } = await listener('127.0.0.1');
  expect(await waitForPort(port, new AbortController().signal)).toBe('127.0.0.1');
  server.close();
  await once(server, 'close');
  const abort = new AbortController();
  const answer = waitForPort(port, abort.signal);
  abort.abort();
  expect(await answer).toBeUndefined();
});
