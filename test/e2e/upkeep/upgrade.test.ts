/**
 * Data of earlier versions, as they left it when they were killed (test/fixtures/data-folder): every line and record is there, and what comes goes
 * on. Data of later versions are refused.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  spawnServer,
  startServerForTest,
} from '../../support/server.ts';

const FIXTURES = 'test/fixtures/data-folder';
/** They were made with this, so that their lines are never too old. */
const ENV = { TAILRACE_STREAM_AGE: '36500d', TAILRACE_STREAM_BYTES: '1mb' };

function unpack(name: string): string {
  const folder = dataFolderForTest();
  execFileSync('tar', ['-xzf', join(FIXTURES, name), '-C', folder, '--strip-components=1']);
  return folder;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

/** The numbers of the lines, without those of the platform. */
async function numbersOf(server: Server, name: string): Promise<number[]> {
  const messages = await server.readMessages({ id: '', name, token: '' }, 'lines=100000&source=app');
  return messages.flatMap((text) => (/^line \d+$/.test(text) ? [Number(text.slice(5))] : []));
}

/** What the program that made them had put there: 640 lines of amber, 90 of birch, 41 each of cedar and damson. */
async function expectAll(server: Server, birch = upTo(90)): Promise<void> {
  expect(await numbersOf(server, 'amber')).toEqual(upTo(640));
  expect(await numbersOf(server, 'birch')).toEqual(birch);
  for (const name of ['cedar', 'damson']) expect(await numbersOf(server, name)).toEqual(upTo(41));
  expect(await server.request('GET', '/apps/amber/config-vars')).toEqual({ COLOR: 'orange' });
  const tokens = await server.request<{ source: string }[]>('GET', '/apps/amber/tokens');
  expect(tokens.map(({ source }) => source).sort()).toEqual(['app', 'heroku', 'nginx']);
  const app: App = { id: '', name: 'birch', token: await server.tokenOf('birch', 'app') };
  const [drain] = await server.listDrains(app);
  expect(drain).toMatchObject({ url: 'http://127.0.0.1:9/logs', delivery: { lost: 0 } });
  const { store } = await server.request<{ store: { concerns: string[] } }>('GET', '/status');
  expect(store.concerns.filter((text) => !text.includes('append-only'))).toEqual([]);
  const answer = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`token:${app.token}`)}`, 'content-type': 'text/plain' },
    body: 'line 91\n',
  });
  expect(answer.status).toBe(204);
  expect(await numbersOf(server, 'birch')).toEqual([...birch, 91]);
}

describe('a data folder', () => {
  it.each(['format-2.tgz', 'format-3.tgz'])('of an earlier version is used on: %s', async (name) => {
    await expectAll(await startServerForTest({ data: unpack(name), env: ENV }));
  });

  it('of this version has no lines that were deleted', async () => {
    const left = upTo(90).filter((n) => n < 50 || n > 59);
    await expectAll(await startServerForTest({ data: unpack('format-4.tgz'), env: ENV }), left);
  });

  it('of a later version is refused, and stays as it is', async () => {
    const data = unpack('format-4.tgz');
    const marker = join(data, 'journal-0');
    const text = readFileSync(marker, 'utf8').replace('format 4', 'format 5');
    writeFileSync(marker, text);
    const { status, stderr, stdout } = await spawnServer(data, { env: ENV }).exited;
    expect({ status, text: stdout + stderr }).toMatchObject({
      status: 1,
      text: expect.stringContaining('was written by a newer version of tailrace: use that one'),
    });
    const backup = await runTailrace(['backup', join(data, 'x.tar'), '--dir', data]);
    expect(backup).toMatchObject({ status: 1, stderr: expect.stringContaining('newer version of tailrace') });
    expect(readFileSync(marker, 'utf8')).toBe(text);
  });
});

describe.runIf(hasRedis)('a Redis', () => {
  it('of an earlier version is used on, and one of a later version refused', async () => {
    const data = unpack('redis-format-1.tgz');
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    await redis.signal('SIGKILL');
    copyFileSync(join(data, 'dump.rdb'), join(redis.folder, 'dump.rdb'));
    await redis.start();
    const server = await startServerForTest({ data, env: { ...ENV, REDIS_URL: redis.url } });
    await expectAll(server);
    await server.close();
    await redis.command('set', 'tailrace:{platform}:format', '3');
    const { status, stderr, stdout } = await spawnServer(data, { env: { ...ENV, REDIS_URL: redis.url } })
      .exited;
    expect({ status, text: stdout + stderr }).toMatchObject({
      status: 1,
      text: expect.stringContaining('laid out by another version of tailrace (format 3)'),
    });
  });
});
