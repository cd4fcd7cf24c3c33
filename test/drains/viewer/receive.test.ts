/** Lines come into the viewer by every way that the log router has, once, into the stream of their sender. */
import { createSocket } from 'node:dgram';
import { rmSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CertificateAuthority } from '../../support/senders/certificate-authority.ts';
import {
  basicAuth,
  logplexBody,
  octetCounted,
  pushLines,
  sendOverTcp,
  TIME,
} from '../../support/senders/send-lines.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  type SearchPage,
  startViewer,
  startViewerForTest,
  VIEWER_KEY,
  type Viewer,
  type ViewerGroup,
} from '../../support/viewer/viewer.ts';

let viewer: Viewer;
beforeAll(async () => {
  viewer = await startViewer();
});
afterAll(async () => {
  await viewer?.kill();
  rmSync(viewer.data, { recursive: true, force: true });
});

/** A shipment as Heroku's drains send it: no structured data, `host` as the host. */
function herokuShipment(...messages: string[]): Buffer {
  return Buffer.concat(
    messages.map((text) => octetCounted(`<190>1 2026-11-28T12:00:00+00:00 host app web.1 - ${text}\n`)),
  );
}

async function post(
  token: string,
  body: Buffer | string,
  headers: Record<string, string>,
  path = '/logs',
): Promise<number> {
  const response = await fetch(viewer.url + path, {
    method: 'POST',
    headers: { authorization: basicAuth(token), 'content-type': 'application/logplex-1', ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });
  return response.status;
}

async function streamsOf(group: ViewerGroup): Promise<Record<string, string[]>> {
  const { streams } = (await viewer.groups()).find(({ id }) => id === group.id)!;
  const found = await Promise.all(
    streams.map(async ({ id, name }) => [name, await viewer.messages(`stream=${id}`)] as const),
  );
  return Object.fromEntries(found);
}

describe('with the token of a stream', () => {
  it('logplex-1 of log-shuttle and of drains, NDJSON, text, OTLP and syslog', async () => {
    const group = await viewer.createGroup('ways in');
    const { id, token, drain_url } = await viewer.createStream(group, 'all');
    const url = new URL(drain_url);
    expect([url.username, url.password, url.pathname]).toEqual(['token', token, '/logs']);
    await pushLines(viewer, token, ['of log-shuttle']);
    expect(await post(token, herokuShipment('of a drain'), { 'logplex-drain-token': 'd.1' })).toBe(204);
    expect(
      await post(token, '{"message":"of NDJSON","status":500}\n', { 'content-type': 'application/x-ndjson' }),
    ).toBe(204);
    expect(
      await post(token, 'of text\n', { 'content-type': 'text/plain', authorization: `Bearer ${token}` }),
    ).toBe(204);
    const otlp = {
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] },
          scopeLogs: [{ logRecords: [{ severityNumber: 17, body: { stringValue: 'of OTLP' } }] }],
        },
      ],
    };
    expect(await post(token, JSON.stringify(otlp), { 'content-type': 'application/json' }, '/v1/logs')).toBe(
      200,
    );
    await sendOverTcp(
      viewer.syslogPort,
      octetCounted(`<11>1 ${TIME} db-1 ${token} cron - - of syslog over TCP`),
    );
    const udp = createSocket('udp4');
    udp.send(
      `<11>1 ${TIME} db-1 postgres 7 - [tailrace@32473 token="${token}"] of syslog over UDP`,
      viewer.syslogPort,
      '127.0.0.1',
      () => udp.close(),
    );
    const messages = await until('all lines', async () => {
      const found = await viewer.messages(`stream=${id}`);
      return found.length === 7 ? found.sort() : undefined;
    });
    expect(messages).toEqual([
      'of NDJSON',
      'of OTLP',
      'of a drain',
      'of log-shuttle',
      'of syslog over TCP',
      'of syslog over UDP',
      'of text',
    ]);
    const { lines } = await viewer.search(`stream=${id}&q=source:checkout`);
    expect(lines).toMatchObject([{ message: 'of OTLP', level: 'error' }]);
    expect((await viewer.search(`stream=${id}&q=sender:db-1`)).lines).toHaveLength(2);
    expect((await viewer.search(`stream=${id}&q=status:500`)).lines).toHaveLength(1);
    expect(
      (await viewer.search(`stream=${id}&q=source:app`)).lines.map(({ message }) => message).sort(),
    ).toEqual(expect.arrayContaining(['of NDJSON', 'of a drain', 'of text']));
    expect(JSON.stringify(await viewer.search(`stream=${id}`))).not.toContain(token);
  });

  it('a shipment that is sent again is stored once, also with another one between, and after kill -9', async () => {
    const group = await viewer.createGroup('once');
    const { id, token } = await viewer.createStream(group, 'drain');
    const send = (frame: string, text: string): Promise<number> =>
      post(token, herokuShipment(text), { 'logplex-frame-id': frame, 'logplex-drain-token': 'd.2' });
    for (const [frame, text] of [
      ['f1', 'one'],
      ['f1', 'one'],
      ['f2', 'two'],
      ['f1', 'one'],
    ])
      expect(await send(frame, text)).toBe(204);
    await viewer.kill();
    const { data } = viewer;
    viewer = await startViewer({ data });
    expect(await send('f2', 'two')).toBe(204);
    expect(await viewer.messages(`stream=${id}`)).toEqual(['one', 'two']);
  });

  it('an unknown token, an unknown key and none at all are refused, and so is what is no line', async () => {
    const stranger = 't.00000000-0000-0000-0000-000000000000';
    expect(await post(stranger, herokuShipment('no'), {})).toBe(401);
    expect(await post(stranger, herokuShipment('no'), { authorization: 'Bearer nothing' })).toBe(401);
    expect((await fetch(`${viewer.url}/logs`, { method: 'POST' })).status).toBe(401);
    const [{ token }] = await viewer.groups();
    expect(await post(token, 'not octet-counted', { 'logplex-msg-count': '1' })).toBe(400);
    expect(await post(token, '', { 'content-type': 'image/png' })).toBe(415);
  });
});

