/** A real `redis-server` for a measurement, on a free port, with its own folder. */
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { makeFolder, removeFolder, start, stop } from './processes.ts';

const READY_MS = 10_000;

export interface BenchRedis {
  readonly url: string;
  readonly pid: number;
  /** Bytes that its data takes, by its own INFO: without buffers of clients and the like. */
  dataBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** `7.0.15`; undefined when it isn't installed. */
export function redisVersion(): string | undefined {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return /v=(\S+)/.exec(stdout ?? '')?.[1];
}

/** Starts one as docs/redis.md has it, with an append-only file that is synced every second. */
export async function startRedis(): Promise<BenchRedis> {
  const folder = makeFolder('redis');
  const port = await freePort();
  const settings = ['appendonly yes', 'appendfsync everysec', 'save ""', 'maxmemory-policy noeviction'];
  const args = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...settings].flatMap((line) => {
    const [name, ...values] = line.split(' ');
    return [`--${name}`, ...values.map((value) => (value === '""' ? '' : value))];
  });
  const child = start('redis-server', args, { stdio: 'ignore' });
  const deadlineMs = performance.now() + READY_MS;
  while (!(await listens(port))) {
    if (performance.now() > deadlineMs) throw new Error('redis-server did not start');
    await sleep(20);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid!,
    async dataBytes() {
      const client = new Redis(port);
      const info = await client.info('memory');
      client.disconnect();
      return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1]);
    },
    async stop() {
      await stop(child);
      removeFolder(folder);
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
