import { describe, expect, it } from 'vitest';
import { HttpReceiver, TcpReceiver } from '../../../support/receivers/receivers.ts';
import { TailClient } from '../../../support/receivers/tail-client.ts';
import { parseFrames } from '../../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

/** Long lines: what was read a moment ago is still in memory, trimmed or not, up to 8 MB of it. */
const LINE = `${'x'.repeat(4_000)} line`;
const L10 =
  /^Error L10 \(output buffer overflow\): drain '(d\.\S+)' dropped (\d+) messages since \S+?\.(?: The last of them came by \S+\.)?$/;

async function smallServer(): Promise<{ server: Server; app: App }> {
  const server = await startServerForTest({ env: { TAILRACE_STREAM_LINES: '1000' } });
  return { server, app: await server.createApp() };
}

const messagesIn = (text: string): string[] =>
  parseFrames(text).map((frame) => frame.replace(/^<\d+>1 \S+ \S+ \S+ \S+ - (- )?/, '').trimEnd());

/** How many lines the stream has ever had, and all of them have been delivered or lost. */
async function settledTotal(server: Server, app: App, seen: () => string): Promise<number> {
  // The last line of the outage: after it nothing comes.
  await until('the news that it is over', () => seen().includes('accepts lines again'));
  return until('the drain to be up to date', async () => {
    const [{ delivery }] = await server.listDrains(app);
    const [newest] = await server.readLines(app, 'lines=1&format=json');
    const { position } = JSON.parse(newest);
    return delivery.lagLines === 0 && delivery.after === Number(position) ? delivery.after : undefined;
  });
}

describe('a drain whose lines were trimmed from the stream', () => {
  it('over HTTP: is notified of the exact number of lines it lost, and gets all others in order', async () => {
    const { server, app } = await smallServer();
    const receiver = await new HttpReceiver().listen();
    const drain = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(100, LINE));
    await until('the first lines', () => receiver.acceptedMessages().length === 100);
    await receiver.close();
    for (let i = 100; i < 5_100; i += 100) await pushLines(server, app.token, numberedMessages(100, LINE, i));
    await until('it is seen to be down', async () => (await server.listDrains(app))[0].delivery.lastError);
    // The first request after the outage fails in the middle: its notice must come again, the same to the byte.
    let first = true;
    receiver.plan = () => {
      const status = first ? 500 : 200;
      first = false;
      return status;
    };
    await receiver.listen();
    const seen = () => receiver.acceptedMessages().join();
    const total = await settledTotal(server, app, seen);
    const accepted = receiver.requests.filter(({ status }) => status === 200);
    const messages = accepted.flatMap(({ body }) => messagesIn(body));
    const notice = messages.find((text) => text.startsWith('Error L10'))!;
    const missed = Number(L10.exec(notice)?.[2]);
    expect(L10.exec(notice)?.[1]).toBe(drain.token);
    expect(missed).toBe(total - (messages.length - 1)); // the notice itself isn't from the stream
    const lines = messages.filter((text) => text.startsWith(LINE));
    expect(lines).toEqual([
      ...numberedMessages(100, LINE),
      ...numberedMessages(lines.length - 100, LINE, 5_200 - lines.length),
    ]);
    expect(messages.indexOf(notice)).toBe(100);
    for (const { body, headers } of accepted)
      expect(headers['logplex-msg-count']).toBe(String(parseFrames(body).length));
    const failed = receiver.requests.find(({ status }) => status === 500);
    expect(accepted.find(({ frameId }) => frameId === failed?.frameId)?.body).toBe(failed?.body);
    // The app's own stream tells it, too, and the drain's state.
    expect((await server.readMessages(app)).some((text) => L10.test(text))).toBe(true);
    expect((await server.listDrains(app))[0].delivery.lost).toBe(missed);
    await receiver.close();
  });

  it('over syslog: the same', async () => {
    const { server, app } = await smallServer();
    const receiver = await new TcpReceiver().listen();
    await server.createDrain(app, receiver.url);
    await receiver.close();
    for (let i = 0; i < 5_000; i += 100) await pushLines(server, app.token, numberedMessages(100, LINE, i));
    await until('it is seen to be down', async () => (await server.listDrains(app))[0].delivery.lastError);
    await receiver.listen();
    const total = await settledTotal(server, app, () => receiver.text);
    const messages = messagesIn(receiver.text);
    const missed = Number(L10.exec(messages[0])?.[2]);
    expect(missed).toBe(total - (messages.length - 1));
    const lines = messages.filter((text) => text.startsWith(LINE));
    expect(lines).toEqual(numberedMessages(lines.length, LINE, 5_000 - lines.length));
    await receiver.close();
  });

  it('is notified of every line although the router is killed (-9) before it could', async () => {
    const data = dataFolderForTest();
    const env = { TAILRACE_STREAM_LINES: '1000' };
    let server = await startServerForTest({ data, env });
    const app = await server.createApp();
    const receiver = await new HttpReceiver().listen();
    receiver.plan = () => 500;
    await server.createDrain(app, receiver.url);
    const news = await new TailClient(server, app, { source: 'heroku', lines: 0 }).opened();
    const lost = async (): Promise<number> => (await server.listDrains(app))[0].delivery.lost;
    const pushMany = async (from: number): Promise<void> => {
      for (let i = from; i < from + 4_000; i += 100)
        await pushLines(server, app.token, numberedMessages(100, LINE, i));
    };
    // The first loss is told to the app at once, the second would be a minute later; to the drain neither can be told.
    await pushMany(0);
    const first = await until('the first loss', async () => (await lost()) || undefined);
    await news.waitForLines(1);
    await pushMany(4_000);
    await until('another loss', async () => (await lost()) > first);
    await until('another attempt', async () => {
      const attempts = receiver.requests.length;
      return until('it', () => receiver.requests.length > attempts);
    });
    await server.kill();
    const reportedBefore = news.messages().filter((text) => L10.test(text));
    server = await startServerForTest({ data, env });
    receiver.plan = () => 200;
    await pushLines(server, app.token, ['the last']);
    await until('all of it', () => receiver.acceptedMessages().includes('the last'));
    const counted = (texts: readonly string[]): number =>
      texts.reduce((sum, text) => sum + Number(L10.exec(text)?.[2] ?? 0), 0);
    const [{ delivery }] = await server.listDrains(app);
    const accepted = receiver.requests.filter(({ status }) => status === 200);
    const messages = accepted.flatMap(({ body }) => messagesIn(body));
    const notices = messages.filter((text) => text.includes(delivery.lost.toString()) && L10.test(text));
    expect(counted(notices)).toBe(delivery.lost);
    const toldAfter = (await server.readMessages(app, 'source=heroku&lines=100')).filter(
      (text) => L10.test(text) && !reportedBefore.includes(text),
    );
    expect(toldAfter).not.toEqual([]);
    expect(counted([...reportedBefore, ...toldAfter])).toBe(delivery.lost);
    const lines = messages.filter((text) => text.startsWith(LINE));
    expect(lines).toEqual(numberedMessages(lines.length, LINE, 8_000 - lines.length));
    await receiver.close();
  });
});