it('without a token: by a rule of a stream, with the names of programs, until the stream is removed', async () => {
  const group = await viewer.createGroup('rules');
  const { id } = await viewer.createStream(group, 'routers');
  const rule = (body: object) => viewer.fetch('POST', `/api/streams/${id}/rules`, body);
  const made = await rule({ hostname: 'router-1' });
  expect([made.status, await made.json()]).toMatchObject([201, { hostname: 'router-1' }]);
  expect((await rule({ hostname: 'router-1' })).status).toBe(409);
  for (const body of [{}, { network: 'x' }, { port: 'x' }, { source: 'x' }])
    expect((await rule(body)).status).toBe(422);
  const lines = [
    '<13>Nov 28 12:00:00 router-1 sshd[7]: let in',
    '<13>Nov 28 12:00:01 router-2 sshd[7]: nobody knows',
  ];
  await sendOverTcp(viewer.syslogPort, lines.map((line) => `${line}\n`).join(''));
  const found = await until('the line', async () => {
    const page = await viewer.search(`stream=${id}`);
    return page.lines.length > 0 ? page.lines : undefined;
  });
  expect(found).toMatchObject([{ message: 'let in', source: 'sshd', dyno: '7', hostname: 'router-1' }]);
  await viewer.request('DELETE', `/api/streams/${id}`);
  const other = await viewer.createStream(group, 'others');
  const again = await viewer.fetch('POST', `/api/streams/${other.id}/rules`, { hostname: 'router-1' });
  expect(again.status).toBe(201);
});

