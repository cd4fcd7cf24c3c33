import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { missing, Program } from '../../support/program.ts';
import {
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
  pushLines,
  TIME,
} from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Session {
  readonly logplex_url: string;
}

const session = (app: App, body: object = {}): Promise<Session> =>
  server.request<Session>('POST', `/apps/${app.name}/log-sessions`, body);

/** Reads an address to its end, or until `enough`. */
async function read(
  url: string,
  headers: Record<string, string>,
  enough?: (text: string) => boolean,
): Promise<string> {
  const aborter = new AbortController();
  const answer = await fetch(url, { headers, signal: aborter.signal });
  expect(answer.status).toBe(200);
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of answer.body!) {
      text += decoder.decode(chunk, { stream: true });
      if (enough?.(text)) aborter.abort();
    }
  } catch (error) {
    if (!aborter.signal.aborted) throw error;
  }
  return text;
}

const EVENTS = { accept: 'text/event-stream' };

describe('a log session', () => {
  it('is read without a key, as plain text', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    const { logplex_url: url } = await session(app, { lines: 3 });
    expect(await read(url, {})).toBe(
      numberedMessages(3, 'line', 7)
        .map((text) => `${TIME} app[web.1]: ${text}\n`)
        .join(''),
    );
  });

  it('is read as server-sent events, with the position as their id', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(2));
    const { logplex_url: url } = await session(app, { lines: 10 });
    expect(await read(url, EVENTS)).toBe(
      `id: 0\n\nid: 2\ndata: ${TIME} app[web.1]: line 0\ndata: ${TIME} app[web.1]: line 1\n\n`,
    );
  });

  it('a message of many lines stays within its event', async () => {
    const app = await server.createApp();
    await postLogs(server, app.token, octetCounted(logplexLine('one\nid: 99\ndata: two\n\nevent: forged')));
    const { logplex_url: url } = await session(app, { lines: 10 });
    const text = await read(url, EVENTS);
    expect(text).toBe(
      `id: 0\n\nid: 1\ndata: ${TIME} app[web.1]: one\ndata:     id: 99\ndata:     data: two\ndata:     \ndata:     event: forged\n\n`,
    );
  });

  it('resumes after Last-Event-ID', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(3));
    const { logplex_url: url } = await session(app, { tail: true, lines: 10 });
    const first = await read(url, EVENTS, (text) => text.includes('line 2'));
    const id = [...first.matchAll(/^id: (\d+)$/gm)].at(-1)![1];
    await pushLines(server, app.token, numberedMessages(3, 'line', 3));
    const reading = read(url, { ...EVENTS, 'last-event-id': id }, (text) => text.includes('line 6'));
    await pushLines(server, app.token, ['line 6']);
    expect((await reading).match(/line \d/g)).toEqual(['line 3', 'line 4', 'line 5', 'line 6']);
  });

  it('keeps its filters', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    await pushLines(server, app.token, ['a']);
    await pushLines(server, nginx, ['b']);
    const { logplex_url: url } = await session(app, { source: 'nginx', lines: 5 });
    expect(await read(url, {})).toBe(`${TIME} nginx[web.1]: b\n`);
  });

  it.each([
    ['no number of lines', { lines: 'all' }],
    ['an unknown level', { level: 'loud' }],
  ])('can’t be had with %s: 422', async (_name, body) => {
    const app = await server.createApp();
    await expect(session(app, body)).rejects.toThrow('422');
  });

  it('that doesn’t exist, or has expired: 404', async () => {
    const app = await server.createApp();
    const { logplex_url: url } = await session(app);
    for (const wrong of [url.slice(0, -1), `${url}x`, url.replace(app.id, (await server.createApp()).id)])
      expect((await fetch(wrong)).status).toBe(404);
  });
});

describe.skipIf(missing('curl'))('`curl -N`', () => {
  it('shows lines as they come', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['before']);
    const header = `Authorization: Bearer ${server.key}`;
    const curl = new Program('curl', [
      '-sSN',
      '-H',
      header,
      `${server.url}/apps/${app.name}/logs?tail=true&lines=5`,
    ]);
    onTestFinished(() => void curl.stop('SIGKILL'));
    await curl.waitForOutput(/app\[web\.1\]: before\n/);
    await pushLines(server, app.token, ['and after']);
    await curl.waitForOutput(/app\[web\.1\]: and after\n/);
  });

  it('ends by itself without tail', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(5));
    const header = `Authorization: Bearer ${server.key}`;
    const curl = new Program('curl', ['-sSN', '-H', header, `${server.url}/apps/${app.name}/logs?lines=2`]);
    const { status, stdout } = await curl.exited;
    expect(status).toBe(0);
    expect(stdout.match(/line \d/g)).toEqual(['line 3', 'line 4']);
    await until('its connection’s end', () => curl.hasExited);
  });
});
