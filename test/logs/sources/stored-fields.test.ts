/** What becomes of header fields that RFC 5424 doesn't allow, and of tokens in them, from every source to everything that goes out. */
import { createSocket } from 'node:dgram';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeOtlpLogs } from '../../../src/logs/sources/formats/otlp-schema.ts';
import { runTailrace } from '../../support/program.ts';
import { startRawReceiver } from '../../support/receivers/raw-receiver.ts';
import { startTcpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { basicAuth, octetCounted, postLogs, sendOverTcp, TIME } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
/** An app of somebody else, whose token mustn't get out either. */
let other: App;
beforeAll(async () => {
  server = await startServer();
  other = await server.createApp();
});
afterAll(() => server.close());

interface Fields {
  readonly timestamp: string;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

async function arrived(app: App, count: number): Promise<Fields[]> {
  const lines = await until(`${count} lines`, async () => {
    const all = await server.readLines(app, 'format=json&lines=1000');
    return all.length >= count && all;
  });
  return lines.map((line) => JSON.parse(line));
}

async function sendDatagram(text: string): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.send(text, server.syslogPort, '127.0.0.1', resolve));
  socket.close();
}

async function postOtlp(token: string, body: Uint8Array | string, type: string): Promise<number> {
  const { statusCode, body: answer } = await request(`${server.url}/v1/logs`, {
    method: 'POST',
    headers: { authorization: basicAuth(token), 'content-type': type },
    body,
  });
  await answer.dump();
  return statusCode;
}

/** What an OTLP record and its resource say. */
const otlpRequest = (fields: {
  host: string;
  instance: string;
  event: string;
  key: string;
  value: string;
}) => ({
  resourceLogs: [
    {
      resource: {
        attributes: [
          { key: 'host.name', value: { stringValue: fields.host } },
          { key: 'service.instance.id', value: { stringValue: fields.instance } },
        ],
      },
      scopeLogs: [
        {
          logRecords: [
            {
              eventName: fields.event,
              body: { stringValue: 'm' },
              attributes: [{ key: fields.key, value: { stringValue: fields.value } }],
            },
          ],
        },
      ],
    },
  ],
});

/** Sends lines with these texts in every field that can be set, over every source; returns how many. */
async function sendEverywhere(
  app: App,
  host: string,
  dyno: string,
  msgid: string,
  data: string,
): Promise<number> {
  const line = (appName: string, message: string) =>
    `<190>1 ${TIME} ${host} ${appName} ${dyno} ${msgid} ${data} ${message}`;
  await sendOverTcp(
    server.syslogPort,
    octetCounted(line(app.token, 'counted')),
    octetCounted(line(app.token, 'counted again')),
    octetCounted(
      `<13>1 ${TIME} ${host} prog ${dyno} ${msgid} [empty]${data === '-' ? '' : data}[tailrace@32473 token="${app.token}"] in data`,
    ),
    octetCounted(`<13>1 ${TIME} ${app.token} prog ${dyno} ${msgid} ${data} in the hostname`),
    octetCounted(`<13>1 ${TIME} ${host} ${app.token}/${dyno} 7 ${app.token}/${dyno} ${data} in the tag`),
  );
  const lines = ['one', 'two'].map((message) => octetCounted(line('ignored', message)));
  expect((await postLogs(server, app.token, Buffer.concat(lines))).status).toBe(204);
  const json = JSON.stringify({ msg: 'json', host, dyno, [host]: data, nested: { deep: [msgid] } });
  for (const [type, body] of [
    ['application/json', `[${json}]`],
    ['application/x-ndjson', `${json}\n${JSON.stringify({ hidden: [host, dyno] })}\n`],
    ['application/json', JSON.stringify({ msg: 'long', [dyno]: host, filler: 'x'.repeat(7_000) })],
  ])
    expect((await postLogs(server, app.token, body, { 'content-type': type })).status).toBe(
      type === 'application/json' ? 200 : 204,
    );
  const otlp = otlpRequest({ host, instance: dyno, event: msgid, key: host, value: data });
  expect(await postOtlp(app.token, JSON.stringify(otlp), 'application/json')).toBe(200);
  expect(await postOtlp(app.token, encodeOtlpLogs(otlp), 'application/x-protobuf')).toBe(200);
  const plain = await request(`${server.url}/logs?dyno=${encodeURIComponent(dyno)}`, {
    method: 'POST',
    headers: { authorization: basicAuth(app.token), 'content-type': 'text/plain' },
    body: 'plain',
  });
  expect(plain.statusCode).toBe(204);
  await plain.body.dump();
  const drain = { 'logplex-drain-token': 'd.1', 'logplex-msg-count': '1' };
  const fromHeroku = octetCounted(`<190>1 ${TIME} ${host} app ${dyno} ${msgid} from Heroku\n`);
  expect((await postLogs(server, app.token, fromHeroku, drain)).status).toBe(204);
  return 5 + 2 + 1 + 2 + 1 + 2 + 1 + 1;
}

