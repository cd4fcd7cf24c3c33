/** What clients send over HTTP, well-meant and not: to the program that the server runs. */
import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sentryService } from '../../../../src/apps/host/addons/services/sentry.ts';
import { until } from '../../../support/until.ts';
import {
  closeErrorsProgram,
  type ErrorsProgram,
  envelopeOf,
  PAGE_KEY,
  PUBLIC_KEY,
  startErrorsProgram,
  startErrorsProgramForTest,
  startNodeClient,
} from './errors-program.ts';

interface Group {
  readonly id: string;
  readonly type: string;
  readonly value: string;
  readonly status: string;
  readonly count: number;
  readonly users: number;
  readonly kept_events: number;
}
interface Summary {
  readonly events: number;
  readonly evicted_groups: number;
  readonly dropped_items: Record<string, number>;
}

let errors: ErrorsProgram;
beforeAll(async () => {
  errors = await startErrorsProgram();
});
afterAll(() => closeErrorsProgram(errors));

const groupsWith = async (word: string): Promise<Group[]> =>
  (await errors.ask<{ groups: Group[] }>(`/groups?status=all&q=${encodeURIComponent(word)}`)).groups;

describe('an event is taken', () => {
  it('in an envelope and by itself, in every coding, with the key in every place', async () => {
    const body = envelopeOf({ message: 'coded' });
    const query = `?sentry_key=${PUBLIC_KEY}&sentry_version=7`;
    const noHeader = { 'x-sentry-auth': '' };
    const dsn = `{"dsn":"${errors.dsn}"}\n{"type":"event"}\n{"message":"coded"}`;
    const answers = await Promise.all([
      errors.post('/api/1/envelope/', body),
      errors.post('/api/1/envelope', body),
      errors.post('/api/1/envelope/', gzipSync(body), { 'content-encoding': 'gzip' }),
      errors.post('/api/1/envelope/', deflateSync(body), { 'content-encoding': 'deflate' }),
      errors.post('/api/1/envelope/', deflateRawSync(body), { 'content-encoding': 'deflate' }),
      errors.post('/api/1/envelope/', brotliCompressSync(body), { 'content-encoding': 'br' }),
      errors.post(`/api/1/envelope/${query}`, body, noHeader),
      errors.post('/api/1/envelope/', dsn, noHeader),
      errors.post('/api/1/envelope/', body, {
        ...noHeader,
        authorization: `Sentry sentry_key=${PUBLIC_KEY}`,
      }),
      errors.post('/api/1/envelope/', body, { 'content-type': 'application/x-sentry-envelope' }),
      errors.post('/api/1/envelope/', body, { 'content-type': 'text/plain;charset=UTF-8' }),
      errors.post('/api/1/store/', '{"message":"coded"}', { 'content-type': 'application/json' }),
      // As raven for Python did: base64 of what zlib has packed.
      errors.post('/api/1/store/', deflateSync('{"message":"coded"}').toString('base64'), {
        'content-type': 'application/octet-stream',
      }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const { text } of answers) expect(JSON.parse(text).id).toMatch(/^[0-9a-f]{32}$/);
    expect(await groupsWith('coded')).toMatchObject([{ count: answers.length }]);
  });

  it('once, however often it is sent', async () => {
    const event = { message: 'only once', event_id: 'a'.repeat(32) };
    for (let i = 0; i < 3; i++) {
      const { status, text } = await errors.sendEvent(event);
      expect([status, JSON.parse(text).id]).toEqual([200, event.event_id]);
    }
    expect(await groupsWith('only once')).toMatchObject([{ count: 1, kept_events: 1 }]);
    expect(await errors.ask(`/events/${event.event_id}`)).toMatchObject({ event: { message: 'only once' } });
  });

  it('each of an envelope, also when only the envelope has an id', async () => {
    const item = '{"type":"event"}\n{"message":"in company"}\n';
    const body = `{"event_id":"${'b'.repeat(32)}"}\n${item.repeat(3)}`;
    for (let i = 0; i < 2; i++) expect((await errors.post('/api/1/envelope/', body)).status).toBe(200);
    // The first one has that id.
    expect(await groupsWith('in company')).toMatchObject([{ count: 5 }]);
  });

  it('beside what is no error, which is counted and dropped', async () => {
    const items = [
      'session',
      'client_report',
      'transaction',
      'attachment',
      'check_in',
      'log',
      'new_kind',
      '',
    ];
    const body = `{}\n${items.map((type) => `{"type":"${type}","length":2}\n{}\n`).join('')}${envelopeOf({ message: 'beside' }).slice(3)}`;
    expect((await errors.post('/api/1/envelope/', body)).status).toBe(200);
    expect(await errors.post('/api/1/envelope/', '{}\n{"type":"session"}\n{}')).toMatchObject({
      status: 200,
      text: '{}',
    });
    expect(await groupsWith('beside')).toHaveLength(1);
    expect((await errors.ask<Summary>('/summary')).dropped_items).toMatchObject({
      session: 2,
      other: 2,
      log: 1,
    });
  });

  it('from browsers of other origins, and their reports about a policy', async () => {
    const preflight = await fetch(`${errors.url}/api/1/envelope/`, { method: 'OPTIONS' });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/X-Sentry-Auth/);
    const { headers } = await errors.sendEvent({ message: 'from a browser' });
    expect(headers.get('access-control-allow-origin')).toBe('*');
    const report = {
      'csp-report': {
        'document-uri': 'https://shop.example/',
        'violated-directive': 'img-src self',
        'blocked-uri': 'https://evil.example/x.png',
      },
    };
    const path = `/api/1/security/?sentry_key=${PUBLIC_KEY}`;
    const sent = await errors.post(path, JSON.stringify(report), {
      'content-type': 'application/csp-report',
    });
    expect(sent.status).toBe(200);
    expect(await groupsWith('evil.example')).toMatchObject([
      { value: 'Blocked img-src from https://evil.example', count: 1 },
    ]);
  });

  it('of @sentry/node, unmodified', async () => {
    const client = startNodeClient({ SENTRY_DSN: errors.dsn });
    expect((await client.exited).status).toBe(0);
    expect(client.stdout.trim().split('\n')).toHaveLength(4);
    const [group] = await groupsWith('CheckoutError');
    expect(group).toMatchObject({ type: 'CheckoutError', count: 3, users: 1 });
    expect(await errors.ask(`/groups/${group.id}/events/latest`)).toMatchObject({
      position: 3,
      of: 3,
      event: {
        platform: 'node',
        release: 'shop@1.2',
        user: { id: 'u1' },
        // The client sends them at once: any of them may be the last to come.
        exceptions: [{ type: 'CheckoutError', value: expect.stringMatching(/^order [012] has no address$/) }],
        breadcrumbs: expect.arrayContaining([expect.objectContaining({ message: 'added a book' })]),
        tags: [['page', 'cart']],
      },
    });
    expect(await groupsWith('Stock is low')).toHaveLength(1);
  });
});

describe('a request is refused', () => {
  it.each([
    ['another key', '/api/1/envelope/', { 'x-sentry-auth': 'Sentry sentry_key=wrong' }, 403],
    [
      'the key of the page',
      '/api/1/envelope/',
      { 'x-sentry-auth': 'Sentry sentry_key=key-of-the-page' },
      403,
    ],
    ['no key', '/api/1/envelope/', { 'x-sentry-auth': '' }, 403],
    ['no key', '/api/1/store/', { 'x-sentry-auth': '' }, 403],
    ['another project', '/api/2/envelope/', {}, 403],
    ['another coding', '/api/1/envelope/', { 'content-encoding': 'compress' }, 415],
    ['what isn’t in its coding', '/api/1/envelope/', { 'content-encoding': 'gzip' }, 400],
  ])('with %s', async (_what, path, headers, status) => {
    const answer = await errors.post(path, '{}\n{"type":"event"}\n{}', headers);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      status,
      { detail: expect.any(String), causes: [] },
    ]);
    expect(answer.headers.get('x-sentry-error')).toBeTruthy();
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('with what would take long, or much space, and others are answered meanwhile', async () => {
    const event = (json: string): string => `{}\n{"type":"event"}\n${json}\n`;
    const crumb = '{"message":"m"}';
    const bomb = Buffer.concat(
      new Array<Buffer>(150).fill(gzipSync(Buffer.alloc(100_000_000), { level: 9 })),
    );
    const hostile: [string, string | Buffer, Record<string, string>, number][] = [
      ['deep JSON', event('['.repeat(500_000)), {}, 400],
      ['deep objects', event(`${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`), {}, 400],
      ['a million breadcrumbs', event(`{"breadcrumbs":[${`${crumb},`.repeat(999_999)}${crumb}]}`), {}, 413],
      ['100,000 objects', event(`{"extra":[${'{},'.repeat(100_000)}{}]}`), {}, 413],
      ['100,000 keys', event(`{${Array.from({ length: 90_000 }, (_, i) => `"${i}":1`).join()}}`), {}, 400],
      ['a bomb of 15 MB that becomes 15 GB', bomb, { 'content-encoding': 'gzip' }, 413],
      ['a bomb of Brotli', brotliCompressSync(Buffer.alloc(100_000_000)), { 'content-encoding': 'br' }, 413],
      ['21 MB', Buffer.alloc(21 * 1_048_576, 0x20), {}, 413],
      ['a wrong length', '{}\n{"type":"event","length":99}\n{}\n', {}, 400],
      ['invalid UTF-8 as JSON', Buffer.from([0x7b, 0x7d, 0x0a, 0xff, 0xfe, 0x0a]), {}, 400],
      ['no object', event('[]'), {}, 400],
    ];
    const answers = await Promise.all([
      ...hostile.map(([, body, headers]) => errors.post('/api/1/envelope/', body, headers)),
      ...Array.from({ length: 20 }, () => errors.sendEvent({ message: 'meanwhile' })),
    ]);
    const statuses = hostile.map(([what], i) => [what, answers[i].status]);
    expect(statuses).toEqual(hostile.map(([what, , , status]) => [what, status]));
    expect(await groupsWith('meanwhile')).toMatchObject([{ count: 20 }]);
    expect(errors.program.hasExited).toBe(false);
  });

  it('in the middle of its body without harm', async () => {
    const head = `POST /api/1/envelope/ HTTP/1.1\r\nHost: a\r\nX-Sentry-Auth: Sentry sentry_key=${PUBLIC_KEY}\r\nContent-Length: 5000\r\n\r\n{}\n`;
    for (let i = 0; i < 20; i++)
      await new Promise<void>((resolve) => {
        const socket = connect(errors.port, '127.0.0.1', () => socket.write(head, () => socket.destroy()));
        socket.on('close', () => resolve());
      });
    expect((await errors.sendEvent({ message: 'afterwards' })).status).toBe(200);
  });
});

describe('what is odd in an event is kept as it can be', () => {
  it('names of objects’ own, invalid UTF-8, lone surrogates, clocks that are wrong', async () => {
    const odd = Buffer.concat([
      Buffer.from('{}\n{"type":"event"}\n{"message":"odd \\ud800 '),
      Buffer.from([0xff, 0xc3, 0x28]),
      Buffer.from(
        '","__proto__":{"a":1},"tags":{"__proto__":"x"},"timestamp":99999999999999,"level":"__proto__"}\n',
      ),
    ]);
    expect((await errors.post('/api/1/envelope/', odd)).status).toBe(200);
    const [group] = await groupsWith('odd');
    expect(await errors.ask(`/groups/${group.id}/events/latest`)).toMatchObject({
      event: { level: 'error', tags: [['__proto__', 'x']] },
    });
    const times = [0, -1, 4e9, '0001-01-01', '9999-12-31T23:59:59Z', Number.MAX_VALUE, {}];
    for (const timestamp of times)
      expect((await errors.sendEvent({ message: 'wrong clock', timestamp })).status).toBe(200);
    const [clock] = await errors
      .ask<{ groups: { count: number; first_seen: string; last_seen: string }[] }>('/groups?q=wrong+clock')
      .then(({ groups }) => groups);
    expect(clock.count).toBe(times.length);
    expect(Math.abs(Date.now() - Date.parse(clock.last_seen))).toBeLessThan(600_000);
    expect(Math.abs(Date.now() - Date.parse(clock.first_seen))).toBeLessThan(600_000);
  });
});

describe('many events', () => {
  const events = (count: number, from = 0): string =>
    Array.from({ length: count }, (_, i) =>
      envelopeOf({ message: 'm', fingerprint: [`${from + i}`] }).slice(3),
    ).join('');

  it('of 10,000 different errors are 5,000 in the end, and the stream is told in few lines', async () => {
    const own = await startErrorsProgramForTest();
    for (let from = 0; from < 10_000; from += 1_000)
      expect((await own.post('/api/1/envelope/', `{}\n${events(1_000, from)}`)).status).toBe(200);
    expect(await own.ask<Summary>('/summary')).toMatchObject({
      events: 10_000,
      evicted_groups: 5_000,
      groups: { unresolved: 5_000 },
    });
    expect(own.program.stdout.split('\n').filter((line) => line.includes('New error'))).toHaveLength(60);
  });

  it('over the rate limit are refused, and SDKs are told how long to wait', async () => {
    const own = await startErrorsProgramForTest({ eventRate: { rate: 0.001, burst: 100 } });
    expect((await own.post('/api/1/envelope/', `{}\n${events(100)}`)).status).toBe(200);
    for (const path of ['/api/1/envelope/', '/api/1/store/']) {
      const limited = await own.post(path, path.includes('store') ? '{}' : envelopeOf({ message: 'm' }));
      expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '10']);
      expect(limited.headers.get('x-sentry-rate-limits')).toMatch(/^10:error;default/);
    }
    // What is dropped anyway isn't limited.
    expect((await own.post('/api/1/envelope/', '{}\n{"type":"session"}\n{}')).status).toBe(200);
    expect(await own.ask('/summary')).toMatchObject({ events: 100, limited_events: 2 });
  });
});

