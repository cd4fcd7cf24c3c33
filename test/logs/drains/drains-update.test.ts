/** A drain that is changed goes on where it is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExitResult, runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Drain, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const update = (app: App, ...args: string[]): Promise<ExitResult> =>
  runTailrace(['drains:update', ...args, '-a', app.name], { env: server.env });

describe('tailrace drains:update', () => {
  it('changes a drain’s URL without a gap or a duplicate, and its filters from there on', async () => {
    const app = await server.createApp();
    const before = await startHttpReceiver();
    const after = await startHttpReceiver();
    const drain = await server.createDrain(app, before.url);
    await pushLines(server, app.token, numberedMessages(10));
    await until('the first lines', async () => (await server.listDrains(app))[0].delivery.delivered === 10);
    const url = after.url.replace('//', '//user:secret@');
    const flags = ['--url', url, '--exclude', '[13579]$', '--redact-pattern', '2', '--format', 'json'];
    const { stdout } = await update(app, drain.token, ...flags);
    const shown = url.replace('secret', '****');
    expect(stdout).toBe(
      `Updated drain ${shown} (${drain.token}), up to date\nOptions: {"format":"json","exclude":["[13579]$"],"redact_patterns":["2"]}\n`,
    );
    await pushLines(server, app.token, numberedMessages(4, 'line', 10));
    await until('the next lines', () => after.requests.length > 0);
    const bodies = after.requests.flatMap(({ body }) => body.trimEnd().split('\n'));
    expect(bodies.map((line) => JSON.parse(line).message)).toEqual(['line 10', 'line 1<redacted>']);
    expect(before.acceptedMessages()).toEqual(numberedMessages(10));
    const [now] = await server.listDrains(app);
    expect(now).toMatchObject({ id: drain.id, token: drain.token, url: shown });
    await until('both counts', async () => {
      const [{ delivery }] = await server.listDrains(app);
      return delivery.delivered === 12 && delivery.lagLines === 0;
    });
  });

  it('removes options, those of the URL as well, and keeps the others', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    await server.createDrain(app, `${receiver.url}?tailrace-format=json&tailrace-level=error`);
    expect((await update(app, '--unset', 'format', '--gzip')).stdout).toContain(
      'Options: {"level":"error","compression":"gzip"}',
    );
    const { stdout } = await update(app, '--unset', 'level', '--unset', 'gzip');
    expect(stdout).not.toContain('Options:');
    await pushLines(server, app.token, ['line 0']);
    await until('the line', () => receiver.acceptedMessages().includes('line 0'));
    expect(receiver.requests[0].headers['content-type']).toBe('application/logplex-1');
  });

  it('sends waiting lines to the new URL, and nothing is lost meanwhile', async () => {
    const app = await server.createApp();
    const broken = await startHttpReceiver(() => 500);
    const mended = await startHttpReceiver();
    await server.createDrain(app, broken.url);
    await pushLines(server, app.token, numberedMessages(50));
    await until('an attempt', () => broken.requests.length > 0);
    await Promise.all([
      update(app, '--url', mended.url),
      (async () => {
        for (let i = 50; i < 200; i += 10)
          await pushLines(server, app.token, numberedMessages(10, 'line', i));
      })(),
    ]);
    const lines = () => mended.acceptedMessages().filter((message) => message.startsWith('line '));
    await until('all lines', () => lines().length >= 200);
    expect(lines()).toEqual(numberedMessages(200));
  });

  it('rejects what isn’t valid, with a sentence, and changes nothing', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    const drain = await server.request<Drain>('POST', `/apps/${app.name}/log-drains`, {
      url: receiver.url.replace('//', '//user:secret@'),
      options: { format: 'loki' },
    });
    const other = await server.createDrain(app, `${receiver.url}/other`);
    const masked = `${drain.url}/elsewhere`;
    const patch = (change: object) =>
      server.request('PATCH', `/apps/${app.name}/log-drains/${drain.id}`, change);
    const refused: [change: object, sentence: RegExp][] = [
      [{ options: { level: 'loud' } }, /level is one of/],
      [{ options: { colour: null } }, /no option ."colour/],
      [{ options: { framing: 'newline' } }, /framing is for syslog/],
      [{ options: 'none' }, /options of a drain are an object/],
      [{ url: 'nonsense' }, /Invalid drain URL/],
      [{ url: masked }, /has a mask/],
      [{ url: other.url }, /already been taken/],
      [{ url: 'syslog://127.0.0.1:9' }, /can't have the format loki: use syslog/],
      [{ url: server.url.replace('//', `//token:${app.token}@`) }, /back to the app, without end/],
      [{ options: { headers: { Authorization: `Bearer ${app.token}` } } }, /back to the app, without end/],
      [{ url: `${server.url}/logs\u200b` }, /invisible characters/],
    ];
    const loop = `${server.url}/logs?token=${app.token}`;
    await expect(server.createDrain(app, loop)).rejects.toThrow(/422 .*own token of the source app/);
    const exporter = {
      type: 'otlphttp',
      endpoint: server.url,
      headers: { Authorization: `Bearer ${app.token}` },
    };
    const telemetry = { owner: { id: app.name, type: 'app' }, exporter };
    await expect(server.request('POST', '/telemetry-drains', telemetry)).rejects.toThrow(/without end/);
    for (const [change, sentence] of refused) await expect(patch(change)).rejects.toThrow(sentence);
    const { status, stderr } = await update(app, drain.id);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^ › {3}Error: Say what to change[^\n]+\n$/)]);
    expect((await update(app, 'd.none', '--gzip')).stderr).toContain("Couldn't find that drain");
    const [now] = await server.listDrains(app);
    expect(now).toMatchObject({ url: drain.url, options: { format: 'loki' } });
    // What is shown of the URL names the URL.
    expect((await update(app, drain.id, '--url', drain.url, '--gzip')).status).toBe(0);
  });
});
