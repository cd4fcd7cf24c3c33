import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSameLines } from '../../../support/expect-same-lines.ts';
import { missing, runProgram } from '../../../support/program.ts';
import {
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
} from '../../../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('a request that is sent again with the same Logplex-Frame-Id', () => {
  const named = { 'logplex-frame-id': '0123456789abcdef' };

  it('is stored once', async () => {
    const app = await server.createApp();
    const before = (await server.sourceCounters('http')).duplicates;
    for (let i = 0; i < 3; i++)
      expect((await postLogs(server, app.token, logplexBody(['a', 'b']), named)).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(['a', 'b']);
    expect((await server.sourceCounters('http')).duplicates).toBe(before + 4);
  });

  it('is stored once when the copies come at the same time', async () => {
    const app = await server.createApp();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => postLogs(server, app.token, logplexBody(numberedMessages(50)), named)),
    );
    expect(answers.every(({ status }) => status === 204)).toBe(true);
    expect(await server.readMessages(app)).toEqual(numberedMessages(50));
  });

  it('is stored once when it is larger than a batch', async () => {
    const app = await server.createApp();
    const messages = numberedMessages(
      8_000,
      'a line of some length, so that one batch is not enough for them',
    );
    for (let i = 0; i < 2; i++)
      expect((await postLogs(server, app.token, logplexBody(messages), named)).status).toBe(204);
    expectSameLines(await server.readMessages(app), messages);
  });

  it('is stored beside one whose id only begins alike, or looks like that of a part of it', async () => {
    const app = await server.createApp();
    const send = async (frameId: string, lines: string[]): Promise<void> => {
      const headers = { 'logplex-frame-id': frameId };
      expect((await postLogs(server, app.token, logplexBody(lines), headers)).status).toBe(204);
    };
    const long = 'x'.repeat(500);
    for (const end of ['1', '2', '1']) await send(long + end, [`long ${end}`]);
    const large = numberedMessages(8_000, 'a line of some length, so that one batch is not enough for them');
    await send('whole', large);
    await send('whole/1', ['small']);
    expectSameLines(await server.readMessages(app), ['long 1', 'long 2', ...large, 'small']);
  });

  it('is stored once although the server was killed between the copies', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    expect((await postLogs(first, app.token, logplexBody(['a']), named)).status).toBe(204);
    await first.kill();
    const second = await startServerForTest({ data });
    expect((await postLogs(second, app.token, logplexBody(['a']), named)).status).toBe(204);
    expect((await postLogs(second, app.token, logplexBody(['b']))).status).toBe(204);
    expect(await second.readMessages(app)).toEqual(['a', 'b']);
  });

  it('is stored for every app of its lines, once', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    const bytes = Buffer.concat([
      octetCounted(logplexLine('1', one.token)),
      octetCounted(logplexLine('2', other.token)),
    ]);
    const headers = { ...named, authorization: `Bearer ${server.key}` };
    for (let i = 0; i < 2; i++) expect((await postLogs(server, '', bytes, headers)).status).toBe(204);
    expect(await server.readMessages(one)).toEqual(['1']);
    expect(await server.readMessages(other)).toEqual(['2']);
  });

  it('is stored whole when it has lines of several sources of an app, alternating', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    const bytes = Buffer.concat(
      numberedMessages(10).map((text, i) => octetCounted(logplexLine(text, i % 2 ? nginx : app.token))),
    );
    const headers = { ...named, authorization: `Bearer ${server.key}` };
    for (let i = 0; i < 2; i++) expect((await postLogs(server, '', bytes, headers)).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(numberedMessages(10));
  });

  it('doesn’t use up the frame id for another app', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    await postLogs(server, one.token, logplexBody(['1']), named);
    await postLogs(server, other.token, logplexBody(['2']), named);
    expect(await server.readMessages(other)).toEqual(['2']);
  });

  it('without a frame id, the same lines again are new lines', async () => {
    const app = await server.createApp();
    for (let i = 0; i < 2; i++) await postLogs(server, app.token, logplexBody(['a']));
    expect(await server.readMessages(app)).toEqual(['a', 'a']);
  });
});

describe('a request without a frame id', () => {
  it.skipIf(missing('prlimit'))('that needs more room than there is is refused as a whole', async () => {
    // A disk that is full in the middle of it, and has space again.
    const own = await startServerForTest({ data: dataFolderForTest(), shell: 'ulimit -S -f 2500' });
    const app = await own.createApp();
    const messages = numberedMessages(8_000, 'x'.repeat(700));
    const bytes = logplexBody(messages);
    expect((await postLogs(own, app.token, bytes)).status).toBe(503);
    expect(await own.readMessages(app)).toEqual([]);
    await own.kill();
    const again = await startServerForTest({ data: own.data });
    expect(await again.readMessages(app)).toEqual([]);
    expect((await postLogs(again, app.token, bytes)).status).toBe(204);
    expectSameLines(await again.readMessages(app), messages);
  });

  it.skipIf(missing('prlimit'))(
    'that could be stored for one of its apps only is stored once for each when it is sent again',
    async () => {
      const own = await startServerForTest({ data: dataFolderForTest(), shell: 'ulimit -S -f 1500' });
      const [one, other] = [await own.createApp(), await own.createApp()];
      const [few, many] = [numberedMessages(300), numberedMessages(3_000, 'x'.repeat(700))];
      // Alternating at first.
      const bytes = Buffer.concat(
        many.flatMap((text, i) => [
          octetCounted(logplexLine(text, other.token)),
          ...(i < few.length ? [octetCounted(logplexLine(few[i], one.token))] : []),
        ]),
      );
      const headers = { authorization: `Bearer ${own.key}` };
      for (let i = 0; i < 2; i++) {
        expect((await postLogs(own, '', bytes, headers)).status).toBe(503);
        expect(await own.readMessages(one)).toEqual(few);
        expect(await own.readMessages(other)).toEqual([]);
      }
      await runProgram('prlimit', [`--pid=${own.program.pid}`, '--fsize=unlimited']);
      await until('room', async () => (await postLogs(own, '', bytes, headers)).status === 204);
      expect((await own.sourceCounters('http')).duplicates).toBeGreaterThanOrEqual(few.length);
      expect(await own.readMessages(one)).toEqual(few);
      expectSameLines(await own.readMessages(other), many);
      // Its sender knows that it is stored: the same again is another request.
      expect((await postLogs(own, '', bytes, headers)).status).toBe(204);
      expect(await own.readMessages(one)).toEqual([...few, ...few]);
    },
  );

  it('is stored again when it is sent again after it was accepted', async () => {
    const app = await server.createApp();
    const messages = numberedMessages(5_000, 'the same lines, and many');
    for (let i = 0; i < 2; i++)
      expect((await postLogs(server, app.token, logplexBody(messages))).status).toBe(204);
    expect((await server.readMessages(app)).length).toBe(10_000);
  });
});
