import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTcpReceiver } from '../../../support/receivers/receivers.ts';
import { isDrainEvent, messageOf, parseFrames, withoutDuplicates } from '../../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function pushMany(to: Server, app: App, count: number, from = 0): Promise<void> {
  for (let i = from; i < from + count; i += 50)
    await pushLines(to, app.token, numberedMessages(50, 'line', i));
}

describe('a syslog drain', () => {
  it('gets every line in order, each once, when nothing goes wrong', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    const { token } = await server.createDrain(app, receiver.url);
    await pushMany(server, app, 2_000);
    await until('all lines', () => receiver.messages().length >= 2_000);
    expect(receiver.messages()).toEqual(numberedMessages(2_000));
    expect(receiver.connections).toHaveLength(1);
    for (const frame of parseFrames(receiver.text)) expect(frame.split(' ')[2]).toBe(token);
    await until('its state', async () => {
      const [{ delivery }] = await server.listDrains(app);
      return delivery.delivered === 2_000 && delivery.lagLines === 0;
    });
  });

  it.each([
    ['closes', (end: { destroy: () => void; resetAndDestroy: () => void }) => end.destroy()],
    ['resets', (end: { destroy: () => void; resetAndDestroy: () => void }) => end.resetAndDestroy()],
  ])('that %s the connection again and again: every line, in order', async (_name, break_) => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    // Each connection breaks later than the one before, in the middle of a frame most of the time.
    receiver.onBytes = (socket, { text }) => {
      const breaks = receiver.connections.length;
      if (breaks < 8 && text.length > breaks * 4_321) break_(socket);
    };
    await server.createDrain(app, receiver.url);
    await pushMany(server, app, 3_000);
    await until('all lines', () => new Set(receiver.messages()).size >= 3_000);
    expect(withoutDuplicates(receiver.messages())).toEqual(numberedMessages(3_000));
    expect(receiver.connections.length).toBeGreaterThan(3);
    // Within a connection they are in order, too, without a gap.
    for (const { text } of receiver.connections) {
      const lines = parseFrames(text).filter((frame) => !isDrainEvent(messageOf(frame)));
      const numbers = lines.map((frame) => Number(/line (\d+)\n$/.exec(frame)?.[1]));
      for (let i = 1; i < numbers.length; i++) expect(numbers[i]).toBe(numbers[i - 1] + 1);
    }
  });

  it('that was down: gets all lines of that time', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    await server.createDrain(app, receiver.url);
    await pushMany(server, app, 100);
    await until('the first lines', () => receiver.messages().length >= 100);
    await receiver.close();
    await pushMany(server, app, 1_000, 100);
    await until('it is seen to be down', async () => (await server.listDrains(app))[0].delivery.lastError);
    await receiver.listen();
    await until('all lines', () => new Set(receiver.messages()).size >= 1_100);
    expect(withoutDuplicates(receiver.messages())).toEqual(numberedMessages(1_100));
  });

  it('that reads nothing, and resets its connection: what its system had not taken is sent again', async () => {
    const app = await server.createApp();
    const [receiver, other] = [await startTcpReceiver(), await startTcpReceiver()];
    receiver.onConnection = (socket) => {
      if (receiver.connections.length === 1) socket.pause();
    };
    await server.createDrain(app, receiver.url);
    await server.createDrain(app, other.url);
    const padding = 'x'.repeat(2_000);
    // Together less than the systems buffer.
    for (let i = 0; i < 1_000; i += 500)
      await pushLines(server, app.token, numberedMessages(500, `${padding} line`, i));
    await until('all of it written, a second ago', async () => {
      const drains = await server.listDrains(app);
      return drains.some(({ url, delivery }) => url === other.url && delivery.delivered === 1_000);
    });
    receiver.resetAll();
    // What its system had for long enough, 128 KB at the most, counts as read.
    const wanted = numberedMessages(900, `${padding} line`, 100);
    await until(
      'the lines',
      () => receiver.messages().includes(wanted[0]) && receiver.messages().at(-1) === wanted[899],
    );
    expect(withoutDuplicates(receiver.messages()).slice(-900)).toEqual(wanted);
  });

  it('that floods its connection with what nobody asked for holds up nobody, and gets every line', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    let sent = 0;
    receiver.onConnection = (socket) => {
      const flood = Buffer.alloc(1_048_576, 'x');
      const more = (): void => {
        sent++;
        if (!socket.destroyed) socket.write(flood, more);
      };
      more();
    };
    const { id } = await server.createDrain(app, receiver.url);
    for (let i = 0; i < 20; i++) await pushMany(server, app, 50, i * 50);
    await until('all lines', () => new Set(receiver.messages()).size >= 1_000);
    await until('its state', async () => (await server.listDrains(app))[0].delivery.delivered === 1_000);
    // What both systems buffer, and some more.
    expect(sent).toBeLessThan(40);
    await server.request('DELETE', `/apps/${app.name}/log-drains/${id}`);
  });

  it('gets every line although the router is killed in the middle', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    const receiver = await startTcpReceiver();
    await first.createDrain(app, receiver.url);
    await pushMany(first, app, 1_000);
    await until('some lines', () => receiver.messages().length > 10);
    await first.kill();
    const second = await startServerForTest({ data });
    await pushMany(second, app, 500, 1_000);
    await until('all lines', () => new Set(receiver.messages()).size >= 1_500);
    expect(withoutDuplicates(receiver.messages())).toEqual(numberedMessages(1_500));
  });

  it('lines that come one by one aren’t sent again each time', async () => {
    const own = await startServerForTest();
    const app = await own.createApp();
    const receiver = await startTcpReceiver();
    await own.createDrain(app, receiver.url);
    for (const message of numberedMessages(300)) await pushLines(own, app.token, [message]);
    await until('all lines', () => receiver.messages().length >= 300);
    expect(own.program.stderr).toBe('');
  });
});