/** Everything that goes out for an app, as one text, once so many lines are out everywhere. */
async function everythingOut(app: App, send: () => Promise<number>): Promise<string> {
  const http = await Promise.all(
    ['logplex', 'rfc5424', 'json', 'webhook', 'otlp', 'loki'].map(async (format) => ({
      format,
      receiver: await startRawReceiver(),
    })),
  );
  const syslog = await Promise.all(
    ['syslog', 'rfc5424', 'json'].map(async (format) => ({ format, receiver: await startTcpReceiver() })),
  );
  for (const { format, receiver } of [...http, ...syslog])
    await server.request('POST', `/apps/${app.name}/log-drains`, { url: receiver.url, options: { format } });
  const tails = await Promise.all(
    (['text', 'json'] as const).map((format) => new TailClient(server, app, { format, tail: true }).opened()),
  );
  const count = await send();
  await until('all drains', async () =>
    (await server.listDrains(app)).every(({ delivery }) => delivery.delivered >= count),
  );
  await until('all tails', () => tails.every(({ lines }) => lines.length >= count));
  for (const { socket } of tails) socket.terminate();
  const events = await fetch(`${server.url}/apps/${app.name}/logs?format=json&lines=1000`, {
    headers: { authorization: `Bearer ${server.key}`, accept: 'text/event-stream' },
  });
  const parts = [
    ...http.flatMap(({ receiver }) => receiver.requests.map(({ body }) => body.toString())),
    ...syslog.map(({ receiver }) => receiver.text),
    ...tails.flatMap(({ lines }) =>
      lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))),
    ),
    (await server.readLines(app)).join('\n'),
    (await runTailrace(['logs', '-a', app.name, '--json', '-n', '1000'], { env: server.env })).stdout,
  ];
  await events.body?.cancel();
  for (const part of parts) expect(part.length).toBeGreaterThan(0);
  return parts.join('\n');
}

