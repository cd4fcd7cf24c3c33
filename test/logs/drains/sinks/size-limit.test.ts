/** Destinations that take requests up to a size only, and answer 413 to larger ones. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../../support/program.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** Accepts bodies of at most `bytesMax` bytes, as nginx does with `client_max_body_size`. */
async function startLimitedReceiver(bytesMax: number) {
  const accepted: { body: string; frameId: string; count: number }[] = [];
  const headers: Record<string, string> = {};
  const state = { bytesMax, refused: 0, accepted, url: '', headers };
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    if (sent.length > state.bytesMax) {
      state.refused++;
      return void response.writeHead(413, state.headers).end('too large');
    }
    const body = String(request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent);
    const count = Number(request.headers['logplex-msg-count']);
    accepted.push({ body, frameId: String(request.headers['logplex-frame-id']), count });
    // As Elasticsearch and OTLP collectors answer.
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close(() => {}).closeAllConnections());
  state.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  return state;
}

/** Numbers of the lines `line N` in what was accepted, in order of arrival. */
function acceptedLines(bodies: readonly { body: string }[]): number[] {
  return bodies.flatMap(({ body }) => [...body.matchAll(/line (\d+)/g)].map(([, number]) => Number(number)));
}

async function pushMany(app: App, count: number): Promise<void> {
  for (let i = 0; i < count; i += 500)
    await pushLines(
      server,
      app.token,
      numberedMessages(500, 'line', i).map((text) => `${text} ends`),
    );
}

describe('a destination that answers 413', () => {
  it.each(['logplex', 'rfc5424', 'json', 'webhook', 'otlp', 'otlp-protobuf', 'loki', 'elasticsearch'])(
    '%s: gets every line once, in requests that fit; few are refused, and none counts as lost',
    async (format) => {
      const app = await server.createApp();
      const receiver = await startLimitedReceiver(9_000);
      const { id } = await server.createDrain(app, `${receiver.url}?tailrace-format=${format}`);
      await server.request('POST', `/apps/${app.name}/log-drains/${id}/actions/pause`);
      await pushMany(app, 2_000);
      await server.request('POST', `/apps/${app.name}/log-drains/${id}/actions/resume`);
      await until('all lines', () => acceptedLines(receiver.accepted).length >= 2_000);
      expect(acceptedLines(receiver.accepted).sort((a, b) => a - b)).toEqual(numberedRange(2_000));
      expect(new Set(receiver.accepted.map(({ frameId }) => frameId)).size).toBe(receiver.accepted.length);
      expect(receiver.refused).toBeGreaterThan(0);
      expect(receiver.refused).toBeLessThan(12);
      const drain = await until('an idle drain', async () => {
        const [one] = await server.listDrains(app);
        return one.delivery.state === 'idle' && one;
      });
      expect(drain.delivery).toMatchObject({ lost: 0, delivered: 2_000 });
    },
  );

  it('with compressed requests: the size counts that is sent', async () => {
    const app = await server.createApp();
    const receiver = await startLimitedReceiver(1_500);
    const url = `${receiver.url}?tailrace-compression=gzip`;
    await server.createDrain(app, url);
    await pushMany(app, 2_000);
    await until('all lines', () => acceptedLines(receiver.accepted).length >= 2_000);
    expect(acceptedLines(receiver.accepted)).toEqual(numberedRange(2_000));
  });

  it('loses only a line that is too large by itself; --resend sends it when the limit is raised, and halves too', async () => {
    const app = await server.createApp();
    const receiver = await startLimitedReceiver(4_000);
    const { token } = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, ['line 0', `line 1 ${'x'.repeat(5_000)}`, 'line 2']);
    await until('the lines beside it', () => acceptedLines(receiver.accepted).includes(2));
    const [{ delivery }] = await until('the refusal', async () => {
      const drains = await server.listDrains(app);
      return drains[0].delivery.lost > 0 && drains;
    });
    expect(delivery.lost).toBe(1);
    const resend = () =>
      runTailrace(['drains:refused', token, '--resend', '-a', app.name], { env: server.env });
    expect((await resend()).stdout).toContain('413');
    receiver.bytesMax = 9_000;
    expect((await resend()).stdout).toBe('Accepted 1 line; nothing is left.\n');
    expect(acceptedLines(receiver.accepted).filter((number) => number === 1)).toHaveLength(1);
  });
});

