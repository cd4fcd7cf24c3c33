/** What goes over the wire in each format, byte by byte or field by field. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace } from '../../../support/program.ts';
import { startRawReceiver } from '../../../support/receivers/raw-receiver.ts';
import { startTcpReceiver } from '../../../support/receivers/receivers.ts';
import { parseFrames } from '../../../support/senders/frames.ts';
import { octetCounted, postLogs, pushLines, TIME } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const add = async (app: App, url: string, ...flags: string[]) => {
  const added = await runTailrace(['drains:add', url, '-a', app.name, ...flags], { env: server.env });
  expect(added.stderr).toBe('');
};
const LINES = [
  `<190>1 ${TIME} shuttle token web.1 - - hello`,
  `<131>1 ${TIME} db1 token postgres ID47 [m@1 k="v"] Grüße\nzwei`,
];
const push = (app: App) => postLogs(server, app.token, Buffer.concat(LINES.map(octetCounted)));

describe('over HTTP', () => {
  it('rfc5424: strict frames', async () => {
    const app = await server.createApp();
    const receiver = await startRawReceiver();
    await add(app, receiver.url, '--format', 'rfc5424');
    await push(app);
    const [{ body, headers }] = await until(
      'a request',
      () => receiver.requests.length > 0 && receiver.requests,
    );
    expect(parseFrames(body.toString())).toEqual([
      `<190>1 ${TIME} shuttle app web.1 - - hello`,
      `<131>1 ${TIME} db1 app postgres ID47 [m@1 k="v"] Grüße`,
      `<131>1 ${TIME} db1 app postgres ID47 - zwei`,
    ]);
    expect(headers['content-type']).toBe('application/logplex-1');
  });

  it.each(['json', 'webhook'])('%s: every field, compressed when asked', async (format) => {
    const app = await server.createApp();
    const receiver = await startRawReceiver();
    await add(app, receiver.url, '--format', format, '--gzip', '--header', 'X-Team: blue');
    await push(app);
    const [{ body, headers }] = await until(
      'a request',
      () => receiver.requests.length > 0 && receiver.requests,
    );
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'x-team': 'blue', 'logplex-msg-count': '2' });
    const text = gunzipSync(body).toString();
    const lines: unknown =
      format === 'json'
        ? text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line))
        : JSON.parse(text);
    expect(lines).toEqual([
      {
        timestamp: TIME,
        facility: 23,
        severity: 6,
        level: 'info',
        hostname: 'shuttle',
        app: app.name,
        source: 'app',
        dyno: 'web.1',
        message: 'hello',
      },
      {
        timestamp: TIME,
        facility: 16,
        severity: 3,
        level: 'error',
        hostname: 'db1',
        app: app.name,
        source: 'app',
        dyno: 'postgres',
        msgid: 'ID47',
        structured_data: '[m@1 k="v"]',
        message: 'Grüße\nzwei',
      },
    ]);
  });

  it('otlp: records under resources, and a partial success is counted', async () => {
    const app = await server.createApp();
    const answer = JSON.stringify({ partialSuccess: { rejectedLogRecords: '1', errorMessage: 'too old' } });
    const receiver = await startRawReceiver((attempt) => ({
      status: 200,
      body: attempt === 0 ? answer : '{}',
    }));
    await add(app, receiver.origin, '--format', 'otlp');
    await push(app);
    const [{ body, path }] = await until(
      'a request',
      () => receiver.requests.length > 0 && receiver.requests,
    );
    expect(path).toBe('/v1/logs');
    const { resourceLogs } = JSON.parse(body.toString());
    expect(resourceLogs[0].resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: app.name },
    });
    expect(resourceLogs[1].resource.attributes).toContainEqual({
      key: 'service.instance.id',
      value: { stringValue: 'postgres' },
    });
    expect(resourceLogs[1].scopeLogs[0].logRecords[0]).toMatchObject({
      timeUnixNano: '1355108448123456000',
      severityNumber: 17,
      severityText: 'error',
      body: { stringValue: 'Grüße\nzwei' },
      attributes: expect.arrayContaining([{ key: 'syslog.msgid', value: { stringValue: 'ID47' } }]),
    });
    const { delivery } = await until('the count', async () => {
      const [drain] = await server.listDrains(app);
      return drain.delivery.lost > 0 && drain;
    });
    expect(delivery).toMatchObject({ lost: 1, lastError: 'the destination rejected 1 line: too old' });
  });

  it.each([
    [
      'with the names of the .proto file',
      200,
      '{"partial_success":{"rejected_log_records":"1","error_message":"old"}}',
    ],
    [
      'packed, which it wasn’t asked for',
      200,
      gzipSync('{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"old"}}'),
    ],
    ['packed, of a refusal', 400, gzipSync(`no: ${'why '.repeat(1_000)}`)],
  ])('otlp: an answer %s is understood', async (_name, status, body) => {
    const app = await server.createApp();
    const headers: Record<string, string> = typeof body === 'string' ? {} : { 'content-encoding': 'gzip' };
    const receiver = await startRawReceiver((attempt) =>
      attempt === 0 ? { status, body, headers } : { status: 200, body: '{}' },
    );
    await add(app, receiver.origin, '--format', 'otlp');
    await push(app);
    const { delivery } = await until('the count', async () => {
      const [drain] = await server.listDrains(app);
      return drain.delivery.lost > 0 && drain;
    });
    expect(delivery.lastError).toMatch(
      status === 200 ? /rejected 1 line: old$/ : /answered 400: no: why why /,
    );
  });

  it('otlp: an answer that breaks off is none, and a long one is read', async () => {
    const app = await server.createApp();
    const partial = { rejectedLogRecords: 1.5, errorMessage: `\x1b[2J\n${'old '.repeat(10_000)}` };
    const body = JSON.stringify({ partialSuccess: partial });
    const receiver = await startRawReceiver((attempt) =>
      attempt === 0
        ? { status: 200, body, headers: { 'content-length': String(body.length + 1), connection: 'close' } }
        : { status: 200, body: attempt === 1 ? body : '{}' },
    );
    await add(app, receiver.origin, '--format', 'otlp');
    await push(app);
    const { delivery } = await until('the count', async () => {
      const [drain] = await server.listDrains(app);
      return drain.delivery.lost > 0 && drain;
    });
    expect(receiver.requests[1].body).toEqual(receiver.requests[0].body);
    expect(delivery.lost).toBe(2);
    expect(delivery.lastError).toMatch(/^the destination rejected 2 lines: \[2J old old .{400,500}…$/);
  });

  it('loki: a stream for each set of labels, times in nanoseconds', async () => {
    const app = await server.createApp();
    const receiver = await startRawReceiver(() => ({ status: 204 }));
    await add(app, receiver.origin, '--format', 'loki');
    await push(app);
    const [{ body, path }] = await until(
      'a request',
      () => receiver.requests.length > 0 && receiver.requests,
    );
    expect(path).toBe('/loki/api/v1/push');
    const job = { job: 'tailrace', app: app.name, source: 'app' };
    expect(JSON.parse(body.toString())).toEqual({
      streams: [
        { stream: { ...job, dyno: 'web.1', level: 'info' }, values: [['1355108448123456000', 'hello']] },
        {
          stream: { ...job, dyno: 'postgres', level: 'error' },
          values: [['1355108448123456000', 'Grüße\nzwei']],
        },
      ],
    });
  });

  it('elasticsearch: document ids make retries idempotent, and only the documents that were refused are kept', async () => {
    const app = await server.createApp();
    const answers = [
      {
        errors: true,
        items: [{ create: { status: 201 } }, { create: { status: 429, error: { type: 'busy' } } }],
      },
      {
        errors: true,
        items: [
          { create: { status: 409 } },
          { create: { status: 400, error: { type: 'mapper_parsing_exception', reason: 'no' } } },
        ],
      },
    ];
    const receiver = await startRawReceiver((attempt) => ({
      status: 200,
      body: JSON.stringify(answers[attempt] ?? { errors: false, items: [] }),
    }));
    await add(app, receiver.origin, '--format', 'elasticsearch', '--index', 'my-logs');
    await push(app);
    const [first, second] = await until(
      'two requests',
      () => receiver.requests.length > 1 && receiver.requests,
    );
    expect(first.path).toBe('/_bulk');
    expect(second.body.equals(first.body)).toBe(true);
    const [action, document] = first.body
      .toString()
      .split('\n')
      .map((line) => line && JSON.parse(line));
    expect(action).toEqual({ create: { _index: 'my-logs', _id: expect.stringMatching(/^[0-9a-f]{32}-0$/) } });
    expect(document).toMatchObject({ '@timestamp': TIME, message: 'hello', service: { name: app.name } });
    const shown = await until('what was refused', async () => {
      const { stdout } = await runTailrace(['drains:refused', '-a', app.name], { env: server.env });
      return stdout.includes('mapper_parsing') && stdout;
    });
    expect(shown).toContain('1 line at');
    expect(shown).toContain('Grüße');
    expect(shown).not.toContain('hello');
  });
});

describe('over syslog', () => {
  it('strict RFC 5424, octet counted', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    await add(app, receiver.url, '--format', 'rfc5424');
    await push(app);
    await until('both lines', () => receiver.text.endsWith('zwei'));
    expect(receiver.text).toBe(
      `67 <190>1 ${TIME} shuttle app web.1 - - hello` +
        `86 <131>1 ${TIME} db1 app postgres ID47 [m@1 k="v"] Grüße\nzwei`,
    );
  });

  it('newline framing keeps a message of several lines in one', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    await add(app, `${receiver.url}?tailrace-framing=newline`);
    const { token } = (await server.listDrains(app))[0];
    await push(app);
    await until('both lines', () => receiver.text.endsWith('zwei\n'));
    expect(receiver.text).toBe(
      `<190>1 ${TIME} ${token} app web.1 - - hello\n<131>1 ${TIME} ${token} app postgres ID47 [m@1 k="v"] Grüße#012zwei\n`,
    );
  });

  it('JSON lines', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    await add(app, receiver.url, '--format', 'json');
    await pushLines(server, app.token, ['hello']);
    await until('the line', () => receiver.text.endsWith('\n'));
    expect(JSON.parse(receiver.text)).toMatchObject({ message: 'hello', app: app.name, dyno: 'web.1' });
  });
});
