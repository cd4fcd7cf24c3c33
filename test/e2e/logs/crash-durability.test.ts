import { describe, expect, it } from 'vitest';
import {
  type HttpResponse,
  logplexBody,
  logplexLine,
  numberedMessages,
  postLogs,
  sendOverTcp,
} from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Posts batch after batch until the server is gone; gives the lines of every 2xx. */
async function produce(server: Server, app: App, name: string, progress: () => void): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let i = 0; ; i += 10) {
    const lines = numberedMessages(10, name, i);
    let answer: HttpResponse;
    try {
      answer = await postLogs(server, app.token, logplexBody(lines));
    } catch {
      return acknowledged;
    }
    if (answer.status === 204) acknowledged.push(...lines);
    progress();
  }
}

/** Lines of one producer as they stand in the stream, without what came twice (an answer may have been lost). */
function ofProducer(messages: readonly string[], name: string): string[] {
  return messages.filter((message) => message.startsWith(`${name} `));
}

describe('kill -9 in the middle of concurrent requests', () => {
  it.each([['process'], ['disk']])(
    'every line of every 2xx is there after the restart, in order (%s)',
    async (durability) => {
      const data = dataFolderForTest();
      let server = await startServerForTest({ data, env: { TAILRACE_DURABILITY: durability } });
      const apps = [await server.createApp(), await server.createApp()];
      const expected = new Map<string, string[]>();
      for (let round = 0; round < 3; round++) {
        let answers = 0;
        const producers = Array.from({ length: 8 }, (_, i) => `producer-${round}-${i}`);
        const running = producers.map((name, i) =>
          produce(server, apps[i % 2], name, () => {
            answers++;
          }),
        );
        await until('some answers', () => answers > 60 + round * 37);
        await server.kill();
        for (const [i, acknowledged] of (await Promise.all(running)).entries())
          expected.set(producers[i], acknowledged);
        server = await startServerForTest({ data, env: { TAILRACE_DURABILITY: durability } });
      }
      const messages = [await server.readMessages(apps[0]), await server.readMessages(apps[1])];
      for (const [name, acknowledged] of expected) {
        const there = ofProducer(messages[Number(name.slice(-1)) % 2], name);
        expect(there.slice(0, acknowledged.length)).toEqual(acknowledged);
        // The request that was under way may have been stored too, whole or not at all.
        expect([0, 10]).toContain(there.length - acknowledged.length);
      }
    },
  );

  it('positions go on where they were', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    await postLogs(first, app.token, logplexBody(numberedMessages(25)));
    const before = (await first.readLines(app, 'format=json')).map((text) => JSON.parse(text).position);
    await first.kill();
    const second = await startServerForTest({ data });
    await postLogs(second, app.token, logplexBody(['after']));
    const after = (await second.readLines(app, 'format=json')).map((text) => JSON.parse(text).position);
    expect(after).toEqual([...before, String(Number(before.at(-1)) + 1)]);
  });

  it('the last lines of a graceful stop are stored, those of syslog connections too', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    await sendOverTcp(
      first.syslogPort,
      numberedMessages(5_000)
        .map((text) => `${logplexLine(text, app.token)}\n`)
        .join(''),
    );
    expect(await first.program.stop('SIGTERM')).toMatchObject({ status: 0 });
    const second = await startServerForTest({ data });
    expect(await second.readMessages(app)).toEqual(numberedMessages(5_000));
  });
});

describe('lines of many apps over one syslog connection, which are stored together', () => {
  const APPS = 130;
  const ROUNDS = 60;
  const LINES = numberedMessages(ROUNDS);

  /** One after the other a line of each. */
  const alternating = (apps: readonly App[]): string =>
    LINES.flatMap((text) => apps.map(({ token }) => `${logplexLine(text, token)}\n`)).join('');
  const createApps = (server: Server): Promise<App[]> =>
    Promise.all(Array.from({ length: APPS }, () => server.createApp()));

  it('are there after a graceful stop', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const apps = await createApps(first);
    await sendOverTcp(first.syslogPort, alternating(apps));
    expect(await first.program.stop('SIGTERM')).toMatchObject({ status: 0 });
    const second = await startServerForTest({ data });
    for (const app of apps) expect(await second.readMessages(app)).toEqual(LINES);
  });

  it.each([['process'], ['disk']])(
    'are there after a kill -9 as far as somebody has read them, and in order (%s)',
    async (durability) => {
      const data = dataFolderForTest();
      const env = { TAILRACE_DURABILITY: durability };
      const first = await startServerForTest({ data, env });
      const apps = await createApps(first);
      const sent = sendOverTcp(first.syslogPort, alternating(apps).repeat(50)).catch(() => {});
      const last = apps[APPS - 1];
      const seen = await until('some of the last one', async () => {
        const messages = await first.readMessages(last);
        return messages.length > ROUNDS && messages;
      });
      await first.kill();
      await sent;
      const second = await startServerForTest({ data, env });
      expect((await second.readMessages(last)).slice(0, seen.length)).toEqual(seen);
      for (const app of apps) {
        const messages = await second.readMessages(app);
        expect(messages.length).toBeGreaterThan(0);
        expect(messages).toEqual(messages.map((_, i) => LINES[i % ROUNDS]));
      }
    },
  );
});
