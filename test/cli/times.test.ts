/** One grammar of times and durations, wherever one is asked for: every entry point is tested with the same forms. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../src/common/config/settings.ts';
import { explainDuration, explainTime, parseDuration, parseTime } from '../../src/common/time-expression.ts';
import { parseTailQuery } from '../../src/logs/tails/tail-query.ts';
import { runTailrace } from '../support/program.ts';
import { HttpReceiver } from '../support/receivers/receivers.ts';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../support/server.ts';

const TIMES = [
  '90s',
  '2w',
  '1h30m',
  '-10m',
  '10 min ago',
  '03:00',
  '3:04 pm',
  'yesterday',
  '2026-01-31',
  '2026-01-31 03:00',
  '2026-01-31T03:00:48+01:00',
  '1769860800',
];
const NO_TIMES = ['5', '2012', '25:00', '2026-02-30', '1M', 'soon'];
const DURATIONS = ['90s', '12h', '2w', '1h30m', '1.5d', '2 hours'];
const NO_DURATIONS = ['5', '1M', '03:00', 'soon'];

/** From asking to reading the clock, on a busy machine; the forms are further apart. */
const TOLERANCE_MS = 60_000;

/** What a form was parsed as, milliseconds, or the error. */
type Reading = { readonly ms: number } | { readonly accepted: true } | { readonly refused: string };
type EntryPoint = (form: string) => Promise<Reading>;

let server: Server;
let app: App;
let drainPath: string;
const receiver = new HttpReceiver();
/** A server that rejects every tail, and records its URL. */
const requested: URL[] = [];
const recorder = createServer((_request, response) => response.writeHead(404).end('{}'));

beforeAll(async () => {
  server = await startServer();
  app = await server.createApp('clock');
  await receiver.listen();
  const { id } = await server.createDrain(app, receiver.url);
  drainPath = `/apps/clock/log-drains/${id}`;
  await pushLines(server, app.token, numberedMessages(3));
  recorder.on('upgrade', ({ url = '' }, socket) => {
    requested.push(new URL(url, 'http://recorder'));
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
  });
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  recorder.close();
  await server?.close();
  await receiver.close();
});

async function callApi(method: string, path: string, body?: unknown): Promise<Reading> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) {
    await response.text();
    return { accepted: true };
  }
  expect(response.status).toBe(422);
  const { message } = (await response.json()) as { message: string };
  return { refused: message };
}

/** The parameter that `tailrace logs` sends, as the server parses it. */
async function requestedByLogs(name: 'since' | 'until', form: string): Promise<Reading> {
  requested.length = 0;
  const { port } = recorder.address() as AddressInfo;
  const env = { TAILRACE_URL: `http://127.0.0.1:${port}`, TAILRACE_API_KEY: 'k.x' };
  const { stderr } = await runTailrace(['logs', '-a', 'clock', `--${name}`, form], { env });
  if (requested.length === 0) return { refused: stderr };
  const query = parseTailQuery(Object.fromEntries(requested[0].searchParams), { tail: false });
  return { ms: (name === 'since' ? query.sinceMs : query.untilMs) ?? Number.NaN };
}

const TIME_ENTRY_POINTS: Record<string, EntryPoint> = {
  'logs --since': (form) => requestedByLogs('since', form),
  'logs --until': (form) => requestedByLogs('until', form),
  'drains:replay --since': async (form) => {
    const args = ['drains:replay', '--since', form, '-a', 'clock'];
    const { stdout, stderr } = await runTailrace(args, { env: server.env });
    const since = /since (\S+Z) to /.exec(stdout)?.[1];
    return since === undefined ? { refused: stderr } : { ms: Date.parse(since) };
  },
  'GET /apps/…/logs?since=': (form) => callApi('GET', `/apps/clock/logs?since=${encodeURIComponent(form)}`),
  'GET /apps/…/logs?until=': (form) => callApi('GET', `/apps/clock/logs?until=${encodeURIComponent(form)}`),
  'POST …/log-sessions': (form) => callApi('POST', '/apps/clock/log-sessions', { since: form }),
  'POST …/actions/replay': (form) => callApi('POST', `${drainPath}/actions/replay`, { since: form }),
};

