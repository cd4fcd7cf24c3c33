/** `tailrace logs:delete`: what a person asks to be deleted is shown and sent by nobody any more, and what others have goes on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const ADA = 'ada@example.com';

async function push(server: Server, app: App, lines: readonly string[]): Promise<void> {
  const answer = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`token:${app.token}`)}`, 'content-type': 'text/plain' },
    body: `${lines.join('\n')}\n`,
  });
  expect(answer.status).toBe(204);
}

const linesOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) =>
    JSON.stringify({ n: from + i, user: { email: (from + i) % 3 === 0 ? ADA : 'bob@example.com' } }),
  );
const isAda = (text: string): boolean => text.includes(ADA);

function deleteArgs(...more: string[]): string[] {
  return ['logs:delete', '-a', 'shop', '-q', `user.email:${ADA}`, ...more];
}

/** Files of a data folder that have the address. */
function filesWith(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(ADA));
}

describe('lines that match', () => {
  it('are counted, then deleted; tails, drains, searches and the audit stream say so', {
    timeout: 240_000,
  }, async () => {
    const server = await startServerForTest({ data: dataFolderForTest() });
    const app = await server.createApp('shop');
    const receiver = await startHttpReceiver();
    await push(server, app, linesOf(0, 30));
    const position = JSON.parse((await server.readLines(app, 'lines=1&format=json'))[0]).position;
    // The drain's receiver is away: what waits for it is in the stream.
    receiver.plan = () => 500;
    await server.createDrain(app, receiver.url);
    await push(server, app, linesOf(30, 60));
    await until('the drain has tried', () => receiver.requests.length > 0);
    const env = server.env;

    expect(await runTailrace(deleteArgs(), { env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('repeat it with --confirm shop'),
    });
    expect(await runTailrace(['logs:delete', '-a', 'shop', '--confirm', 'shop'], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Say which lines'),
    });
    expect(await runTailrace(deleteArgs('--dry-run'), { env })).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Would delete 20 lines of shop \(numbers \d+ to \d+\)\.$/m),
    });
    // Times are this command's, wherever the server is.
    const TZ = 'Pacific/Kiritimati'; // 14 hours ahead
    const until5 = new Date(Date.now() - 300_000).toLocaleString('sv', { timeZone: TZ }).slice(0, 16);
    const past = ['logs:delete', '-a', 'shop', '-q', `${ADA} until:"${until5}"`, '--dry-run'];
    expect(await runTailrace(past, { env: { ...env, TZ } })).toMatchObject({
      stdout: 'Would delete 0 lines of shop.\n',
    });
    expect((await server.readMessages(app)).filter(isAda)).toHaveLength(20);
    expect(filesWith(server.data).length).toBeGreaterThan(0);
    const deleted = await runTailrace(deleteArgs('--confirm', 'shop'), { env });
    expect(deleted).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Deleted 20 lines of shop/) });

    const kept = linesOf(0, 60).filter((text) => !isAda(text));
    const own = (lines: readonly string[]): string[] => lines.filter((text) => text.startsWith('{"n"'));
    expect(own(await server.readMessages(app))).toEqual(kept);
    expect(own(await server.readMessages(app, 'lines=5&source=app'))).toEqual(kept.slice(-5));
    expect(await server.readMessages(app, `q=${ADA}`)).toEqual([]);
    // A reader that goes on at a position from before has lost nothing.
    const after = await server.readMessages(app, `after=${position}&first=1000`);
    expect(own(after)).toEqual(kept.filter((text) => JSON.parse(text).n >= 30));
    expect(after.filter((text) => /L1[0-9]/.test(text))).toEqual([]);
    expect(filesWith(server.data)).toEqual([]);

    receiver.plan = () => 200;
    await push(server, app, ['{"n":60}']);
    await until('the drain goes on', () => receiver.acceptedMessages().includes('{"n":60}'));
    const delivered = own(receiver.acceptedMessages());
    expect(delivered).toEqual([...kept.filter((text) => JSON.parse(text).n >= 30), '{"n":60}']);
    expect((await server.listDrains(app))[0].delivery.lost).toBe(0);
    const audit = await server.readMessages({ id: '', name: 'tailrace-audit', token: '' });
    const [line] = audit.filter(
      (text) => text.startsWith('action="Delete lines"') && text.includes('lines=20'),
    );
    expect(line).toMatch(/ app=shop .*q="?user\.email:…"? /);

    // By time: nothing of what came before.
    const before = await runTailrace(
      ['logs:delete', '-a', 'shop', '--to', '1h ago', '--confirm', 'shop', '--json'],
      { env },
    );
    expect(JSON.parse(before.stdout)).toEqual({ lines: 0, first: null, last: null, dry_run: false });

    // What is backed up now has none of them; and a start after a kill has none either.
    await server.kill();
    const again = await startServerForTest({ data: server.data });
    expect(own(await again.readMessages(app))).toEqual([...kept, '{"n":60}']);
  });

  it('are all there or all gone after a kill in the middle', { timeout: 240_000 }, async () => {
    const data = dataFolderForTest();
    const env = { TAILRACE_STREAM_BYTES: '4mb' };
    let server = await startServerForTest({ data, env });
    const app = await server.createApp('shop');
    const padding = 'x'.repeat(400);
    for (let i = 0; i < 3; i++)
      await push(
        server,
        app,
        linesOf(i * 2_000, i * 2_000 + 2_000).map((text) => text + padding),
      );
    for (const ms of [15, 80]) {
      const body = JSON.stringify({ q: `user.email:${ADA} OR ${ADA}`, confirm: 'shop' });
      const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' };
      const sent = fetch(`${server.url}/apps/shop/line-deletions`, { method: 'POST', headers, body });
      const killed = new Promise<void>((resolve) => setTimeout(() => resolve(server.kill()), ms));
      const isDone = await sent.then(
        ({ status }) => status === 200,
        () => false,
      );
      await killed;
      server = await startServerForTest({ data, env });
      const left = (await server.readMessages(app)).filter(isAda).length;
      expect([0, 2_000]).toContain(left);
      if (isDone) expect(left).toBe(0);
      expect(readdirSync(join(data, 'streams', app.id)).filter((name) => name.endsWith('.erased'))).toEqual(
        [],
      );
    }
  });
});

