/** Alerts of a real viewer: to a web server and an SMTP server, over kills. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Program } from '../../../support/program.ts';
import { HttpReceiver } from '../../../support/receivers/receivers.ts';
import { until } from '../../../support/until.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', '..', 'dist', 'drains', 'viewer', 'main.js');
const KEY = 'a-key-of-the-test-that-may-do-all';
const TOKEN = 't.0123456789abcdef0123';

interface Notification {
  readonly id: string;
  readonly kind: string;
  readonly alert: { readonly id: string };
  readonly count: number;
  readonly value?: string;
  readonly url: string;
  readonly lines: readonly { readonly position: string; readonly message: string; readonly url: string }[];
}

interface EventView extends Notification {
  readonly deliveries: readonly {
    readonly destination: string;
    readonly state: string;
    readonly error?: string;
    readonly attempts: number;
  }[];
  readonly muted: boolean;
}

interface AlertView {
  readonly id: string;
  readonly destinations: readonly { readonly id: string; readonly url?: string }[];
}

const folder = mkdtempSync(join(tmpdir(), 'viewer-alerts-'));
const receiver = new HttpReceiver();
const mails: string[] = [];
const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onAuth: ({ username, password }, _session, callback) =>
    username === 'viewer' && password === 'p@ss'
      ? callback(null, { user: 'viewer' })
      : callback(new Error('no')),
  onData: (stream, _session, callback) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('end', () => {
      mails.push(text);
      callback();
    });
  },
});
let viewer: Program;
let url = '';

async function start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const { port } = smtp.server.address() as { port: number };
  viewer = new Program(process.execPath, [MAIN], {
    env: {
      VIEWER_DATA: join(folder, 'data'),
      VIEWER_HTTP_PORT: '0',
      VIEWER_SYSLOG_PORT: '0',
      VIEWER_API_KEY: KEY,
      VIEWER_TOKEN: TOKEN,
      VIEWER_SMTP_URL: `smtp://viewer:p%40ss@127.0.0.1:${port}`,
      VIEWER_SMTP_FROM: 'Logs <logs@example.com>',
      VIEWER_ALLOW_PRIVATE_WEBHOOKS: 'yes',
      ...environment,
    },
  });
  [, url] = await viewer.waitForOutput(/listening on (http:\/\/[^,\s]+)/);
}

async function kill(): Promise<void> {
  viewer.child.kill('SIGKILL');
  await viewer.exited;
}

async function call<T>(
  method: string,
  path: string,
  body?: object,
  key = KEY,
): Promise<{ status: number; body: T }> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

/** Sends lines in one request, which is answered when they are stored. */
async function send(
  messages: readonly string[],
  { stream = 'shop', frameId = randomUUID() } = {},
): Promise<number> {
  const frames = messages.map((message) => {
    const frame = `<190>1 2026-01-31T12:00:00Z host ${TOKEN} web.1 - - ${message}`;
    return `${Buffer.byteLength(frame)} ${frame}`;
  });
  const response = await fetch(`${url}/logs?stream=${stream}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`token:${TOKEN}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
      'logplex-msg-count': String(messages.length),
      'logplex-frame-id': frameId,
    },
    body: frames.join(''),
  });
  await response.text();
  return response.status;
}

async function addAlert(name: string, q: string, alert: object): Promise<AlertView> {
  const [group] = (await call<{ id: string }[]>('GET', '/api/groups')).body;
  const search = await call<{ id: string }>('POST', '/api/searches', { name, group: group.id, q });
  expect(search.status).toBe(201);
  const added = await call<AlertView>('POST', '/api/alerts', {
    search: search.body.id,
    cooldown_minutes: 0,
    ...alert,
  });
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  return added.body;
}

const webhook = (path: string, form = 'json'): object => ({
  kind: 'webhook',
  form,
  url: `http://127.0.0.1:${receiver.port}/${path}`,
});
const posted = (path: string): Notification[] =>
  receiver.requests
    .filter((one) => one.path === `/${path}` && one.status === 200)
    .map(({ body }) => JSON.parse(body) as Notification);
const events = async (alert: string): Promise<EventView[]> =>
  (await call<EventView[]>('GET', `/api/alert-events?alert=${alert}`)).body;

beforeAll(async () => {
  await receiver.listen();
  smtp.on('error', () => {});
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  await start();
});

afterAll(async () => {
  await kill();
  await receiver.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  rmSync(folder, { recursive: true, force: true });
});