describe('a token', () => {
  it.each(['its own', 'another app’s'])(
    'in any field, over any source, doesn’t get out: %s',
    async (whose) => {
      const app = await server.createApp();
      const { token } = whose === 'its own' ? app : other;
      const out = await everythingOut(app, () =>
        sendEverywhere(app, token, `web.${token}`, token, `[a@1 k="${token}"][${token} ${token}="x"]`),
      );
      expect(out).not.toContain(token.slice(2, 16));
      expect(out).toContain('t.****');
      expect(out).not.toContain('tailrace@32473');
    },
  );

  it('in structured data is found beside elements without parameters, and no rule takes the line', async () => {
    const [app, ruled] = [await server.createApp(), await server.createApp()];
    const { id } = await server.request<{ id: string }>('POST', `/apps/${ruled.name}/source-rules`, {
      source: 'any',
      network: '127.0.0.1',
    });
    const element = `[tailrace@32473 token="${app.token}"]`;
    const data = [
      `[origin ip="192.0.2.1"][empty]${element}`,
      `[empty]${element}`,
      `${element}[empty]`,
      `[ empty ]${element.replace(' ', '   ')}`,
      `[a@1 k="\\"] [tailrace@32473 token=\\"t.x\\"\\]"]${element}`,
      `[a@1 k="${'v'.repeat(9_000)}"]${element}`,
    ];
    const line = (text: string, i: number) => `<13>1 ${TIME} h prog 1 - ${text} m${i}`;
    await sendOverTcp(
      server.syslogPort,
      ...data.map((text, i) => octetCounted(line(text, i))),
      ...data.map((text, i) => `${line(text, i)}\n`),
    );
    for (const [i, text] of data.slice(0, 5).entries()) await sendDatagram(line(text, i));
    const lines = await arrived(app, data.length * 2 + 5);
    expect(lines.slice(0, 4)).toMatchObject([
      { structured_data: '[origin ip="192.0.2.1"][empty]', dyno: 'prog.1', message: 'm0' },
      { structured_data: '[empty]', message: 'm1' },
      { structured_data: '[empty]', message: 'm2' },
      { structured_data: '[empty]', message: 'm3' },
    ]);
    expect(JSON.stringify(lines)).not.toContain(app.token);
    expect(await server.readLines(ruled)).toEqual([]);
    // What isn't well formed, or stands where a message does, is the rule's; the token isn't in it.
    const broken = [
      `[tailrace@32473 token=${app.token}]`,
      `[a@1 k="v"] ${element}`,
      `- ${element}`,
      `<192>1 ${TIME} h ${app.token}`,
    ];
    await sendOverTcp(
      server.syslogPort,
      ...broken.map((text) => (text.startsWith('<') ? `${text} - - - m\n` : octetCounted(line(text, 9)))),
    );
    expect(JSON.stringify(await arrived(ruled, broken.length))).not.toContain(app.token.slice(2, 16));
    await server.request('DELETE', `/apps/${ruled.name}/source-rules/${id}`);
  });

  it('as Docker’s rfc5424 format repeats it: as MSGID', async () => {
    const app = await server.createApp();
    const line = (tag: string) => octetCounted(`<30>1 ${TIME} box ${tag} 4711 ${tag} - from a container`);
    await sendOverTcp(server.syslogPort, line(app.token), line(app.token), line(`${app.token}/web.1`));
    const lines = await arrived(app, 3);
    expect(lines).toMatchObject([{ dyno: '4711' }, { dyno: '4711' }, { dyno: 'web.1' }]);
    for (const { msgid } of lines) expect(msgid).toBeUndefined();
  });

  it('in the tag or hostname of an old line beside the one that decided', async () => {
    const app = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      `<13>Nov 21 08:00:00 ${other.token} ${app.token}[${other.token}]: m\n`,
      `<13>Nov 21 08:00:00 ${app.token} prog/${other.token}[7]: m\n`,
    );
    expect(await arrived(app, 2)).toMatchObject([
      { hostname: '127.0.0.1', dyno: '-' },
      { hostname: '127.0.0.1', dyno: 'prog/t.****.7' },
    ]);
  });

  it('as the source that a token for any source asks for', async () => {
    const app = await server.createApp();
    const token = await server.addToken(app, '*');
    const line = (source: string) => octetCounted(`<13>1 ${TIME} h ${source} 1 - - m`);
    expect(
      (
        await postLogs(
          server,
          token,
          Buffer.concat([line(other.token), line(`x-${other.token}`), line('nginx')]),
        )
      ).status,
    ).toBe(204);
    expect((await arrived(app, 3)).map(({ source }) => source)).toEqual(['app', 'app', 'nginx']);
  });

  it('in a message is the app’s own text, and stays', async () => {
    const app = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      octetCounted(`<13>1 ${TIME} h ${app.token} web.1 - - the token is ${app.token}`),
    );
    expect((await arrived(app, 1))[0].message).toBe(`the token is ${app.token}`);
  });
});

describe('a character that a header field can’t have', () => {
  const ODD = '\x1b[2J\x00\x07\x08\r\x7f\u009b\u202e\u2066ü';

  it('doesn’t get out, over any source', async () => {
    const app = await server.createApp();
    const out = await everythingOut(app, () =>
      sendEverywhere(app, `h${ODD}`, `web${ODD}.1`, `ID${ODD}`, '-'),
    );
    // Line ends are the formats'. What became a message or a value in structured data is JSON, where these are escaped.
    expect(/[\x00-\x09\x0b-\x1f]/.exec(out)).toBeNull();
    for (const { hostname, dyno, msgid = '' } of await arrived(app, 1))
      expect(hostname + dyno + msgid).toMatch(/^[!-~]+$/);
  });

  it('is found by what its sender calls the dyno', async () => {
    const app = await server.createApp();
    await sendOverTcp(server.syslogPort, octetCounted(`<13>1 ${TIME} h ${app.token} wörker.1 - - m`));
    expect((await arrived(app, 1))[0].dyno).toBe('w?rker.1');
    for (const dyno of ['wörker', 'wörker.1', 'w?rker'])
      expect(await server.readMessages(app, `lines=9&dyno=${encodeURIComponent(dyno)}`)).toEqual(['m']);
  });

  it('fields are no longer than RFC 5424 allows', async () => {
    const app = await server.createApp();
    const long = 'x'.repeat(400);
    await sendOverTcp(
      server.syslogPort,
      octetCounted(`<13>1 ${TIME} ${long} ${app.token} ${long} ${long} - m`),
    );
    await postLogs(server, app.token, JSON.stringify({ msg: 'm', host: long, dyno: long }), {
      'content-type': 'application/json',
    });
    await postOtlp(
      app.token,
      JSON.stringify(otlpRequest({ host: long, instance: long, event: long, key: 'k', value: 'v' })),
      'application/json',
    );
    for (const { hostname, dyno, msgid = '' } of await arrived(app, 3)) {
      expect([hostname.length, dyno.length]).toEqual([255, 128]);
      expect([0, 32]).toContain(msgid.length);
    }
  });
});

