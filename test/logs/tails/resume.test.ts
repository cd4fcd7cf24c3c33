import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TailReader } from '../../support/receivers/tail-reader.ts';
import { numbered, pushLines } from '../../support/senders/push.ts';
import { type App, dataForTest, type Server, serve, serveForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server.close());

/** Pushes numbered lines until it is told to stop; gives how many. */
function pushOn(to: Server, app: App): { stop: () => Promise<number> } {
  let going = true;
  const pushed = (async () => {
    let count = 0;
    for (; going; count += 7) await pushLines(to, app.token, numbered(7, 'line', count));
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
  it('again and again at any moment: nothing missed, nothing twice', async () => {
    const app = await server.createApp();
    const pushing = pushOn(server, app);
    const got: string[] = [];
    let after: string | undefined = '0';
    for (let round = 0; round < 30; round++) {
      const reader = await new TailReader(server, app, { after }).open();
      // Some are cut before anything came, some in the middle.
      const wanted = round % 4 === 0 ? 0 : 1 + ((round * 37) % 90);
      await until('some lines', () => reader.lines.length >= wanted);
      reader.cut();
      got.push(...reader.messages());
      after = reader.position ?? after;
    }
    const total = await pushing.stop();
    const last = await new TailReader(server, app, { after, tail: false }).open();
    await until('the rest', () => last.closed);
    got.push(...last.messages());
    expect(got).toEqual(numbered(total));
  });

  it('with a filter, nothing comes twice either', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    await pushLines(server, nginx, ['one']);
    await pushLines(server, app.token, numbered(50));
    const reader = await new TailReader(server, app, { source: 'nginx' }).open();
    await reader.until(1);
    reader.cut();
    await pushLines(server, nginx, ['two']);
    const next = await new TailReader(server, app, { source: 'nginx', after: reader.position }).open();
    expect(await next.until(1)).toEqual(['two']);
    next.cut();
  });

  it('because the server was killed: goes on where it was', async () => {
    const data = dataForTest();
    const first = await serveForTest({ data });
    const app = await first.createApp();
    await pushLines(first, app.token, numbered(20));
    const reader = await new TailReader(first, app).open();
    await reader.until(20);
    await pushLines(first, app.token, numbered(10, 'line', 20));
    await first.kill();
    const second = await serveForTest({ data });
    await pushLines(second, app.token, numbered(10, 'line', 30));
    const seen = reader.lines.length;
    const next = await new TailReader(second, app, { after: reader.position, tail: false }).open();
    await until('the rest', () => next.closed);
    expect([...reader.messages(), ...next.messages()]).toEqual(numbered(40));
    expect(seen + next.lines.length).toBe(40);
  });

  it('a position from the future is the end of the stream', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['old']);
    const reader = await new TailReader(server, app, { after: '999999' }).open();
    await pushLines(server, app.token, ['new']);
    expect(await reader.until(1)).toEqual(['new']);
    reader.cut();
  });
});

describe('a tail that is too slow', () => {
  it('is told the exact number of lines that were trimmed under it (L11)', async () => {
    const small = await serveForTest({ env: { TAILRACE_STREAM_LINES: '1000' } });
    const app = await small.createApp();
    await pushLines(small, app.token, numbered(10));
    const reader = await new TailReader(small, app).open();
    await reader.until(10);
    reader.cut();
    for (let i = 10; i < 5_010; i += 100) await pushLines(small, app.token, numbered(100, 'line', i));
    const next = await new TailReader(small, app, { after: reader.position, tail: false }).open();
    await until('its end', () => next.closed);
    const [notice, ...rest] = next.messages();
    expect(String(next.lines[0])).toContain(' heroku[logplex]: ');
    const match =
      /^Error L11 \(Tail buffer overflow\) -> This tail session dropped (\d+) messages from before (\S+): the stream no longer has them\.$/.exec(
        notice,
      );
    expect(rest).toEqual(numbered(rest.length, 'line', 5_010 - rest.length));
    expect(Number(match?.[1])).toBe(5_000 - rest.length);
    expect(rest.length).toBeLessThanOrEqual(1_100);
    expect(Date.parse(match?.[2] ?? '')).toBeGreaterThan(Date.now() - 60_000);

    // Who wants everything from the first line on is told how much of it is gone; who wants what there is, isn't.
    const all = await small.messages(app, 'after=0');
    expect(Number(/dropped (\d+) messages from before/.exec(all[0])?.[1])).toBe(5_010 - rest.length);
    expect(all.slice(1)).toEqual(rest);
    expect(await small.messages(app, 'lines=100000')).toEqual(rest);
    expect(await small.messages(app, 'since=1h')).toEqual(rest);
  });

  it('costs the server no memory: it waits, and goes on from the stream', async () => {
    const app = await server.createApp();
    const reader = await new TailReader(server, app, { lines: 0 }).open();
    reader.socket.pause();
    const lines = 60_000;
    for (let i = 0; i < lines; i += 5_000)
      await pushLines(server, app.token, numbered(5_000, 'x'.repeat(400), i));
    reader.socket.resume();
    await until('all lines', () => reader.lines.length >= lines);
    expect(reader.messages()).toEqual(numbered(lines, 'x'.repeat(400)));
    reader.cut();
  });
});