describe('without space for more', () => {
  it('it says so, answers that clients shall wait, and keeps what it has answered', async () => {
    const own = await startErrorsProgramForTest();
    await own.program.stop();
    await own.start('ulimit -f 1000');
    const send = (i: number) => {
      const noise = Array.from({ length: 4_000 }, () => Math.random().toString(36)).join('');
      const parts = Object.fromEntries(noise.match(/.{8000}/g)!.map((part, at) => [`k${at}`, part]));
      return own.sendEvent({
        message: 'm',
        fingerprint: [String(i)],
        event_id: String(i).padStart(32, '0'),
        extra: parts,
      });
    };
    let answered = 0;
    const refused = await until('a refusal', async () => {
      const answer = await send(answered);
      if (answer.status !== 200) return answer;
      answered++;
      return undefined;
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
    expect(refused.headers.get('x-sentry-rate-limits')).toMatch(/^10:error/);
    for (let i = 0; i < 5; i++) expect((await send(10_000 + i)).status).toBe(503);
    const several = await own.post(
      '/api/1/envelope/',
      `{}\n${envelopeOf({ message: 'x' }).slice(3).repeat(30)}`,
    );
    expect(several.status).toBe(503);
    expect(own.program.stdout.match(/<3>events of the app are refused for now: /g)).toHaveLength(1);
    expect(answered).toBeGreaterThan(3);
    await own.program.stop();
    await own.start();
    expect(await own.ask<Summary>('/summary')).toMatchObject({ events: answered, kept_events: answered });
    expect((await send(10_000)).status).toBe(200);
  });
});

describe('what the server asks of it', () => {
  it('is answered: samples of each minute, and rows of addons:info', async () => {
    const instance = {
      ...{
        id: 'id',
        name: 'sentry-test',
        folder: errors.folder,
        number: 1,
        port: errors.port,
        password: PAGE_KEY,
      },
      plan: { name: 'local', description: 'no limits' },
    };
    await errors.sendEvent({ message: 'a sample' });
    expect(await sentryService.samples?.(instance)).toMatchObject({
      events: expect.any(Number),
      errors: expect.any(Number),
      'kept-size': expect.stringMatching(/^\d+bytes$/),
    });
    expect(await sentryService.info?.(instance)).toContainEqual({ name: 'Status', values: ['available'] });
    await expect(sentryService.samples?.({ ...instance, password: 'wrong' })).rejects.toThrow(
      /doesn't answer/,
    );
  });
});

describe('killed with kill -9 while a client reports', () => {
  it('eight times, it has every event that was answered', async () => {
    const own = await startErrorsProgramForTest();
    const client = startNodeClient({ SENTRY_DSN: own.dsn, FOREVER: 'yes' });
    const answered = (): string[] => client.stdout.split('\n').slice(0, -1);
    try {
      for (let round = 0; round < 8; round++) {
        const before = answered().length;
        await until('answers', () => answered().length >= before + 3 || client.hasExited);
        await own.program.stop('SIGKILL');
        await own.start();
      }
    } finally {
      await client.stop();
    }
    const ids = answered();
    expect(ids.length).toBeGreaterThanOrEqual(24);
    expect(client.stderr).toBe('');
    for (const id of ids) expect(await own.ask(`/events/${id}`)).toMatchObject({ event: { id } });
    // Those that were stored and not answered are there besides.
    expect((await own.ask<Summary>('/summary')).events).toBeGreaterThanOrEqual(ids.length);
  });
});
