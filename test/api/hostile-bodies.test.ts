/** Requests to the API that are small to send and much work to read: refused in one sentence, before they are parsed or compiled. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type App, type Server, startServer } from '../support/server.ts';
import { until } from '../support/until.ts';

let server: Server;
let app: App;
beforeAll(async () => {
  server = await startServer();
  app = await server.createApp();
});
afterAll(() => server.close());

async function ask(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; message: string }> {
  const answer = await fetch(server.url + path.replace('APP', app.name), {
    method,
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await answer.text();
  return { status: answer.status, message: text.startsWith('{') ? JSON.parse(text).message : '' };
}

const keys = (count: number, value = '"v"'): string =>
  `{${Array.from({ length: count }, (_, i) => `"K${i}":${value}`).join(',')}}`;

describe('what a backup is to go on from', () => {
  const chunk = { path: 'lines/x/1-1.batches', backup: 'y', first: 1, last: 1 };
  const manifest = { program: 'tailrace', version: '1', id: 'y', created_at: '2026-01-01T00:00:00Z' };
  const stream = { id: 'x', name: 'x', first: 1, last: 1, lines: 1, bytes: 1, edition: 0, end: '' };

  it('may be of many lines and apps', async () => {
    const chunks = Array.from({ length: 25_000 }, () => chunk);
    const since = { ...manifest, records: 0, backups: [], files: [], streams: [{ ...stream, chunks }] };
    expect((await ask('POST', '/backups', JSON.stringify({ since }))).status).toBe(200);
  });

  it.each([
    ['nothing', {}],
    ['half of one', manifest],
    ['one with other things in it', { ...manifest, records: 0, backups: [], files: [null], streams: 'x' }],
  ])('is no manifest: %s', async (_name, since) => {
    expect(await ask('POST', '/backups', JSON.stringify({ since }))).toEqual({
      status: 422,
      message: 'Send as `since` the manifest.json of a backup, as it is there.',
    });
  });
});

describe('JSON', () => {
  it.each([
    ['brackets', '['.repeat(1_000_000), 400, 'Bad request: the JSON is nested too deep.'],
    ['objects', '{"a":'.repeat(200_000), 400, 'Bad request: the JSON is nested too deep.'],
    [
      'thirty-three arrays',
      '['.repeat(33) + ']'.repeat(33),
      400,
      'Bad request: the JSON is nested too deep.',
    ],
    ['keys', keys(70_000, '1'), 400, 'Bad request: an object in it has over 5000 keys.'],
    [
      'empty arrays',
      `{"a":[${'[],'.repeat(300_000)}[]]}`,
      413,
      'The JSON has over 20000 objects and arrays.',
    ],
  ])('of %s without end is refused', async (_name, body, status, message) => {
    for (const [method, path] of [
      ['POST', '/apps'],
      ['PATCH', '/apps/APP/config-vars'],
      ['PATCH', '/apps/APP/formation'],
      ['POST', '/apps/APP/log-drains'],
      ['POST', '/apps/APP/log-sessions'],
    ])
      expect(await ask(method, path, body)).toEqual({ status, message });
  });

  it('that is valid is taken as before', async () => {
    expect((await ask('PATCH', '/apps/APP/config-vars', keys(2_000))).status).toBe(200);
    expect((await ask('PATCH', '/apps/APP/config-vars', keys(2_000, 'null'))).status).toBe(200);
    expect((await ask('POST', '/apps/APP/log-sessions', '')).status).toBe(201);
    expect((await ask('POST', '/apps', '{')).status).toBe(400);
  });
});

it('values of another kind, and names that nothing has, are refused in a sentence wherever they stand', async () => {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly items?: Schema;
    readonly required?: readonly string[];
  }
  interface Operation {
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> };
  }
  const { paths } = await server.request<{ paths: Record<string, Record<string, Operation>> }>(
    'GET',
    '/openapi.json',
  );
  const foreign: readonly unknown[] = [
    { toString: 1, valueOf: 1 },
    { name: { toString: 1 }, id: { toString: 1 } },
    'x'.repeat(5_000),
    [null],
  ];
  /** With each of them at each place, and all that is required. */
  const bodies = ({ properties = {}, items, required = [] }: Schema): unknown[] => [
    ...(items ? bodies(items).map((one) => [one]) : []),
    ...Object.entries(properties).flatMap(([name, inner]) =>
      [...foreign, ...bodies(inner)].map((one) => ({
        ...Object.fromEntries(required.map((other) => [other, 'x'])),
        [name]: one,
      })),
    ),
  ];
  const failed: string[] = [];
  let count = 0;
  for (const [path, operations] of Object.entries(paths))
    for (const [method, { requestBody }] of Object.entries(operations)) {
      const schema = requestBody?.content['application/json']?.schema;
      if (!schema || method === 'delete') continue;
      const place = path.replace('{app}', 'APP').replace(/\{\w+\}/g, 'x');
      const asked = bodies(schema).map(async (body) => {
        const { status } = await ask(method.toUpperCase(), place, JSON.stringify(body));
        count++;
        if (status === 500) failed.push(`${method} ${path} ${JSON.stringify(body).slice(0, 100)}`);
      });
      await Promise.all(asked);
    }
  expect(count).toBeGreaterThan(300);
  expect(failed).toEqual([]);
});

