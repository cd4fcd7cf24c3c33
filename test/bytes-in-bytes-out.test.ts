/**
 * The first test to read: the bytes that a source sends, and the bytes that come out at a tail, an HTTPS drain and a
 * syslog drain. Everything else in this project is about keeping this true when something breaks.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttpReceiver, startTcpReceiver } from './support/receivers/receivers.ts';
import { octetCounted, postLogs } from './support/senders/send-lines.ts';
import { type Server, startServer } from './support/server.ts';
import { until } from './support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const T = '2012-12-10T03:00:48.123456+00:00';

interface Row {
  promise: string;
  /** One line as a source sends it; its frame's length is put in front. */
  in: string;
  /** As `tailrace logs` shows it. */
  tail: string;
  /** As an HTTPS drain gets it: Heroku's form. */
  https: string;
  /** As a syslog drain gets it; DRAIN stands for the drain's token. */
  syslog: string;
}

const rows: Row[] = [
  {
    promise: 'a line from log-shuttle',
    in: `<190>1 ${T} shuttle token shuttle - - hello`,
    tail: `${T} app[shuttle]: hello`,
    https: `65 <190>1 ${T} host app shuttle - hello\n`,
    syslog: `101 <190>1 ${T} DRAIN app shuttle - - hello\n`,
  },
  {
    promise: "its own line end isn't doubled",
    in: `<190>1 ${T} host token web.1 - - hello\n`,
    tail: `${T} app[web.1]: hello`,
    https: `63 <190>1 ${T} host app web.1 - hello\n`,
    syslog: `99 <190>1 ${T} DRAIN app web.1 - - hello\n`,
  },
  {
    promise: 'structured data may be missing, as in the lines of Heroku’s own drains',
    in: `<40>1 2012-11-30T06:45:29+00:00 host token web.3 - State changed from starting to up\n`,
    tail: '2012-11-30T06:45:29+00:00 app[web.3]: State changed from starting to up',
    https: '83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up\n',
    syslog: '119 <40>1 2012-11-30T06:45:29+00:00 DRAIN app web.3 - - State changed from starting to up\n',
  },
  {
    promise: 'msgid and structured data reach those who speak RFC 5424',
    in: `<134>1 ${T} db token postgres.1 ID47 [m@1 k="v"] checkpoint`,
    tail: `${T} app[postgres.1]: checkpoint`,
    https: `73 <134>1 ${T} host app postgres.1 - checkpoint\n`,
    syslog: `122 <134>1 ${T} DRAIN app postgres.1 ID47 [m@1 k="v"] checkpoint\n`,
  },
  {
    promise: 'lengths count bytes, not characters',
    in: `<190>1 ${T} host token web.1 - - Grüße 🚰`,
    tail: `${T} app[web.1]: Grüße 🚰`,
    https: `70 <190>1 ${T} host app web.1 - Grüße 🚰\n`,
    syslog: `106 <190>1 ${T} DRAIN app web.1 - - Grüße 🚰\n`,
  },
  {
    promise: 'an empty message is a line too',
    in: `<190>1 ${T} host token web.1 - - `,
    tail: `${T} app[web.1]: `,
    https: `58 <190>1 ${T} host app web.1 - \n`,
    syslog: `94 <190>1 ${T} DRAIN app web.1 - - \n`,
  },
];

describe('bytes in, bytes out', () => {
  it.each(rows)('$promise', async (row) => {
    const app = await server.createApp();
    const https = await startHttpReceiver();
    const syslog = await startTcpReceiver();
    await server.createDrain(app, https.url);
    const { token } = await server.createDrain(app, syslog.url);

    expect(
      (await postLogs(server, app.token, octetCounted(row.in), { 'logplex-msg-count': '1' })).status,
    ).toBe(204);

    expect(await server.readLines(app)).toEqual([row.tail]);
    const [delivery] = await until('the HTTPS drain', () => https.requests.length > 0 && https.requests);
    expect(delivery.body).toBe(row.https);
    await until('the syslog drain', () => syslog.text.endsWith('\n'));
    expect(syslog.text).toBe(row.syslog.replace('DRAIN', token));
  });

  it('an HTTPS delivery has the headers that receivers of Heroku’s drains look at', async () => {
    const app = await server.createApp();
    const https = await startHttpReceiver();
    const drain = await server.createDrain(app, https.url.replace('//', '//user:p%40ss@'));
    await postLogs(server, app.token, Buffer.concat([octetCounted(rows[0].in), octetCounted(rows[1].in)]));
    const [{ headers, path }] = await until('a delivery', () => https.requests.length > 0 && https.requests);
    expect(path).toBe('/lines');
    expect(headers).toMatchObject({
      'content-type': 'application/logplex-1',
      'logplex-msg-count': '2',
      'logplex-drain-token': drain.token,
      'logplex-frame-id': expect.stringMatching(/^[0-9a-f]{32}$/),
      'user-agent': expect.stringMatching(/^Logplex\//),
      authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    });
  });
});
