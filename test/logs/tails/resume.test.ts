import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** Pushes numbered lines until it is told to stop; gives how many. */
function pushOn(to: Server, app: App): { stop: () => Promise<number> } {
  let going = true;
  const pushed = (async () => {
    let count = 0;
    for (; going; count += 7) await pushLines(to, app.token, numberedMessages(7, 'line', count));
    return count;
  })();
  const stop = (): Promise<number> => {
    going = false;
    return pushed;
  };
  onTestFinished(() => void stop().catch(() => {}));
  return { stop };
}

describe('a tail whose connection is cut', () => {
  it('again and again at any moment: no line is missing, none comes twice', async () => {
    const app = await server.createApp();
    const pushing = pushOn(server, app);
    const got: string[] = [];
    let after: string | undefined = '0';
    for (let round = 0; round < 30; round++) {
      const reader = await new TailClient(server, app, { after }).opened();
      // Some are cut before anything came, some in the middle.
      const wanted = round % 4 === 0 ? 0 : 1 + ((round * 37) % 90);
      await until('some lines', () => reader.lines.length >= wanted);
      reader.disconnect();
      got.push(...reader.messages());
      after = reader.position ?? after;
    }
    const total = await pushing.stop();
    const last = await new TailClient(server, app, { after, tail: false }).opened();
    await until('the rest', () => last.closeCode);
    got.push(...last.messages());
    expect(got).toEqual(numberedMessages(total));
  });

  it('with a filter, nothing comes twice either', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    await pushLines(server, nginx, ['one']);
    await pushLines(server, app.token, numberedMessages(50));
    const reader = await new TailClient(server, app, { source: 'nginx' }).opened();
    await reader.waitForLines(1);
    reader.disconnect();
    await pushLines(server, nginx, ['two']);
    const next = await new TailClient(server, app, { source: 'nginx', after: reader.position }).opened();
    expect(await next.waitForLines(1)).toEqual(['two']);
    next.disconnect();
  });

  it.each([
    ['since', { since: '1ms' }],
    ['since: of a search', { q: 'line since:1ms' }],
    ['since now', { since: 'now' }],
  ])(
    'with %s: what came while it was cut is longer ago when it resumes, and not left out',
    async (_, query) => {
      const app = await server.createApp();
      await pushLines(server, app.token, numberedMessages(3));
      const reader = await new TailClient(server, app, { ...query }).opened();
      // As soon as it is live it has a position, whatever it has seen.
      await until('its position', () => reader.position);
      reader.disconnect();
      await pushLines(server, app.token, numberedMessages(4, 'line', 3));
      const pushedAtMs = Date.now();
      await until('some milliseconds later', () => Date.now() > pushedAtMs + 20);
      const next = await new TailClient(server, app, { ...query, after: reader.position }).opened();
      expect(await next.waitForLines(4)).toEqual(numberedMessages(4, 'line', 3));
      next.disconnect();
      // Without a tail it is a range, as it was.
      const range = await new TailClient(server, app, { ...query, after: '0', tail: false }).opened();
      await until('its end', () => range.closeCode);
      expect(range.messages()).toEqual([]);
    },
  );

  it('because the server was killed: resumes at its position', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    await pushLines(first, app.token, numberedMessages(20));
    const reader = await new TailClient(first, app).opened();
    await reader.waitForLines(20);
    await pushLines(first, app.token, numberedMessages(10, 'line', 20));
    await first.kill();
    const second = await startServerForTest({ data });
    await pushLines(second, app.token, numberedMessages(10, 'line', 30));
    const seen = reader.lines.length;
    const next = await new TailClient(second, app, { after: reader.position, tail: false }).opened();
    await until('the rest', () => next.closeCode);
    expect([...reader.messages(), ...next.messages()]).toEqual(numberedMessages(40));
    expect(seen + next.lines.length).toBe(40);
  });

  it('goes on at the end of an app that was made anew under the same name, and says so', async () => {
    const old = await server.createApp();
    await pushLines(server, old.token, numberedMessages(500));
    await server.request('DELETE', `/apps/${old.name}`);
    const app = await server.createApp(old.name);
    await pushLines(server, app.token, ['old']);
    const reader = await new TailClient(server, app, { after: '500' }).opened();
    await pushLines(server, app.token, ['new']);
    const [notice, ...rest] = await reader.waitForLines(2);
    expect(notice).toMatch(
      /^Position 500 isn't of this stream, which ends with (\d+): the app was made anew under its name, or the stream lost its end\. Lines up to \1 may be missing here: ask without `after` for all\.$/,
    );
    expect(rest).toEqual(['new']);
    reader.disconnect();
    expect(await server.readMessages(app, 'after=500')).toEqual([
      expect.stringMatching(/^Position 500 isn't/),
    ]);
    const { position } = reader;
    expect(await server.readMessages(app, `after=${position}`)).toEqual([]);
  });
});

describe('a tail that is too slow', () => {
  it('gets the exact number of lines that were trimmed meanwhile (L11)', async () => {
    const small = await startServerForTest({ env: { TAILRACE_STREAM_LINES: '1000' } });
    const app = await small.createApp();
    await pushLines(small, app.token, numberedMessages(10));
    const reader = await new TailClient(small, app).opened();
    await reader.waitForLines(10);
    reader.disconnect();
    for (let i = 10; i < 5_010; i += 100) await pushLines(small, app.token, numberedMessages(100, 'line', i));
    const next = await new TailClient(small, app, { after: reader.position, tail: false }).opened();
    await until('its end', () => next.closeCode);
    const [notice, ...rest] = next.messages();
    expect(String(next.lines[0])).toContain(' heroku[logplex]: ');
    const match =
      /^Error L11 \(Tail buffer overflow\) -> This tail session dropped (\d+) messages from before (\S+): the stream no longer has them\.$/.exec(
        notice,
      );
    expect(rest).toEqual(numberedMessages(rest.length, 'line', 5_010 - rest.length));
    expect(Number(match?.[1])).toBe(5_000 - rest.length);
    expect(rest.length).toBeLessThanOrEqual(1_100);
    expect(Date.parse(match?.[2] ?? '')).toBeGreaterThan(Date.now() - 60_000);

    // A reader of everything from the first line on gets the number that is gone; a reader of what is stored doesn't.
    const all = await small.readMessages(app, 'after=0');
    expect(Number(/dropped (\d+) messages from before/.exec(all[0])?.[1])).toBe(5_010 - rest.length);
    expect(all.slice(1)).toEqual(rest);
    expect(await small.readMessages(app, 'lines=100000')).toEqual(rest);
    expect(await small.readMessages(app, 'since=1h')).toEqual(rest);
  });

  it('costs the server no memory: it lags behind, and reads on from the stream', async () => {
    const app = await server.createApp();
    const reader = await new TailClient(server, app, { lines: 0 }).opened();
    reader.socket.pause();
    const lines = 60_000;
    for (let i = 0; i < lines; i += 5_000)
      await pushLines(server, app.token, numberedMessages(5_000, 'x'.repeat(400), i));
    reader.socket.resume();
    await until('all lines', () => reader.lines.length >= lines);
    expect(reader.messages()).toEqual(numberedMessages(lines, 'x'.repeat(400)));
    reader.disconnect();
  });
});