it('a token that is longer than any is none', async () => {
  const token = `t.${'a'.repeat(8_000)}`;
  for (const path of ['/logs', '/v1/logs'])
    expect((await ask('POST', path, '{}', { authorization: `Bearer ${token}` })).status).toBe(401);
});

it('a sender that sends all of a body that is too large before it reads gets the answer, and its connection goes on', async () => {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
  onTestFinished(() => void socket.destroy());
  let answers = '';
  socket.on('data', (data) => {
    answers += data;
  });
  socket.on('error', (error) => {
    answers += error;
  });
  const head = `Host: api\r\nAuthorization: Bearer ${server.key}\r\n`;
  const bytes = 16_000_000;
  socket.write(
    `POST /apps HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`,
  );
  // In pieces, each after the one before: it is refused while they come.
  for (let sent = 0; sent < bytes; sent += 1_000_000)
    await new Promise((resolve) => socket.write(Buffer.alloc(1_000_000, ' '), resolve));
  socket.write(`GET /apps/${app.name} HTTP/1.1\r\n${head}\r\n`);
  await until('both answers', () => answers.match(/HTTP\/1\.1/g)?.length === 2);
  expect(answers.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['413', '200']);
});

it.each([
  ['lines', '/logs', 'text/plain', () => `Basic ${btoa(`token:${app.token}`)}`, '204', 1_000_000],
  // A list isn't what this takes.
  ['JSON', '/apps', 'application/json', () => `Bearer ${server.key}`, '422', 100_000],
])(
  'a body of %s in chunks of a byte takes about as much memory as its bytes',
  async (_name, path, type, authorization, status, bytes) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    onTestFinished(() => void socket.destroy());
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
    });
    const { pid } = server.program;
    const residentBytes = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1_024;
    const before = residentBytes();
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: api\r\nAuthorization: ${authorization()}\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n`,
    );
    for (let sent = 0; sent < bytes; sent += 20_000)
      await new Promise((resolve) => socket.write('1\r\n \r\n'.repeat(20_000), resolve));
    // All but the end of it is there. Each chunk on its own would take 110 bytes; 40 are for what V8 hasn't collected yet.
    await until('the server has read it', async () => (await ask('GET', '/apps/APP')).status === 200);
    expect(residentBytes() - before).toBeLessThan(30_000_000 + 40 * bytes);
    socket.write('1\r\n]\r\n0\r\n\r\n');
    await until('an answer', () => answers.includes(`HTTP/1.1 ${status} `));
  },
);

describe('many requests on a connection, without waiting for answers', () => {
  /** A connection, and the statuses and ids of the answers on it. */
  function openConnection() {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    onTestFinished(() => void socket.destroy());
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
    });
    const all = (pattern: RegExp) => (): string[] => answers.match(pattern) ?? [];
    return {
      send: (text: string) => socket.write(text),
      closed: () => socket.closed,
      statuses: all(/(?<=HTTP\/1\.1 )\d+/g),
      ids: all(/(?<=request-id: )\S+/gi),
    };
  }
  const head = (path: string, authorization: string, more = '') =>
    `GET ${path} HTTP/1.1\r\nHost: api\r\nAuthorization: ${authorization}\r\n${more}\r\n`;
  const id = (number: number) => `pipelined-request-${String(number).padStart(6, '0')}`;

  it('are answered one after the other, and what comes in between on others isn’t held up', async () => {
    const own = `Bearer ${server.key}`;
    const { send, statuses, ids } = openConnection();
    const sent = Array.from({ length: 300 }, (_, i) => id(i));
    send(sent.map((name) => head(`/apps/${app.name}`, own, `Request-Id: ${name}\r\n`)).join(''));
    expect((await ask('GET', '/apps/APP')).status).toBe(200);
    await until('all answers', () => statuses().length === sent.length);
    expect(ids()).toEqual(sent);
    expect(new Set(statuses())).toEqual(new Set(['200']));
    // Also behind bodies, and in pieces.
    const body = JSON.stringify({ A: 'x'.repeat(2_000) });
    const patch = `PATCH /apps/${app.name}/config-vars HTTP/1.1\r\nHost: api\r\nAuthorization: ${own}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const bytes = (patch + head(`/apps/${app.name}`, own)).repeat(40);
    for (let at = 0; at < bytes.length; at += 7_001) send(bytes.slice(at, at + 7_001));
    await until('all answers', () => statuses().length === sent.length + 80);
    expect(new Set(statuses())).toEqual(new Set(['200']));
  });

  it.each([
    ['API keys', (n: number) => head('/apps', `Bearer k.${n}`)],
    [
      'tokens',
      (n: number) =>
        `POST /logs HTTP/1.1\r\nHost: api\r\nAuthorization: Basic ${btoa(`token:t.${n}`)}\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n`,
    ],
  ])('that guess %s are answered later and later, and right ones at once', async (_name, guess) => {
    const { send, statuses } = openConnection();
    send(Array.from({ length: 400 }, (_, i) => guess(i)).join(''));
    await until('answers to the first hundred', () => statuses().length >= 100);
    expect((await ask('GET', '/apps/APP')).status).toBe(200);
    const { token } = app;
    const lines = await fetch(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`token:${token}`)}`, 'content-type': 'text/plain' },
      body: 'a line\n',
    });
    expect(lines.status).toBe(204);
    // The other half would take minutes.
    expect(statuses().length).toBeLessThan(300);
    expect(new Set(statuses())).toEqual(new Set(['401']));
  });

  it.each([
    ['no HTTP', '', 'no request\r\n\r\n', ['204', '204', '400']],
    [
      'a body in chunks that are none',
      '',
      'POST /logs HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\nx',
      ['204', '204', '400'],
    ],
    ['more than the last request', 'Connection: close\r\n', 'POST', ['204', '204']],
  ])('are answered before what is wrong behind them: %s', async (name, more, rest, expected) => {
    const { send, statuses, closed } = openConnection();
    // Not for the fast path, which answers one after the other anyway.
    const post = (fields: string) =>
      `POST /logs HTTP/1.1\r\nHost: api\r\nAuthorization: Basic ${btoa(`token:${app.token}`)}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n${fields}\r\n3\r\none\r\n0\r\n\r\n`;
    send(post('') + post(more) + rest);
    await until(`${name} is answered`, closed);
    expect(statuses()).toEqual(expected);
    // Also when something was answered before.
    const again = openConnection();
    again.send(head(`/apps/${app.name}`, `Bearer ${server.key}`));
    await until('an answer', () => again.statuses().length === 1);
    again.send(post(more) + rest);
    await until(`${name} is answered`, again.closed);
    expect(again.statuses()).toEqual(['200', ...expected.slice(1)]);
  });
});

describe('drains', () => {
  const drain = (options: object, url = 'https://127.0.0.1:1/'): string => JSON.stringify({ url, options });

  it.each([
    [
      'a long address',
      drain({}, `https://h/${':'.repeat(90_000)}`),
      'A drain URL may have 8192 characters at the most.',
    ],
    [
      'a pattern that repeats',
      drain({ match: ['(?:a?){1000}'] }),
      'match: "(?:a?){1000}" repeats too much: 500 characters in all, at the most.',
    ],
    [
      'repetitions in repetitions',
      drain({ redact_patterns: ['((x{10}){10}){10}'] }),
      'redact_patterns: "((x{10}){10}){10}" repeats too much: 500 characters in all, at the most.',
    ],
    [
      'many patterns',
      drain({ exclude: Array(10).fill('(?:a?){200}') }),
      'exclude are too many patterns, or too long ones: 2000 characters in all, at the most.',
    ],
    [
      'a long list',
      drain({ sources: 'a,'.repeat(400_000) }),
      'sources has an entry of more than 8192 characters.',
    ],
  ])('with %s are refused', async (_name, body, message) => {
    expect(await ask('POST', '/apps/APP/log-drains', body)).toEqual({ status: 422, message });
  });
});

describe('a header or an address', () => {
  it('is read, or refused, however long it is', async () => {
    const range = (value: string) => ask('GET', '/apps/APP/releases', undefined, { range: value });
    expect((await range(`version ${'.'.repeat(15_000)}`)).status).toBe(416);
    expect((await range(`version${' '.repeat(7_000)}x`)).status).toBe(416);
    expect((await range(`version ..; ${'max=1,'.repeat(2_000)}`)).status).toBe(206);
    expect((await ask('GET', `/apps/APP/logs?since=${'1s'.repeat(5_000)}!`)).status).toBe(422);
    expect((await ask('GET', `/apps/APP/logs?${'a=b&'.repeat(3_900)}`)).status).toBe(422);
  });

  it('a search that repeats too much is refused', async () => {
    const q = encodeURIComponent('/(?:a?){1000}/');
    expect(await ask('GET', `/apps/APP/logs?q=${q}`)).toEqual({
      status: 422,
      message: 'q: /(?:a?){1000}/ at character 1 repeats too much: 500 characters in all, at the most.',
    });
  });
});