describe('an alert', () => {
  it('tells a web server and a mailbox, with lines and links', async () => {
    const alert = await addAlert('Declined', 'payment declined', {
      condition: { kind: 'at-least', count: 2, minutes: 5 },
      destinations: [webhook('declined'), { kind: 'email', to: ['ops@example.com'] }],
    });
    // What comes in a stream that isn't there yet is counted from its first line on.
    await send(['payment declined: card 1', 'all is well']);
    expect(await events(alert.id)).toEqual([]);
    await send(['payment DECLINED: card 2'], { stream: 'blog' });
    const [told] = await until('the notification', () => posted('declined').length > 0 && posted('declined'));
    expect(told).toMatchObject({ kind: 'fired', count: 2, alert: { id: alert.id } });
    expect(told.lines.map(({ message }) => message).sort()).toEqual([
      'payment DECLINED: card 2',
      'payment declined: card 1',
    ]);
    expect(told.url).toContain(`${url}/?group=`);
    expect(receiver.requests[0].headers['idempotency-key']).toMatch(new RegExp(`^${told.id}\\.`));
    const mail = await until('the mail', () => mails[0]);
    expect(mail).toMatch(/^From: Logs <logs@example.com>\r$/m);
    expect(mail).toMatch(/^To: ops@example.com\r$/m);
    expect(mail).toMatch(/^Subject: 2 matches: Declined\r$/m);
    expect(mail).toContain('payment declined: card 1');
    const [event] = await until('the history', async () => {
      const all = await events(alert.id);
      return all.length > 0 && all[0].deliveries.every(({ state }) => state === 'sent') && all;
    });
    expect(event.id).toBe(told.id);
  });

  it('is tested by a button, and says how it went', async () => {
    const alert = await addAlert('Button', 'never', {
      condition: { kind: 'none', minutes: 60 },
      destinations: [
        webhook('button', 'slack'),
        { kind: 'webhook', url: 'http://127.0.0.1:1/nobody' },
        { kind: 'email', to: ['ops@example.com'] },
      ],
    });
    const tested = await call<EventView>('POST', `/api/alerts/${alert.id}/test`);
    expect(tested.status).toBe(200);
    expect(tested.body.deliveries.map(({ state }) => state)).toEqual(['sent', 'failed', 'sent']);
    expect(tested.body.deliveries[1].error).toMatch(/ECONNREFUSED/);
    expect(receiver.requests.at(-1)?.body).toContain('This is a test of the alert');
    expect((await call('POST', `/api/alerts/${alert.id}/test`)).status).toBe(429);
    expect((await events(alert.id)).map(({ kind }) => kind)).toEqual(['test']);
  });

  it('is sent once to a receiver that accepts it and answers slowly, and again to one that was busy when that wants it', async () => {
    const keys: string[] = [];
    const times: number[] = [];
    const slow = createServer((request, response) => {
      keys.push(`${request.url} ${String(request.headers['idempotency-key'])}`);
      times.push(performance.now());
      request.resume();
      if (request.url === '/busy' && keys.filter((key) => key.startsWith('/busy')).length === 1) {
        response.writeHead(429, { 'retry-after': '3' }).end('later');
        return;
      }
      // The rest never comes.
      response.writeHead(200, { 'content-type': 'text/plain' }).write('ok');
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      slow.closeAllConnections();
      slow.close();
    });
    const { port } = slow.address() as AddressInfo;
    const to = (path: string): object => ({ kind: 'webhook', url: `http://127.0.0.1:${port}/${path}` });
    const alert = await addAlert('slow', 'slowword', {
      condition: { kind: 'at-least', count: 1, minutes: 5 },
      destinations: [to('open'), to('busy')],
    });
    await send(['a slowword']);
    await until('both deliveries', async () => {
      const [event] = await events(alert.id);
      return event?.deliveries.every(({ state }) => state === 'sent');
    });
    expect(keys.filter((key) => key.startsWith('/open'))).toHaveLength(1);
    const busy = keys.flatMap((key, i) => (key.startsWith('/busy') ? [i] : []));
    expect(new Set(busy.map((i) => keys[i])).size).toBe(1);
    expect(times[busy[1]] - times[busy[0]]).toBeGreaterThan(2_900);
  });

  it('shows nobody the secrets that a receiver repeats in its answer', async () => {
    const echo = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        const said = body.includes('routing_key')
          ? body
          : `${request.url} ${request.headers.authorization ?? ''}`;
        // As Express says it.
        response.writeHead(404).end(`Cannot POST ${said} ${decodeURI(said)}`);
      });
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void echo.close());
    const { port } = echo.address() as AddressInfo;
    const base = `http://127.0.0.1:${port}`;
    const alert = await addAlert('echo', 'never', {
      condition: { kind: 'at-least', count: 1, minutes: 5 },
      destinations: [
        {
          kind: 'webhook',
          form: 'slack',
          url: `${base}/services/T00SECRET/B00SECRET/x%C3%A9SECRET?token=SECRETq`,
        },
        { kind: 'webhook', url: `${base.replace('//', '//SECRETuser:SECRETpass@')}/hook` },
        { kind: 'webhook', form: 'ntfy', url: `${base}/SECRETtopic` },
        { kind: 'pagerduty', routing_key: 'SECRETkey0123456', url: `${base}/v2/enqueue` },
        { kind: 'webhook', url: `${base}/${'SECRET'.repeat(1_000)}` },
      ],
    });
    const { body } = await call<EventView>('POST', `/api/alerts/${alert.id}/test`);
    for (const { error } of body.deliveries) {
      expect(error).toMatch(/^127\.0\.0\.1:\d+ answered 404/);
      expect(error).not.toMatch(/SECRET/);
      expect(error).not.toContain(Buffer.from('SECRETuser:SECRETpass').toString('base64'));
    }
    expect(body.deliveries[0].error).toContain('Cannot POST ****');
    expect(JSON.stringify(await events(alert.id)) + viewer.stdout + viewer.stderr).not.toMatch(/SECRET/);
  });

  it('of a group that is removed says so, and looks at no line', async () => {
    const group = (await call<{ id: string }>('POST', '/api/groups', { name: 'leaving' })).body;
    const search = await call<{ id: string }>('POST', '/api/searches', {
      name: 'left',
      group: group.id,
      q: 'x',
    });
    const added = await call<{ id: string; problem: string | null }>('POST', '/api/alerts', {
      search: search.body.id,
      condition: { kind: 'none', minutes: 1 },
    });
    expect(added.body.problem).toBeNull();
    expect((await call('DELETE', `/api/groups/${group.id}`)).status).toBe(204);
    const { body } = await call<{ problem: string }>('GET', `/api/alerts/${added.body.id}`);
    expect(body.problem).toMatch(/was removed, so no line is looked at/);
    expect((await call('DELETE', `/api/alerts/${added.body.id}`)).status).toBe(204);
    expect((await call('DELETE', `/api/searches/${search.body.id}`)).status).toBe(204);
  });

  it('groups by a field, is muted, is changed, and is removed with what it counted', async () => {
    const alert = await addAlert('By user', 'login failed', {
      condition: { kind: 'at-least', count: 2, minutes: 5 },
      group_by: 'user.id',
      destinations: [webhook('grouped')],
    });
    await send([
      'login failed user.id=7',
      'login failed user.id=8',
      '{"msg":"login failed","user":{"id":7}}',
    ]);
    const [told] = await until('the notification', () => posted('grouped').length > 0 && posted('grouped'));
    expect(told).toMatchObject({ value: '7', count: 2 });
    const muted = await call('PATCH', `/api/alerts/${alert.id}`, {
      muted_until: new Date(Date.now() + 3_600_000).toISOString(),
    });
    expect(muted.status).toBe(200);
    await send(['login failed user.id=8']);
    const event = await until('the event', async () =>
      (await events(alert.id)).find(({ value }) => value === '8'),
    );
    expect(event).toMatchObject({ muted: true, deliveries: [], count: 2 });
    expect(posted('grouped')).toHaveLength(1);
    expect((await call('DELETE', `/api/alerts/${alert.id}`)).status).toBe(204);
    expect((await call('GET', `/api/alerts/${alert.id}`)).status).toBe(404);
    await send(['login failed user.id=7', 'login failed user.id=7']);
  });

  it('on new patterns tells of each kind of message once', async () => {
    await addAlert('New', '"job"', {
      condition: { kind: 'new-pattern', days: 7, learn_minutes: 0 },
      destinations: [webhook('new')],
    });
    await send([
      'job 1 done in 5 ms',
      'job 2 done in 7 ms',
      'job 3 crashed: out of memory',
      'something else',
    ]);
    const told = await until('both patterns', () => posted('new').length > 0 && posted('new'));
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(2);
  });

  it('is for members to change, for readers to read, and its addresses are shown to nobody', async () => {
    const { key: reader } = (
      await call<{ key: string }>('POST', '/api/keys', { name: 'reader', scope: 'read' })
    ).body;
    const alert = await addAlert('Secret', 'secret', {
      condition: { kind: 'at-least', count: 1, minutes: 1 },
      destinations: [webhook('T0/B0/hidden')],
    });
    expect(JSON.stringify((await call('GET', '/api/alerts', undefined, reader)).body)).not.toContain(
      'hidden',
    );
    expect((await call('GET', `/api/alerts/${alert.id}`, undefined, reader)).status).toBe(200);
    for (const [method, path, body] of [
      ['PATCH', `/api/alerts/${alert.id}`, { enabled: false }],
      ['DELETE', `/api/alerts/${alert.id}`, undefined],
      ['POST', `/api/alerts/${alert.id}/test`, undefined],
      ['POST', '/api/searches', { name: 'x', q: 'x' }],
      [
        'POST',
        '/api/alerts',
        {
          search: (await call<{ search: string }>('GET', `/api/alerts/${alert.id}`)).body.search,
          condition: { kind: 'none', minutes: 1 },
        },
      ],
    ] as const)
      expect((await call(method, path, body, reader)).status, `${method} ${path}`).toBe(403);
    expect((await fetch(`${url}/api/alerts`)).status).toBe(401);
    expect(viewer.stderr).not.toContain('hidden');
    expect(viewer.stderr).not.toContain('p%40ss');
  });

  it('may not be posted to this machine unless that is allowed', async () => {
    const { body: before } = await call<AlertView[]>('GET', '/api/alerts');
    await kill();
    await start({ VIEWER_ALLOW_PRIVATE_WEBHOOKS: 'no' });
    const { body } = await call<{ id: string }>('POST', '/api/searches', { name: 'x', q: 'x' });
    for (const address of [
      'http://127.0.0.1:1/',
      'http://localhost:1/',
      'http://[::1]/',
      'http://169.254.169.254/latest',
      'http://0x7f.1/',
    ]) {
      const refused = await call<{ message: string }>('POST', '/api/alerts', {
        search: body.id,
        condition: { kind: 'at-least', count: 1, minutes: 1 },
        destinations: [{ kind: 'webhook', url: address }],
      });
      expect([refused.status, address]).toEqual([422, address]);
      expect(refused.body.message).toMatch(/VIEWER_ALLOW_PRIVATE_WEBHOOKS=yes/);
    }
    // One that was allowed before isn't used either.
    const secret = before.find(({ destinations }) => destinations.length === 1);
    const tested = await call<EventView>('POST', `/api/alerts/${secret?.id}/test`);
    expect(tested.body.deliveries[0]).toMatchObject({ state: 'failed' });
    expect(tested.body.deliveries[0].error).toMatch(/may not be posted to/);
    await kill();
    await start();
  });
});