describe.runIf(hasRedis)('on Redis', () => {
  it('lines that one router deletes are shown by none', { timeout: 240_000 }, async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const env = { REDIS_URL: redis.url };
    const [one, other] = await Promise.all([startServerForTest({ env }), startServerForTest({ env })]);
    const app = await one.createApp('shop');
    // The other one has them in memory, as its tail reads them.
    const tail = await until('the other one knows the app', async () => {
      const headers = { authorization: `Bearer ${one.key}` };
      const response = await fetch(`${other.url}/apps/shop/logs?tail=true&after=0`, { headers });
      return response.ok && response;
    });
    let seen = '';
    const reading = (async () => {
      for await (const piece of tail.body ?? []) seen += Buffer.from(piece).toString();
    })().catch(() => {});
    await push(one, app, linesOf(0, 30));
    await until('the tail has them', () => seen.includes('"n":29'));
    const read = async (server: Server, query?: string): Promise<string[]> => {
      const response = await fetch(`${server.url}/apps/shop/logs?${query ?? 'lines=1000'}`, {
        headers: { authorization: `Bearer ${one.key}` },
      });
      return (await response.text()).split('\n').filter((text) => text.includes('"n":'));
    };
    expect(await read(other)).toHaveLength(30);
    const deleted = await runTailrace(deleteArgs('--confirm', 'shop'), { env: one.env });
    expect(deleted.stdout).toMatch(/^Deleted 10 lines/);
    expect(await read(one)).toHaveLength(20);
    await until('the other one has forgotten them', async () => (await read(other, 'after=0')).length === 20);
    await push(one, app, ['{"n":30}']);
    await until('the tail goes on', () => seen.includes('"n":30'));
    expect(seen).not.toMatch(/L1[0-9]/);
    await one.close();
    await other.close();
    await reading;
  });
});