describe('a destination that answers 413 with Retry-After', () => {
  it('gets the line later that was too large by itself, but isn’t asked for ever', async () => {
    const app = await server.createApp();
    const receiver = await startLimitedReceiver(4_000);
    receiver.headers['retry-after'] = '0';
    await server.createDrain(app, receiver.url);
    const lost = async () => (await server.listDrains(app))[0].delivery.lost;
    await pushLines(server, app.token, [`line 0 ${'x'.repeat(5_000)}`]);
    await until('a refusal', () => receiver.refused > 0);
    receiver.bytesMax = 9_000;
    await until('the line', () => acceptedLines(receiver.accepted).includes(0));
    expect(await lost()).toBe(0);
    receiver.bytesMax = 4_000;
    await pushLines(server, app.token, [`line 1 ${'x'.repeat(5_000)}`, 'line 2']);
    await until('the line behind it', () => acceptedLines(receiver.accepted).includes(2));
    expect(await lost()).toBe(1);
  });
});

describe('a refused batch that is sent again', () => {
  it('is sent in halves where it is too large; what can’t fit stays, and goes later, each line once', async () => {
    const app = await server.createApp();
    const receiver = await startLimitedReceiver(Number.POSITIVE_INFINITY);
    // Refused as a whole for another reason first.
    const picky = createServer((request, response) =>
      request.resume().on('end', () => response.writeHead(400).end()),
    );
    await new Promise<void>((resolve) => picky.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void picky.close(() => {}).closeAllConnections());
    const { token, id } = await server.createDrain(
      app,
      `http://127.0.0.1:${(picky.address() as AddressInfo).port}/`,
    );
    const messages = numberedMessages(300);
    messages[77] = `line 77 ${'x'.repeat(5_000)}`;
    await pushLines(server, app.token, messages);
    await until('the refusal', async () => (await server.listDrains(app))[0].delivery.lost >= 300);
    await server.request('PATCH', `/apps/${app.name}/log-drains/${id}`, { url: receiver.url });
    receiver.bytesMax = 4_000;
    const resend = () =>
      runTailrace(['drains:refused', token, '--resend', '-a', app.name], { env: server.env });
    const first = await resend();
    expect(first.stdout).toMatch(/^Accepted 299 lines, then: .*413.*Still kept aside: 1 batch\./);
    expect(acceptedLines(receiver.accepted).sort((a, b) => a - b)).toEqual(
      numberedRange(300).filter((number) => number !== 77),
    );
    receiver.bytesMax = 9_000;
    expect((await resend()).stdout).toBe('Accepted 1 line; nothing is left.\n');
    expect(acceptedLines(receiver.accepted).at(-1)).toBe(77);
  });
});

describe('`Logplex-Msg-Count`', () => {
  it.each(['logplex', 'rfc5424'])(
    'is the number of lines of the body, also with stack traces (%s)',
    async (format) => {
      const app = await server.createApp();
      const receiver = await startLimitedReceiver(Number.POSITIVE_INFINITY);
      await server.createDrain(app, `${receiver.url}?tailrace-format=${format}`);
      await pushLines(server, app.token, ['line 1', 'Error: no\n    at a\n\n    at b', 'line 2']);
      await until('the last line', () => acceptedLines(receiver.accepted).includes(2));
      const bodies = receiver.accepted.map(({ body }) => body);
      if (format === 'logplex')
        for (const { body, count } of receiver.accepted) expect(body.split('\n').length - 1).toBe(count);
      expect(receiver.accepted.reduce((sum, { count }) => sum + count, 0)).toBe(6);
      expect(bodies.join('')).not.toMatch(/Error: no\n {4}at a/);
    },
  );

  it('counts a message of several lines once with --multiline keep', async () => {
    const app = await server.createApp();
    const receiver = await startLimitedReceiver(Number.POSITIVE_INFINITY);
    const added = await runTailrace(['drains:add', receiver.url, '--multiline', 'keep', '-a', app.name], {
      env: server.env,
    });
    expect(added).toMatchObject({ status: 0 });
    await pushLines(server, app.token, ['Error: no\n    at a', 'line 2']);
    await until('the last line', () => acceptedLines(receiver.accepted).includes(2));
    expect(receiver.accepted.map(({ body }) => body).join('')).toContain('Error: no\n    at a\n');
    expect(receiver.accepted.reduce((sum, { count }) => sum + count, 0)).toBe(2);
    const wrong = await runTailrace(
      ['drains:add', `${receiver.url}x`, '--multiline', 'keep', '--format', 'json', '-a', app.name],
      { env: server.env },
    );
    expect(wrong.stderr).toContain('multiline is for http:// and https:// drains with the format logplex');
  });
});

function numberedRange(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
