import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openWebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Field {
  readonly position: string;
  readonly message: string;
}

async function fields(server: Server, app: App): Promise<Field[]> {
  return (await server.readLines(app, 'lines=100000&format=json')).map((text) => JSON.parse(text));
}

/** Its files, those that hold something. */
function streamFiles(data: string, app: App): string[] {
  const folder = join(data, 'streams', app.id);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => statSync(join(folder, name)).size > 0);
}

describe('a stream', () => {
  it('holds no more lines than it may, the newest, and their positions stay', async () => {
    const data = dataFolderForTest();
    const env = { TAILRACE_STREAM_LINES: '1000' };
    const first = await startServerForTest({ data, env });
    const app = await first.createApp();
    for (let i = 0; i < 3_000; i += 50) await pushLines(first, app.token, numberedMessages(50, 'line', i));
    const held = await fields(first, app);
    expect(held.length).toBeGreaterThan(900);
    expect(held.length).toBeLessThanOrEqual(1_000);
    for (const { position, message } of held) expect(message).toBe(`line ${Number(position) - 1}`);
    expect(held.at(-1)?.message).toBe('line 2999');
    await first.kill();
    const second = await startServerForTest({ data, env });
    expect(await fields(second, app)).toEqual(held);
    await pushLines(second, app.token, ['one more']);
    expect((await fields(second, app)).at(-1)).toMatchObject({ position: '3001', message: 'one more' });
  });

  it('holds no more bytes than it may', async () => {
    const server = await startServerForTest({ env: { TAILRACE_STREAM_BYTES: '1MB' } });
    const app = await server.createApp();
    for (let i = 0; i < 8_000; i += 100)
      await pushLines(server, app.token, numberedMessages(100, 'x'.repeat(400), i));
    const held = await fields(server, app);
    const bytes = held.reduce((sum, { message }) => sum + message.length, 0);
    expect(bytes).toBeLessThanOrEqual(1_048_576);
    expect(bytes).toBeGreaterThan(700_000);
    expect(held.at(-1)?.position).toBe('8000');
  });

  it('holds no line longer than it may', async () => {
    const server = await startServerForTest({ env: { TAILRACE_STREAM_AGE: '1s' } });
    const app = await server.createApp();
    await pushLines(server, app.token, ['old']);
    await until('the old line to go', async () => {
      await pushLines(server, app.token, ['new']);
      return !(await server.readMessages(app)).includes('old');
    });
    expect(await server.readMessages(app)).toContain('new');
  });

  it.each(hasRedis ? ['embedded', 'Redis'] : ['embedded'])(
    'holds no line longer than it may when its app has fallen silent: %s',
    async (store) => {
      const redis = store === 'Redis' ? await RedisServer.start() : undefined;
      if (redis) onTestFinished(() => redis.remove());
      const env = { TAILRACE_STREAM_AGE: '2s', ...(redis ? { REDIS_URL: redis.url } : {}) };
      const server = await startServerForTest({ env });
      const app = await server.createApp();
      // What a tail and a drain keep in memory doesn't show them for longer, either.
      const tail = openWebSocketTail(server, app, 'lines=100');
      for (let i = 0; i < 30; i++) await pushLines(server, app.token, [`old ${i}`]);
      const sentAtMs = performance.now();
      await until('the tail has them', () => tail.messageTexts.length === 30);
      await until('half of the time', async () => performance.now() - sentAtMs > 1_000);
      await pushLines(server, app.token, ['younger']);
      await until('the old ones are gone', async () => (await server.readMessages(app)).length < 30);
      await until('all are', async () => (await server.readMessages(app)).length === 0);
      expect(openWebSocketTail(server, app, 'lines=100&after=0').messageTexts).toEqual([]);
      await until('nothing of it is kept', async () =>
        redis
          ? Number(await redis.command('exists', `tailrace:{${app.id}}:lines`)) === 0
          : streamFiles(server.data, app).length === 0,
      );
      await pushLines(server, app.token, ['new']);
      expect(await fields(server, app)).toMatchObject([{ position: '32', message: 'new' }]);
      await server.kill();
      const again = await startServerForTest({ env: { ...env, TAILRACE_STREAM_AGE: '1d' } });
      if (redis) expect(await again.readMessages(app)).toEqual(['new']);
    },
  );

  it('of an app that nobody has used since the start is too old at its time, too', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    await pushLines(first, app.token, ['old']);
    await first.close();
    expect(streamFiles(data, app)).toHaveLength(1);
    const second = await startServerForTest({ data, env: { TAILRACE_STREAM_AGE: '2s' } });
    await until('its files are gone', () => streamFiles(data, app).length === 0);
    await pushLines(second, app.token, ['new']);
    expect(await fields(second, app)).toMatchObject([{ position: '2', message: 'new' }]);
  });

  it('of one app is bounded by itself: another’s noise takes nothing from it', async () => {
    const server = await startServerForTest({ env: { TAILRACE_STREAM_LINES: '500' } });
    const quiet = await server.createApp();
    const noisy = await server.createApp();
    await pushLines(server, quiet.token, ['still here']);
    for (let i = 0; i < 20; i++) await pushLines(server, noisy.token, numberedMessages(200));
    expect(await server.readMessages(quiet)).toEqual(['still here']);
  });

  it('goes with its app', async () => {
    const server = await startServerForTest();
    const app = await server.createApp('short-lived');
    await pushLines(server, app.token, ['secret']);
    await server.request('DELETE', '/apps/short-lived');
    await expect(server.readLines(app)).rejects.toThrow('404');
    const again = await server.createApp('short-lived');
    expect(await server.readMessages(again)).toEqual([]);
  });
});
