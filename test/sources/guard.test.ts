/** The stream protects itself. */
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { basic, body, counted, dial, line, numbered, post, send } from '../support/push.ts';
import { serveForTest } from '../support/server.ts';
import { until } from '../support/until.ts';

const closed = (socket: Awaited<ReturnType<typeof dial>>): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });

describe('connections', () => {
  it('that are too many are closed; those that were there go on', async () => {
    const server = await serveForTest({ env: { TAILRACE_CONNECTIONS: '2' } });
    const app = await server.createApp();
    const first = await dial(server.syslogPort);
    const second = await dial(server.syslogPort);
    first.write(`${line('one', app.token)}\n`);
    await until('the line', async () => (await server.messages(app)).length === 1);
    await closed(await dial(server.syslogPort));
    second.end(`${line('two', app.token)}\n`);
    await until('the line', async () => (await server.messages(app)).length === 2);
    await until('room for another', async () => {
      await send(server.syslogPort, `${line('three', app.token)}\n`).catch(() => {});
      return (await server.messages(app)).includes('three');
    });
    first.destroy();
    expect((await server.counters('tcp')).cut).toBeGreaterThanOrEqual(1);
  });

  it('that are silent, or trickle a frame that never ends, are closed', async () => {
    const server = await serveForTest({ env: { TAILRACE_IDLE_TIMEOUT: '2s', TAILRACE_FRAME_TIMEOUT: '1s' } });
    const app = await server.createApp();
    const silent = closed(await dial(server.syslogPort));
    const slow = await dial(server.syslogPort);
    const trickle = setInterval(() => slow.write('x'), 100);
    slow.write(`${line('good', app.token)}\n<13>`);
    await Promise.all([silent, closed(slow)]);
    clearInterval(trickle);
    expect(await server.messages(app)).toEqual(['good']);
    expect(await server.counters('tcp')).toMatchObject({ cut: 2 });
  });

  it('that hold too much of unfinished frames together: the one that goes too far is closed', async () => {
    const server = await serveForTest({ env: { TAILRACE_PARTIAL_BYTES: '1MB' } });
    const app = await server.createApp();
    const holders = await Promise.all(Array.from({ length: 4 }, () => dial(server.syslogPort)));
    const ends = holders.map(closed);
    for (const holder of holders) holder.write(`900000 <13>1 ${'x'.repeat(400_000)}`);
    await Promise.race(ends);
    await until('the count', async () => (await server.counters('tcp')).cut >= 1);
    await send(server.syslogPort, counted(line('good', app.token)));
    await until('the line', async () => (await server.messages(app)).length === 1);
    for (const holder of holders) holder.destroy();
  });

  it('of HTTP that never finish their request are closed', async () => {
    const server = await serveForTest({ env: { TAILRACE_FRAME_TIMEOUT: '1s' } });
    const { port } = new URL(server.url);
    const socket = await dial(Number(port));
    let answer = '';
    socket.on('data', (text) => {
      answer += text;
    });
    socket.write('POST /logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
    const trickle = setInterval(() => socket.write('x'), 100);
    await closed(socket);
    clearInterval(trickle);
    expect(answer === '' || answer.startsWith('HTTP/1.1 4')).toBe(true);
  }, 60_000);
});

describe('limits', () => {
  it('of lines: what is over is refused, counted, and told to the app in one line', async () => {
    const server = await serveForTest({ env: { TAILRACE_APP_LINES_PER_S: '100' } });
    const app = await server.createApp();
    const other = await server.createApp();
    await send(server.syslogPort, ...numbered(1_000).map((message) => counted(line(message, app.token))));
    await send(server.syslogPort, counted(line('mine', other.token)));
    await until('the other app’s line', async () => (await server.messages(other)).length === 1);
    const told = await until('the notice', async () =>
      (await server.messages(app)).filter((message) => message.startsWith('Rate limit:')).at(0),
    );
    const refused = Number(/: (\d+) messages refused/.exec(told)?.[1]);
    const { limited } = await server.counters('tcp');
    expect(refused).toBe(limited);
    expect(refused).toBeGreaterThan(500);
    expect((await server.messages(app)).length - 1).toBe(1_000 - refused);
    expect(told).toContain('Allowed are 100 lines/s an app.');
    const notice = (await server.lines(app)).find((text) => text.includes('Rate limit'));
    expect(notice).toContain(' heroku[logplex]: ');
  });

  it('of requests: 429 with Retry-After, and it is taken later', async () => {
    const server = await serveForTest({ env: { TAILRACE_TOKEN_BYTES_PER_S: '2KB' } });
    const app = await server.createApp();
    const lines = body(numbered(100));
    expect((await post(server, app.token, lines)).status).toBe(204);
    const refused = await post(server, app.token, lines);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const nginx = await server.addToken(app, 'nginx');
    expect((await post(server, nginx, body(['another token']))).status).toBe(204);
    await until(
      'the debt is paid',
      async () => (await post(server, app.token, body(['later']))).status === 204,
    );
    const answer = await request(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: basic('t.none'), 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(answer.statusCode).toBe(401);
    await answer.body.dump();
  });
});