describe('with the token of a group', () => {
  it('drains are told apart by their tokens and named by what is known; one that is named has its name', async () => {
    const group = await viewer.createGroup('shared');
    const ship = (drain: string, text: string, path?: string): Promise<number> =>
      post(group.token, herokuShipment(text), { 'logplex-drain-token': drain }, path);
    // Many at once: one stream each all the same.
    const sent = await Promise.all(
      ['a', 'b', 'a', 'b', 'a'].map((app, i) => ship(`d.${app.repeat(8)}-0000`, `${app}${i}`)),
    );
    expect(sent).toEqual([204, 204, 204, 204, 204]);
    expect(await ship('d.cccccccc-0000', 'c0', '/logs?stream=shop')).toBe(204);
    expect(await ship('d.dddddddd-0000', 'c1', '/logs?stream=shop')).toBe(204);
    expect(await post(group.token, herokuShipment('nameless'), {})).toBe(204);
    const streams = await streamsOf(group);
    expect(Object.keys(streams)).toEqual(['drain aaaaaaaa', 'drain bbbbbbbb', 'shared', 'shop']);
    expect(streams['drain aaaaaaaa'].sort()).toEqual(['a0', 'a2', 'a4']);
    expect(streams['drain bbbbbbbb'].sort()).toEqual(['b1', 'b3']);
    expect(streams.shop).toEqual(['c0', 'c1']);
    expect(streams.shared).toEqual(['nameless']);
    // A new name stays, whatever its sender says.
    const { id } = (await viewer.groups()).find((one) => one.id === group.id)!.streams[0];
    await viewer.request('PATCH', `/api/streams/${id}`, { name: 'checkout' });
    expect(await ship('d.aaaaaaaa-0000', 'a5')).toBe(204);
    expect((await streamsOf(group)).checkout).toContain('a5');
  });

  it('a name that can’t be one is refused with what to write', async () => {
    const group = await viewer.createGroup('names');
    expect(
      await post(group.token, herokuShipment('x'), {}, `/logs?stream=${encodeURIComponent('a\u0007b')}`),
    ).toBe(422);
    expect(await streamsOf(group)).toEqual({});
  });

  it('a renewed token is the only one from then on', async () => {
    const group = await viewer.createGroup('renewed');
    const { token } = await viewer.request<ViewerGroup>('PATCH', `/api/groups/${group.id}`, {
      renew_token: true,
    });
    expect(await post(group.token, herokuShipment('x'), {})).toBe(401);
    expect(await post(token, herokuShipment('x'), {})).toBe(204);
  });
});

it('a Tailrace server’s drain delivers an app’s lines, each once, in order', async () => {
  const group = await viewer.createGroup('tailrace');
  const server = await startServerForTest();
  const app = await server.createApp();
  const url = new URL(`${viewer.url}/logs?stream=${app.name}`);
  url.username = 'token';
  url.password = group.token;
  await server.createDrain(app, url.href);
  await pushLines(server, app.token, ['one', 'two', 'three']);
  const streams = await until('the lines', async () => {
    const found = await streamsOf(group);
    return found[app.name]?.length === 3 ? found : undefined;
  });
  expect(streams).toEqual({ [app.name]: ['one', 'two', 'three'] });
});

