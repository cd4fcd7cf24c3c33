/** Limits of single apps, as operators set them: of what their logs hold, and of how fast they grow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock, missingFakeClock } from '../../support/fake-clock.ts';
import { runTailrace } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  connectTcp,
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
  pushLines,
} from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const DAY_MS = 86_400_000;

interface Limits {
  readonly lines: number;
  readonly bytes: number;
  readonly age_s: number;
  readonly lines_per_s: number | null;
  readonly own: Record<string, boolean>;
  readonly held: { readonly lines: number; readonly bytes: number; readonly stored_bytes: number };
}

const stores = ['embedded', ...(hasRedis ? ['Redis'] : [])];

describe.skipIf(missingFakeClock()).each(stores)('an app on the %s store', (store) => {
  const clock = new FakeClock();
  const data = temporaryFolder();
  let redis: RedisServer | undefined;
  let server: Server;
  const start = (): Promise<Server> =>
    startServer({
      data,
      env: {
        ...clock.env,
        TAILRACE_STREAM_LINES: '200',
        TAILRACE_STREAM_AGE: '30m',
        ...(redis && { REDIS_URL: redis.url }),
      },
    });
  beforeAll(async () => {
    if (store === 'Redis') redis = await RedisServer.start({ env: clock.env, config: ['appendonly yes'] });
    server = await start();
  });
  afterAll(async () => {
    await server?.close();
    await redis?.remove();
    clock.remove();
  });

  const cli = (...args: string[]) => runTailrace(args, { env: server.env });
  const limitsOf = (app: App): Promise<Limits> => server.request('GET', `/apps/${app.name}/log-limits`);
  const limit = (app: App, change: object): Promise<Limits> =>
    server.request('PATCH', `/apps/${app.name}/log-limits`, change);

  it('is given limits by a command, which hold at once, survive a restart, and are cleared', async () => {
    const app = await server.createApp('limited');
    // The newest request is kept as a whole.
    const push = async (count: number, name: string): Promise<void> => {
      for (let i = 0; i < count; i += 10) await pushLines(server, app.token, numberedMessages(10, name, i));
    };
    await push(100, 'before');
    const set = await cli(
      'logs:limits',
      '-a',
      'limited',
      '--lines',
      '20',
      '--age',
      '30d',
      '--lines-per-s',
      '500',
    );
    expect(set).toMatchObject({ status: 0, stderr: '' });
    expect(set.stdout).toMatch(
      /Age: +30 days \(this app’s own\)\nBytes: +256 MB\nLines: +20 \(this app’s own\)\n/,
    );
    await until(
      'nothing more came, and it holds as much',
      async () => (await limitsOf(app)).held.lines === 20,
    );
    expect(await limitsOf(app)).toMatchObject({ lines: 20, age_s: 30 * 86_400, lines_per_s: 500 });
    await server.kill();
    server = await start();
    await push(30, 'after');
    expect((await server.readMessages(app)).at(0)).toBe('after 10');
    const { stdout: info } = await cli('info', '-a', 'limited');
    expect(info).toMatch(
      /Log held: +20 lines, .* where it is stored\nLog limits: +30 days, 256 MB, 20 lines \(this/,
    );
    expect((await cli('logs:limits', '-a', 'limited', '--age', 'default')).stdout).toMatch(/Age: +30 min\n/);
    expect((await limitsOf(app)).own).toMatchObject({ age_s: false, lines: true });
    const cleared = await cli('logs:retention', '-a', 'limited', '--default', '--json');
    expect(Object.values((JSON.parse(cleared.stdout) as Limits).own)).not.toContain(true);
    await push(150, 'cleared');
    expect((await limitsOf(app)).held.lines).toBe(170);
  });

  it('holds lines for as long as is set for it, when it is quiet and whatever the clock does', async () => {
    const [long, short] = [await server.createApp(), await server.createApp()];
    await pushLines(server, long.token, ['kept']);
    // Before the clock is set: Redis removes what has the server's age by its own clock, ten times a second.
    await limit(long, { age_s: 30 * 86_400 });
    const store = redis;
    if (store)
      await until(
        'Redis keeps them as long',
        async () => Number(await store.command('pttl', `tailrace:{${long.id}}:lines`)) > 29 * DAY_MS,
      );
    clock.set(5 * DAY_MS);
    await pushLines(server, short.token, ['of the future']);
    clock.set(0);
    await limit(short, { age_s: 2 });
    await until('that of the future grows old', async () => (await limitsOf(short)).held.lines === 0);
    clock.set(2 * DAY_MS);
    // By Redis' clock it is two days old now: less than the app's own age.
    await pushLines(server, short.token, ['another']);
    await until('the next sweep', async () => (await limitsOf(short)).held.lines === 0);
    expect(await server.readMessages(long)).toEqual(['kept']);
    clock.set(0);
    expect(await server.readMessages(long)).toEqual(['kept']);
  });

  it('may send as much as is set for it, also over connections that were open before', async () => {
    const app = await server.createApp('noisy');
    const other = await server.createApp('calm');
    const socket = await connectTcp(server.syslogPort);
    const send = (from: App, count: number): void =>
      void socket.write(
        Buffer.concat(numberedMessages(count).map((text) => octetCounted(logplexLine(text, from.token)))),
      );
    send(app, 50);
    await until('there is no limit yet', async () => (await limitsOf(app)).held.lines === 50);
    await limit(app, { lines_per_s: 1 });
    send(app, 100);
    send(other, 100);
    await until('the other is not limited', async () => (await limitsOf(other)).held.lines === 100);
    const { limited } = await server.sourceCounters('tcp');
    expect(limited).toBeGreaterThan(50);
    // One that is taken overdraws what comes in ten seconds.
    await until(
      'a request is refused',
      async () => (await postLogs(server, app.token, logplexBody(numberedMessages(10)))).status === 429,
    );
    await limit(app, { lines_per_s: 'none' });
    expect((await limitsOf(app)).lines_per_s).toBeNull();
    expect((await postLogs(server, app.token, logplexBody(numberedMessages(10)))).status).toBe(204);
    socket.destroy();
  });

  it.each([
    [['--age', '30'], /"30" has no unit: write 30s, 30m, 30h or 30d/],
    [['--bytes', 'much'], /--bytes is "much": it must be a number of bytes, such as 512MB/],
    [['--lines', '5', '--default'], /--default clears all limits: give it without the others/],
    [['--age', '99999w'], /age_s must be a whole number from 1 to 3153600000/],
  ])('is not given %j', async (args, sentence) => {
    if (store === 'Redis') return;
    const { status, stderr } = await cli('logs:limits', '-a', 'limited', ...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
  });

  it.each([
    [{ age: '30d' }, /There is no limit called \\"age\\": there are lines, bytes, age_s/],
    [{ lines: 'none' }, /lines must be a whole number from 1 to .*, or null for what all apps have\./],
    [{ lines_per_s: 0.5 }, /lines_per_s must be .*, or \\"none\\" for any number/],
    [{ bytes: -1 }, /bytes must be/],
  ])('is not given %j by a request', async (change, sentence) => {
    if (store === 'Redis') return;
    const app = { name: 'limited' } as App;
    await expect(limit(app, change)).rejects.toThrow(sentence);
  });

  it('that is destroyed leaves no limits to one of the same name', async () => {
    const first = await server.createApp();
    await limit(first, { age_s: 60 });
    expect((await limitsOf(first)).own).toMatchObject({ age_s: true });
    await server.request('DELETE', `/apps/${first.name}`);
    expect((await limitsOf(await server.createApp(first.name))).own).toMatchObject({ age_s: false });
  });
});