describe('kills', () => {
  it('lose no notification, and the one that was on its way comes with the same id', async () => {
    let accepts = false;
    receiver.plan = () => (accepts ? 200 : 503);
    const alert = await addAlert('Killed', 'meltdown', {
      condition: { kind: 'at-least', count: 3, minutes: 5 },
      destinations: [webhook('killed')],
    });
    await send(['meltdown 1', 'meltdown 2']);
    await kill();
    await start();
    await send(['meltdown 3']);
    await until('an attempt', () => receiver.requests.some(({ path }) => path === '/killed'));
    await kill();
    accepts = true;
    await start();
    const [told] = await until('the notification', () => posted('killed').length > 0 && posted('killed'));
    expect(told.count).toBe(3);
    const attempts = receiver.requests.filter(({ path }) => path === '/killed');
    expect(new Set(attempts.map(({ body }) => (JSON.parse(body) as Notification).id))).toEqual(
      new Set([told.id]),
    );
    expect((await events(alert.id)).map(({ id }) => id)).toEqual([told.id]);
    await kill();
    await start();
    await send(['meltdown of something else: too few to tell again, unless counted twice']);
    receiver.plan = () => 200;
  });

  it('at any time count each match once', async () => {
    const alert = await addAlert('Counted', 'numbered', {
      condition: { kind: 'at-least', count: 1, minutes: 5 },
      destinations: [webhook('counted')],
    });
    let sent = 0;
    for (let round = 0; round < 3; round++) {
      const frames = Array.from({ length: 20 }, (_, i) => ({
        messages: Array.from({ length: 10 }, (_line, k) => `numbered ${round}.${i}.${k}`),
        stream: `stream-${i % 3}`,
        frameId: randomUUID(),
      }));
      const answers = Promise.all(frames.map(({ messages, ...to }) => send(messages, to).catch(() => 0)));
      // It is killed somewhere between the first match and the last notification.
      await until('a line of this round, told or stored', () =>
        posted('counted').some(({ lines }) =>
          lines.some(({ message }) => message.startsWith(`numbered ${round}.`)),
        ),
      );
      await kill();
      await answers;
      await start();
      for (const { messages, ...to } of frames) {
        // A frame that was stored is not stored again.
        expect(await send(messages, to)).toBeLessThan(300);
        sent += messages.length;
      }
    }
    const total = (): number => {
      const byId = new Map(posted('counted').map((one) => [one.id, one.count]));
      return [...byId.values()].reduce((sum, count) => sum + count, 0);
    };
    await until(`${sent} matches`, () => total() >= sent);
    const kept = (await call<EventView[]>('GET', `/api/alert-events?alert=${alert.id}&limit=1000`)).body;
    expect(kept.filter(({ kind }) => kind === 'fired').reduce((sum, { count }) => sum + count, 0)).toBe(sent);
    expect(total()).toBe(sent);
  });
});
