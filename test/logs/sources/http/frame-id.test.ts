import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, run } from '../../../support/program.ts';
import { expectSameLines } from '../../../support/same-lines.ts';
import { body, counted, line, numbered, post } from '../../../support/senders/push.ts';
import { dataForTest, type Server, serve, serveForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server.close());

describe('a request that is sent again with the same Logplex-Frame-Id', () => {
  const named = { 'logplex-frame-id': '0123456789abcdef' };

  it('is stored once', async () => {
    const app = await server.createApp();
    const before = (await server.counters('http')).duplicates;
    for (let i = 0; i < 3; i++)
      expect((await post(server, app.token, body(['a', 'b']), named)).status).toBe(204);
    expect(await server.messages(app)).toEqual(['a', 'b']);
    expect((await server.counters('http')).duplicates).toBe(before + 4);
  });

  it('is stored once when the copies come at the same time', async () => {
    const app = await server.createApp();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(server, app.token, body(numbered(50)), named)),
    );
    expect(answers.every(({ status }) => status === 204)).toBe(true);
    expect(await server.messages(app)).toEqual(numbered(50));
  });

  it('is stored once when it is larger than a batch', async () => {
    const app = await server.createApp();
    const messages = numbered(8_000, 'a line of some length, so that one batch is not enough for them');
    for (let i = 0; i < 2; i++)
      expect((await post(server, app.token, body(messages), named)).status).toBe(204);
    expectSameLines(await server.messages(app), messages);
  });

  it('is stored once although the server was killed between the copies', async () => {
    const data = dataForTest();
    const first = await serveForTest({ data });
    const app = await first.createApp();
    expect((await post(first, app.token, body(['a']), named)).status).toBe(204);
    await first.kill();
    const second = await serveForTest({ data });
    expect((await post(second, app.token, body(['a']), named)).status).toBe(204);
    expect((await post(second, app.token, body(['b']))).status).toBe(204);
    expect(await second.messages(app)).toEqual(['a', 'b']);
  });

  it('is stored for every app of its lines, once', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    const bytes = Buffer.concat([counted(line('1', one.token)), counted(line('2', other.token))]);
    const headers = { ...named, authorization: `Bearer ${server.key}` };
    for (let i = 0; i < 2; i++) expect((await post(server, '', bytes, headers)).status).toBe(204);
    expect(await server.messages(one)).toEqual(['1']);
    expect(await server.messages(other)).toEqual(['2']);
  });

  it('is stored whole when several sources of an app speak in it in turns', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    const bytes = Buffer.concat(
      numbered(10).map((text, i) => counted(line(text, i % 2 ? nginx : app.token))),
    );
    const headers = { ...named, authorization: `Bearer ${server.key}` };
    for (let i = 0; i < 2; i++) expect((await post(server, '', bytes, headers)).status).toBe(204);
    expect(await server.messages(app)).toEqual(numbered(10));
  });

  it('doesn’t use up the name for another app', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    await post(server, one.token, body(['1']), named);
    await post(server, other.token, body(['2']), named);
    expect(await server.messages(other)).toEqual(['2']);
  });

  it('without a name, the same lines again are new lines', async () => {
    const app = await server.createApp();
    for (let i = 0; i < 2; i++) await post(server, app.token, body(['a']));
    expect(await server.messages(app)).toEqual(['a', 'a']);
  });
});

describe('a large request without a name', () => {
  it.skipIf(missing('prlimit'))(
    'that could be stored in part only is stored once when it is sent again',
    async () => {
      // A disk that is full in the middle of it, and has room again.
      const own = await serveForTest({ data: dataForTest(), shell: 'ulimit -S -f 2500' });
      const app = await own.createApp();
      const messages = numbered(8_000, 'x'.repeat(700));
      const bytes = body(messages);
      const type = { 'content-type': 'application/logplex-1' };
      expect((await post(own, app.token, bytes, type)).status).toBe(503);
      await run('prlimit', [`--pid=${own.program.pid}`, '--fsize=unlimited']);
      await until('room', async () => (await post(own, app.token, bytes, type)).status === 204);
      expect((await own.counters('http')).duplicates).toBeGreaterThan(0);
      const stored = await own.messages(app);
      expectSameLines(stored, messages);
    },
  );

  it('is stored again when it is sent again after it was accepted', async () => {
    const app = await server.createApp();
    const messages = numbered(5_000, 'the same lines, and many');
    for (let i = 0; i < 2; i++) expect((await post(server, app.token, body(messages))).status).toBe(204);
    expect((await server.messages(app)).length).toBe(10_000);
  });
});