it('speaks TLS itself, also on connections that the fast path begins; its cookie is for TLS alone', async () => {
  const data = dataFolderForTest();
  const authority = new CertificateAuthority(data);
  const { certFile, keyFile } = authority.issue('DNS:localhost,IP:127.0.0.1');
  const secure = await startViewerForTest({
    data: `${data}/viewer`,
    env: {
      VIEWER_TLS_CERT: certFile,
      VIEWER_TLS_KEY: keyFile,
      VIEWER_API_KEY: '',
      VIEWER_TOKEN: 't.a-token-of-the-first-group',
    },
  });
  expect(secure.url).toMatch(/^https:/);
  const agent = new Agent({ connect: { ca: authority.cert } });
  onTestFinished(() => agent.close());
  const ask = (method: 'POST' | 'GET', path: string, body?: string | Buffer, headers = {}) =>
    request(secure.url + path, { method, body, headers, dispatcher: agent });
  const shipment = {
    authorization: basicAuth('t.a-token-of-the-first-group'),
    'content-type': 'application/logplex-1',
  };
  // The first two are read past Node's server, on one connection; the third is given to it.
  for (const headers of [{}, {}, { 'logplex-drain-token': 'd.1' }])
    expect(
      (await ask('POST', '/logs', logplexBody(['over TLS']), { ...shipment, ...headers })).statusCode,
    ).toBe(204);
  const port = Number(/over TLS on (\d+)/.exec(secure.program.stdout)?.[1]);
  const syslog = connectTls({ port, host: '127.0.0.1', ca: authority.cert });
  await new Promise((resolve) =>
    syslog.end(octetCounted(`<11>1 ${TIME} h t.a-token-of-the-first-group a - - over TLS`), () =>
      resolve(undefined),
    ),
  );
  const person = { token: secure.firstRunToken, email: 'ada@example.com', password: 'correct horse battery' };
  const signedIn = await ask('POST', '/api/first-run', JSON.stringify(person), {
    'content-type': 'application/json',
  });
  const cookie = String(signedIn.headers['set-cookie']);
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  const lines = await until('four lines', async () => {
    const found = await ask('GET', '/api/search', undefined, { cookie: cookie.split(';')[0] });
    const page = (await found.body.json()) as SearchPage;
    return page.lines.length === 4 ? page.lines : undefined;
  });
  expect(lines.every(({ message }) => message.endsWith('over TLS'))).toBe(true);
});

it('behind a proxy that is believed, the sender’s address and TLS are what it says; else they are what they are', async () => {
  const open = (trust: string) =>
    startViewerForTest({
      env: { VIEWER_API_KEY: '', VIEWER_TOKEN: 't.a-token-of-the-first-group', VIEWER_TRUST_PROXY: trust },
    });
  for (const [trust, host, secure] of [
    ['yes', '198.51.100.7', true],
    ['loopback, 198.51.100.0/24', '203.0.113.1', true],
    ['no', '127.0.0.1', false],
    ['10.0.0.0/8', '127.0.0.1', false],
  ] as const) {
    const behind = await open(trust);
    const forwarded = { 'x-forwarded-for': '203.0.113.1, 198.51.100.7', 'x-forwarded-proto': 'https' };
    const login = {
      token: behind.firstRunToken,
      email: 'ada@example.com',
      password: 'correct horse battery',
    };
    const signedIn = await behind.fetch('POST', '/api/first-run', login, forwarded);
    const cookie = signedIn.headers.get('set-cookie') ?? '';
    expect(cookie.includes('Secure')).toBe(secure);
    const headers = {
      ...forwarded,
      authorization: basicAuth('t.a-token-of-the-first-group'),
      'content-type': 'text/plain',
    };
    // Past Node's HTTP server, and through it.
    for (const way of [{}, { 'sec-fetch-mode': 'cors' }]) {
      const sent = await request(`${behind.url}/logs`, {
        method: 'POST',
        headers: { ...headers, ...way },
        body: 'from somewhere',
      });
      expect(sent.statusCode).toBe(204);
    }
    const { lines } = await behind.request<SearchPage>('GET', '/api/search', undefined, {
      cookie: cookie.split(';')[0],
    });
    expect(lines.map(({ hostname }) => hostname)).toEqual([host, host]);
  }
});

it('its own events are in no stream', async () => {
  const before = await viewer.messages('q=');
  await viewer.fetch('GET', '/api/status');
  await fetch(`${viewer.url}/api/nothing`, { headers: { authorization: `Bearer ${VIEWER_KEY}` } });
  expect(await viewer.messages('q=')).toEqual(before);
});