const DURATION_ENTRY_POINTS: Record<string, EntryPoint> = {
  TAILRACE_STREAM_AGE: async (form) => {
    try {
      const defaults = { data: '/data', allowPrivateDrains: 'no', dynoMemory: 'none' } as const;
      return { ms: readSettings({ TAILRACE_STREAM_AGE: form }, defaults).streamAgeMs };
    } catch (error) {
      return { refused: String(error) };
    }
  },
  'authorizations:create --expires-in': async (form) => {
    const args = ['authorizations:create', '--expires-in', form, '--json'];
    const { status, stdout, stderr } = await runTailrace(args, { env: server.env });
    if (status !== 0) return { refused: stderr };
    const key = JSON.parse(stdout) as { access_token: { expires_in: number } };
    return { ms: key.access_token.expires_in * 1_000 };
  },
};

function expectSame(reading: Reading, expectedMs: number | undefined, form: string): void {
  if ('accepted' in reading) return;
  expect(reading, form).toHaveProperty('ms');
  if ('ms' in reading) expect(Math.abs(reading.ms - (expectedMs ?? 0)), form).toBeLessThan(TOLERANCE_MS);
}

describe.each(Object.entries(TIME_ENTRY_POINTS))('%s', (_name, read) => {
  it('accepts every form of a time', async () => {
    for (const form of TIMES) {
      const reading = await read(form);
      expect(reading, form).not.toHaveProperty('refused');
      expectSame(reading, parseTime(form, Date.now()), form);
    }
  });

  it('rejects anything else with the same sentence', async () => {
    for (const form of NO_TIMES)
      expect(await read(form), form).toMatchObject({ refused: expect.stringContaining(explainTime(form)) });
  });
});

describe.each(Object.entries(DURATION_ENTRY_POINTS))('%s', (_name, read) => {
  it('accepts every form of a duration', async () => {
    for (const form of DURATIONS) {
      const reading = await read(form);
      expect(reading, form).not.toHaveProperty('refused');
      expectSame(reading, parseDuration(form), form);
    }
  });

  it('rejects anything else with the same sentence', async () => {
    for (const form of NO_DURATIONS)
      expect(await read(form), form).toMatchObject({
        refused: expect.stringContaining(explainDuration(form)),
      });
  });
});

it('since and until select the lines that came in between', async () => {
  expect(await server.readMessages(app, 'since=10%20min%20ago')).toEqual(numberedMessages(3));
  expect(await server.readMessages(app, 'since=now')).toEqual([]);
  expect(await server.readMessages(app, 'until=yesterday')).toEqual([]);
});

it('ship --wait accepts a duration', async () => {
  const args = ['ship', '-a', 'clock', '--wait', '1h', '--', 'true'];
  expect((await runTailrace(args, { env: server.env })).stderr).toContain(
    '--wait 1h must be 60s at the most',
  );
  args[4] = '5';
  expect((await runTailrace(args, { env: server.env })).stderr).toContain(explainDuration('5'));
  args[4] = '0.1s';
  expect(await runTailrace(args, { env: server.env })).toMatchObject({ status: 0 });
});

it('an API key’s expires_in is Heroku’s number of seconds, or a duration', async () => {
  const expiresIn = async (given: unknown): Promise<number> => {
    const body = { expires_in: given };
    const key = await server.request<{ access_token: { expires_in: number } }>(
      'POST',
      '/oauth/authorizations',
      body,
    );
    return key.access_token.expires_in;
  };
  expect(await expiresIn(3_600)).toBe(3_600);
  expect(await expiresIn('3600')).toBe(3_600);
  expect(await expiresIn('1h30m')).toBe(5_400);
});
