import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace } from '../../../support/program.ts';
import { startHttpReceiver, startTcpReceiver } from '../../../support/receivers/receivers.ts';
import { messageOf, parseFrames } from '../../../support/senders/frames.ts';
import { octetCounted, postLogs, pushLines, TIME } from '../../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('a drain with filters', () => {
  const said = (priority: number, dyno: string, message: string) =>
    `<${priority}>1 ${TIME} host token ${dyno} - - ${message}`;

  it('gets what matches, and the rest is counted as withheld', async () => {
    const app = await server.createApp();
    const receivers = new Map<string, Awaited<ReturnType<typeof startHttpReceiver>>>();
    const flags: Record<string, string[]> = {
      dyno: ['--dyno', 'web', '--dyno', 'worker.2'],
      level: ['--level', 'warning'],
      match: ['--match', '^GET /', '--match', '(?i)error'],
      exclude: ['--exclude', '^GET /health'],
      source: ['--source', 'db'],
      redacted: ['--redact', 'all', '--redact-pattern', 'health\\w*'],
    };
    for (const [name, given] of Object.entries(flags)) {
      const receiver = await startHttpReceiver();
      receivers.set(name, receiver);
      const added = await runTailrace(['drains:add', receiver.url, '-a', app.name, ...given], {
        env: server.env,
      });
      expect(added.stderr).toBe('');
    }
    const lines = [
      said(190, 'web.1', 'GET /health'),
      said(190, 'web.12', 'GET /orders?mail=a@b.example'),
      said(187, 'worker.2', 'Error: no such order'),
      said(188, 'worker.1', 'slow query'),
      said(191, 'webhook.1', 'end'),
    ];
    await postLogs(server, app.token, Buffer.concat(lines.map(octetCounted)));
    const db = await server.addToken(app, 'db');
    await postLogs(server, db, octetCounted(said(190, 'postgres', 'checkpoint')));

    const expected: Record<string, string[]> = {
      dyno: ['GET /health', 'GET /orders?mail=a@b.example', 'Error: no such order'],
      level: ['Error: no such order', 'slow query'],
      match: ['GET /health', 'GET /orders?mail=a@b.example', 'Error: no such order'],
      exclude: ['GET /orders?mail=a@b.example', 'Error: no such order', 'slow query', 'end', 'checkpoint'],
      source: ['checkpoint'],
      redacted: [
        'GET /<redacted>',
        'GET /orders?mail=<redacted>',
        'Error: no such order',
        'slow query',
        'end',
        'checkpoint',
      ],
    };
    for (const [name, messages] of Object.entries(expected)) {
      await until(name, () => receivers.get(name)?.acceptedMessages().length === messages.length);
      expect(receivers.get(name)?.acceptedMessages(), name).toEqual(messages);
    }
    await until('the last cursor', async () =>
      (await server.listDrains(app)).every(({ delivery }) => delivery.lagLines === 0),
    );
    for (const { url, delivery } of await server.listDrains(app)) {
      const name = [...receivers].find(([, receiver]) => receiver.url === url)?.[0] ?? '';
      expect(delivery, name).toMatchObject({
        delivered: expected[name].length,
        withheld: 6 - expected[name].length,
        lost: 0,
      });
    }
  });

  it('gets the dynos of a process type, and none whose name only begins like it', async () => {
    const app = await server.createApp();
    const [web, dotted] = [await startHttpReceiver(), await startHttpReceiver()];
    await runTailrace(['drains:add', web.url, '-a', app.name, '--dyno', 'web'], { env: server.env });
    await server.createDrain(app, `${dotted.url}?tailrace-dynos=a.b`);
    const dynos = ['web.1', 'webs.1', 'web1', 'a.b.1', 'a.bc.1', 'web', 'a.b', 'web.2'];
    await postLogs(
      server,
      app.token,
      Buffer.concat(dynos.map((dyno) => octetCounted(said(190, dyno, `of ${dyno}`)))),
    );
    await until('all lines to be decided on', async () =>
      (await server.listDrains(app)).every(({ delivery }) => delivery.delivered + delivery.withheld === 8),
    );
    expect(web.acceptedMessages()).toEqual(['of web.1', 'of web', 'of web.2']);
    expect(dotted.acceptedMessages()).toEqual(['of a.b.1', 'of a.b']);
  });

  it('retries a filtered and sampled request with exactly the same lines', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver((attempt) => (attempt < 2 ? 500 : 200));
    const url = `${receiver.url}?tailrace-sample=30%25`;
    await server.createDrain(app, url);
    const messages = Array.from({ length: 2_000 }, (_, i) => `line ${i}`);
    await pushLines(server, app.token, messages);
    await until('the lines', () => receiver.acceptedMessages().length > 0);
    const [first, second, third] = receiver.requests;
    expect([second.body, second.frameId]).toEqual([first.body, first.frameId]);
    expect(third.body).toBe(first.body);
    expect(third.path).toBe('/lines');
    expect(third.headers['logplex-msg-count']).toBe(String(parseFrames(third.body).length));
    const part = parseFrames(third.body).map(messageOf).length / messages.length;
    expect(part).toBeGreaterThan(0.25);
    expect(part).toBeLessThan(0.35);
  });

  it('redacts structured data without breaking it', async () => {
    const app = await server.createApp();
    const receiver = await startTcpReceiver();
    await runTailrace(['drains:add', receiver.url, '-a', app.name, '--redact', 'email'], { env: server.env });
    const line = `<190>1 ${TIME} host token web.1 ID1 [u@1 mail="jo@b.example" ok="\\"x\\""] from jo@b.example`;
    await postLogs(server, app.token, octetCounted(line));
    await until('the line', () => receiver.text.endsWith('\n'));
    expect(receiver.text).toContain('web.1 ID1 [u@1 mail="<redacted>" ok="\\"x\\""] from <redacted>\n');
  });
});
