import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { logplexLine, numberedMessages, octetCounted } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

function sender(): (datagram: string | Buffer) => Promise<void> {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  return (datagram) =>
    new Promise((resolve, reject) =>
      socket.send(datagram, server.syslogPort, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
}

/** As `logger --udp --octet-count` sends it; some with a line end behind what is counted. */
function counted(message: string, { token }: App): string {
  const line = octetCounted(logplexLine(message, token)).toString();
  return message.endsWith('0') ? `${line}\n` : line;
}

describe('syslog over UDP', () => {
  it('takes a line a datagram, in order, with and without a line end, or a count of its bytes', async () => {
    const app = await server.createApp();
    const send = sender();
    for (const [i, message] of numberedMessages(200).entries())
      await send(i % 3 ? logplexLine(message, app.token) + (i % 2 ? '\n' : '') : counted(message, app));
    await until('all lines', async () => (await server.readMessages(app)).length === 200);
    expect(await server.readMessages(app)).toEqual(numberedMessages(200));
  });

  it('a datagram is one line, with all that is in it; one without a header is nobody’s, whatever came before it', async () => {
    const app = await server.createApp();
    const send = sender();
    const before = await server.sourceCounters('udp');
    const second = logplexLine('not a line of its own', 't.none');
    const messages = [
      'Exception\n\tat foo\n\tat bar',
      `two\n${second}`,
      '5000000 rows',
      'counted 36 <13>1 2012-12-10T',
    ];
    for (const message of messages) await send(logplexLine(message, app.token));
    await send(`\ufeff${logplexLine('behind a byte order mark', app.token)}`);
    await send('\tat baz');
    await send('5000000 rows');
    await send(logplexLine('the end', app.token));
    await until('the end', async () => (await server.readMessages(app)).includes('the end'));
    const stored = (await server.readLines(app, 'format=json')).map((line) => JSON.parse(line).message);
    expect(stored).toEqual([...messages, 'behind a byte order mark', 'the end']);
    const after = await server.sourceCounters('udp');
    expect(after.malformed - before.malformed).toBe(2);
    expect(after.headerless).toBe(before.headerless);
  });

  it('counts what is malformed or has an unknown token, and goes on', async () => {
    const app = await server.createApp();
    const send = sender();
    const before = await server.sourceCounters('udp');
    for (const bad of ['', 'junk', '<13>1', Buffer.from([0, 255]), logplexLine('m', 't.unknown')])
      await send(bad);
    await send(logplexLine('good', app.token));
    await until('the good line', async () => (await server.readMessages(app)).length === 1);
    const after = await server.sourceCounters('udp');
    expect(after.malformed - before.malformed).toBe(4);
    expect(after.unknownToken - before.unknownToken).toBe(1);
  });

  it('takes lines of several apps from one sender, the very first ones too', async () => {
    const apps = await Promise.all(Array.from({ length: 5 }, () => server.createApp()));
    const send = sender();
    await Promise.all(apps.map((app) => send(logplexLine(app.name, app.token))));
    for (const app of apps) {
      await until('its line', async () => (await server.readMessages(app)).length === 1);
      expect(await server.readMessages(app)).toEqual([app.name]);
    }
  });
});