describe('a time that no calendar has', () => {
  const IMPOSSIBLE = [
    '2026-11-28T09:20:60Z',
    '2016-12-31T23:59:60Z',
    '2026-11-28T09:20:00+99:99',
    '2026-11-28T09:20:00+24:00',
    '2026-11-28T09:20:00-00:60',
    '2026-02-30T09:20:00Z',
    '2026-04-31T09:20:00Z',
    '2023-02-29T09:20:00Z',
    '2026-11-28T24:00:00Z',
    '2026-11-28T09:60:00Z',
    '2026-13-01T09:20:00Z',
    '2026-00-10T09:20:00Z',
    '0000-01-01T00:00:00Z',
    '2026-11-28T09:20:00.Z',
    '2026-11-28T09:20:00.1234567890Z',
    'not-a-time',
  ];
  const nowish = (lines: readonly Fields[], sinceMs: number): void => {
    for (const { timestamp } of lines) {
      expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
      expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(sinceMs);
      expect(Date.parse(timestamp)).toBeLessThanOrEqual(Date.now());
    }
  };

  it('is replaced by the time of arrival: over syslog, `application/logplex-1` and JSON', async () => {
    const app = await server.createApp();
    const sinceMs = Date.now();
    const frames = IMPOSSIBLE.map((time) => octetCounted(`<14>1 ${time} h ${app.token} web.1 - - m`));
    // A good line first: then the fast path has the token.
    await sendOverTcp(
      server.syslogPort,
      octetCounted(`<14>1 ${TIME} h ${app.token} web.1 - - good`),
      ...frames,
    );
    expect((await postLogs(server, app.token, Buffer.concat(frames))).status).toBe(204);
    const old = [
      'Feb 30 09:20:00',
      'Nov 28 24:00:00',
      'Nov 28 09:20:60',
      'Nov 31 09:20:00',
      '2026-02-30T09:20:00Z',
      '2026-11-28T09:20:60+01:00',
      '2026-11-28T09:20:00+99:99',
    ];
    await sendOverTcp(server.syslogPort, ...old.map((time) => `<13>${time} box ${app.token}: m\n`));
    const records = [
      ...IMPOSSIBLE,
      'Feb 30 2026 10:00',
      '2026-02-30',
      '2026-02-30 10:00',
      99e17,
      '99999999999999999999',
    ].map((time) => ({ msg: 'm', time }));
    expect(
      (await postLogs(server, app.token, JSON.stringify(records), { 'content-type': 'application/json' }))
        .status,
    ).toBe(200);
    const [good, ...lines] = await arrived(app, 1 + frames.length * 2 + old.length + records.length);
    expect(good.timestamp).toBe(TIME);
    nowish(lines, sinceMs);
    // What isn't a time is a field like any other.
    expect(lines.at(-3)?.structured_data).toBe('[json@32473 time="2026-02-30 10:00"]');
  });

  it('is replaced over OTLP', async () => {
    const app = await server.createApp();
    const sinceMs = Date.now();
    for (const time of ['18446744073709551615', '1', '-5', 'x', 1e300]) {
      const logRecords = [{ timeUnixNano: time, body: { stringValue: 'm' } }];
      await postOtlp(
        app.token,
        JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
        'application/json',
      );
    }
    nowish(await arrived(app, 5), sinceMs);
  });
});
