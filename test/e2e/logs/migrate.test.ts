/** `tailrace migrate` moves everything from the data folder to Redis and back. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

async function push(server: Server, app: App, ...lines: string[]): Promise<void> {
  const answer = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`token:${app.token}`)}`, 'content-type': 'text/plain' },
    body: `${lines.join('\n')}\n`,
  });
  expect(answer.status).toBe(204);
}

const ADA = { email: 'ada@example.com', role: 'owner' };

/** Whoever was known before is known by the same password. */
async function signIn(server: Server, path: string, token?: string): Promise<number> {
  const body = JSON.stringify({ email: ADA.email, password: 'correct horse battery', token });
  const headers = { 'content-type': 'application/json' };
  return (await fetch(server.url + path, { method: 'POST', headers, body })).status;
}

describe.runIf(hasRedis)('tailrace migrate', () => {
  it('moves apps, tokens, drains and streams to Redis and back', async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes'] });
    onTestFinished(() => redis.remove());
    const [folder, other] = [dataFolderForTest(), dataFolderForTest()];
    const receiver = await startHttpReceiver();
    // Takes some seconds, in which the rest goes on.
    const nowhere = runTailrace([
      'migrate',
      '--from',
      'redis://:hush@127.0.0.1:9',
      '--to',
      dataFolderForTest(),
    ]);
    const before = await startServerForTest({ data: folder });
    const app = await before.createApp('moving');
    await before.createApp('silent');
    await before.createDrain(app, receiver.url);
    // Others hold less: nothing of it may be trimmed on the way.
    await before.request('PATCH', '/apps/moving/log-limits', { lines: 1_000 });
    const few = { TAILRACE_STREAM_LINES: '1' };
    const { invitation_url: link } = await before.request<{ invitation_url: string }>('POST', '/people', ADA);
    expect(await signIn(before, '/invitations/accept', link.split('=')[1])).toBe(201);
    await push(before, app, 'one', 'two');
    await until('the drain has them', () => receiver.acceptedMessages().length === 2);
    // These wait for the drain while everything moves.
    receiver.plan = () => 500;
    await push(before, app, 'three');
    // Beside them the stream may say that the drain fails.
    const own = 'lines=100&format=json&source=app';
    const lines = await before.readLines(app, own);
    expect(lines).toHaveLength(3);
    await before.close();

    const moved = await runTailrace(['migrate', '--to', redis.url], {
      env: { TAILRACE_DATA: folder, ...few },
    });
    expect(moved).toMatchObject({ status: 0 });
    expect(moved.stdout).toMatch(/^moving: [3-9] lines$/m);
    // With the audit stream.
    expect(moved.stdout).toContain('Moved 3 apps.');
    receiver.plan = () => 200;
    const there = await startServerForTest({ data: other, env: { REDIS_URL: redis.url } });
    expect(await there.readLines(app, own)).toEqual(lines);
    expect(await signIn(there, '/session')).toBe(200);
    await until('the drain goes on where it was', () => receiver.acceptedMessages().length === 3);
    await push(there, app, 'four');
    await until('the drain goes on', () => receiver.acceptedMessages().length === 4);

    const running = await runTailrace(['migrate', '--from', redis.url, '--to', dataFolderForTest()]);
    expect(running).toMatchObject({ status: 1 });
    expect(running.stderr).toContain('Routers run on the source');
    await there.close();

    const back = dataFolderForTest();
    const backwards = ['migrate', '--from', redis.url, '--to', back];
    expect(await runTailrace(backwards, { env: few })).toMatchObject({ status: 0 });
    const again = await startServerForTest({ data: back });
    await push(again, app, 'five');
    expect(await again.readMessages(app)).toEqual(['one', 'two', 'three', 'four', 'five']);
    await until('the drain goes on', () => receiver.acceptedMessages().length === 5);
    expect(receiver.acceptedMessages()).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(await nowhere).toEqual({
      status: 1,
      stdout: '',
      stderr:
        " ›   Error: Redis at redis://127.0.0.1:9 doesn't answer (connect ECONNREFUSED 127.0.0.1:9): start it, or correct its address.\n",
    });
  });

  it('goes on where it was interrupted, and leaves a store alone that has apps of its own', async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes'] });
    onTestFinished(() => redis.remove());
    const folder = dataFolderForTest();
    const server = await startServerForTest({ data: folder });
    const app = await server.createApp('again');
    await push(server, app, 'one');
    await server.close();
    const args = ['migrate', '--from', folder, '--to', redis.url];
    expect((await runTailrace(args)).stdout).toContain('again: 1 line\n');
    expect((await runTailrace(args)).stdout).toContain('again: 0 lines');

    const stranger = dataFolderForTest();
    const second = await startServerForTest({ data: stranger });
    await second.createApp('stranger');
    await second.close();
    const refused = await runTailrace(['migrate', '--from', stranger, '--to', redis.url]);
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toMatch(/The target has apps of its own \(.*again/);
  });
});
