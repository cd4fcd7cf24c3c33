/** The source of a line: tokens in other places than APP-NAME, and rules. */

import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { runTailrace } from '../../support/program.ts';
import {
  connectTcp,
  numberedMessages,
  octetCounted,
  sendOverTcp,
  TIME,
} from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Fields {
  readonly source: string;
  readonly dyno: string;
  readonly hostname: string;
  readonly message: string;
  readonly structured_data?: string;
}

async function arrived(app: App, count = 1): Promise<Fields[]> {
  const lines = await until(`${count} lines`, async () => {
    const all = await server.readLines(app, 'format=json&lines=1000');
    return all.length >= count && all;
  });
  return lines.map((line) => JSON.parse(line));
}

const rule = (app: App, body: object): Promise<{ id: string }> =>
  server.request('POST', `/apps/${app.name}/source-rules`, body);
describe('a token', () => {
  it('in structured data: the element is left out, the program is part of the dyno’s name', async () => {
    const app = await server.createApp();
    const line = (data: string): Buffer => octetCounted(`<190>1 ${TIME} db postgres 4711 ID ${data} hello`);
    await sendOverTcp(
      server.syslogPort,
      line(`[tailrace@32473 token="${app.token}"]`),
      line(`[a@1 k="\\"]v"][tailrace@32473 token="${app.token}"][b@2]`),
    );
    const [one, two] = await arrived(app, 2);
    expect(one).toMatchObject({
      source: 'app',
      dyno: 'postgres.4711',
      hostname: 'db',
      msgid: 'ID',
      message: 'hello',
    });
    expect(one.structured_data).toBeUndefined();
    expect(two.structured_data).toBe('[a@1 k="\\"]v"][b@2]');
  });

  it('in the tag and in the hostname of RFC 3164 lines', async () => {
    const app = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      `<13>Nov 21 08:00:00 db1 ${app.token}[7]: by tag\n`,
      `<13>Nov 21 08:00:00 ${app.token} cron[8]: by hostname\n`,
      `<13>${app.token}: by tag alone\n`,
    );
    expect(await arrived(app, 3)).toMatchObject([
      { source: 'app', dyno: '7', hostname: 'db1', message: 'by tag' },
      { source: 'app', dyno: 'cron.8', hostname: '127.0.0.1', message: 'by hostname' },
      { source: 'app', dyno: '-', hostname: '127.0.0.1', message: 'by tag alone' },
    ]);
  });

  it('that is unknown is not replaced by a rule', async () => {
    const app = await server.createApp();
    const { id } = await rule(app, { source: 'any', network: '127.0.0.1' });
    const before = (await server.sourceCounters('tcp')).unknownToken;
    await sendOverTcp(server.syslogPort, `<13>1 ${TIME} h t.00000000-0000-4000-8000-000000000000 - - - no\n`);
    await until('the count', async () => (await server.sourceCounters('tcp')).unknownToken > before);
    expect(await server.readMessages(app)).toEqual([]);
    await server.request('DELETE', `/apps/${app.name}/source-rules/${id}`);
  });
});

describe('a rule', () => {
  it('by tag, by hostname, by both: the one with more conditions decides', async () => {
    const app = await server.createApp();
    await rule(app, { source: 'nginx', tag: 'nginx' });
    await rule(app, { source: 'edge', tag: 'nginx', hostname: 'edge-1' });
    await rule(app, { source: 'box', hostname: 'box-1' });
    await sendOverTcp(
      server.syslogPort,
      '<190>Nov 21 08:00:00 web-1 nginx: one\n',
      '<190>Nov 21 08:00:00 edge-1 nginx: two\n',
      octetCounted(`<190>1 ${TIME} box-1 cron 12 - - three`),
      '<190>Nov 21 08:00:00 web-1 apache: nobody’s\n',
    );
    expect(await arrived(app, 3)).toMatchObject([
      { source: 'nginx', dyno: '-', hostname: 'web-1', message: 'one' },
      { source: 'edge', dyno: 'nginx', hostname: 'edge-1', message: 'two' },
      { source: 'box', dyno: 'cron.12', hostname: 'box-1', message: 'three' },
    ]);
  });

  it('by port: the server listens there, TCP and UDP, while the rule is there; every line is taken', async () => {
    const app = await server.createApp();
    const port = await freePort();
    const { id } = await rule(app, { source: 'legacy', port });
    await until('the port', async () =>
      connectTcp(port).then(
        (socket) => socket.destroy(),
        () => false,
      ),
    );
    await sendOverTcp(
      port,
      'not even syslog\n',
      `${numberedMessages(50)
        .map((message) => `<13>prog: ${message}\n`)
        .join('')}`,
    );
    const udp = createSocket('udp4');
    await new Promise((resolve) => udp.send('<13>prog: by UDP\0', port, '127.0.0.1', resolve));
    udp.close();
    const all = await arrived(app, 52);
    expect(all[0]).toMatchObject({ source: 'legacy', dyno: '-', message: 'not even syslog' });
    expect(all.filter(({ dyno }) => dyno === 'prog').map(({ message }) => message)).toEqual(
      expect.arrayContaining([...numberedMessages(50), 'by UDP']),
    );
    await server.request('DELETE', `/apps/${app.name}/source-rules/${id}`);
    await until('the port to be closed', async () =>
      connectTcp(port).then(
        (socket) => void socket.destroy(),
        () => true,
      ),
    );
  });

  it('by a port that is in use, for TCP or for UDP, is rejected, and no record is left', async () => {
    const app = await server.createApp();
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', () => resolve()));
    const ports = [Number(new URL(server.url).port), udp.address().port];
    const add = (port: number) =>
      runTailrace(['sources:add', '-s', 'db', '--port', `${port}`, '-a', app.name], { env: server.env });
    expect(await Promise.all(ports.map(add))).toEqual(
      ports.map((port) => ({
        status: 1,
        stdout: '',
        stderr: ` ›   Error: Port ${port} is taken on this server: choose another, or free it.\n`,
      })),
    );
    udp.close();
    expect(await server.request('GET', `/apps/${app.name}/source-rules`)).toEqual([]);
    // The server listens there already.
    const { id } = await rule(app, { source: 'db', port: server.syslogPort });
    await server.request('DELETE', `/apps/${app.name}/source-rules/${id}`);
    expect(server.program.stderr).not.toContain('EADDRINUSE');
  });

  it('that is removed has no effect any more, also on connections that are open', async () => {
    const app = await server.createApp();
    const { id } = await rule(app, { source: 'x', tag: 'short-lived' });
    const socket = await connectTcp(server.syslogPort);
    socket.write('<13>short-lived: one\n');
    await arrived(app);
    await server.request('DELETE', `/apps/${app.name}/source-rules/${id}`);
    const before = (await server.sourceCounters('tcp')).unknownToken;
    socket.end('<13>short-lived: two\n');
    await until('the count', async () => (await server.sourceCounters('tcp')).unknownToken > before);
    expect(await server.readMessages(app)).toEqual(['one']);
  });

  it('lets nobody else in: lines with another APP-NAME in octet counting are not taken with it', async () => {
    const app = await server.createApp();
    await rule(app, { source: 'one', tag: 'mine' });
    const line = (tag: string): Buffer => octetCounted(`<13>1 ${TIME} h ${tag} 1 - - ${tag}`);
    const before = (await server.sourceCounters('tcp')).unknownToken;
    await sendOverTcp(server.syslogPort, line('mine'), line('other'), line('mine'), line('other'));
    await until('the count', async () => (await server.sourceCounters('tcp')).unknownToken === before + 2);
    await arrived(app, 2);
    expect(await server.readMessages(app)).toEqual(['mine', 'mine']);
  });

  it('is added, listed and removed on the command line', async () => {
    const app = await server.createApp();
    const run = (...args: string[]) => runTailrace([...args, '-a', app.name], { env: server.env });
    expect((await run('sources')).stdout).toContain('has no rules');
    const added = await run('sources:add', '--source', 'db', '--network', '10.1.0.0/16', '--tag', 'postgres');
    expect(added).toMatchObject({ status: 0 });
    expect(added.stdout).toMatch(
      /^Lines with network 10\.1\.0\.0\/16, tag postgres go to .* as db \([\w-]+\)\n$/,
    );
    const listed = (await run('sources')).stdout;
    expect(listed).toMatch(/^db {2}network 10\.1\.0\.0\/16, tag postgres {2}[\w-]+\n$/);
    const id = listed.trim().split(/\s+/).at(-1)!;
    expect((await run('sources:remove', id)).stdout).toContain('Removed the rule for db');
    expect(await run('sources:remove', id)).toMatchObject({
      status: 1,
      stderr: ` ›   Error: Couldn't find that rule: ${id}.\n`,
    });
  });

  it.each([
    [{}, 'needs a condition'],
    [{ network: '10.0.0.0/33' }, 'is no network'],
    [{ network: '7' }, 'is no network'],
    [{ network: '10.1' }, 'is no network'],
    [{ port: 0 }, 'from 1 to 65535'],
    [{ port: 'x' }, 'must be a number'],
    [{ tag: 'a b' }, "can't stand in a line"],
    [{ tag: 7 }, 'must be a text'],
    [{ tag: 'x', hostnme: 'y' }, 'A rule has no condition'],
    [{ tag: 'x', source: 'a b' }, 'needs the name of its source'],
  ])('that can’t be met is rejected: %j', async (conditions, sentence) => {
    const app = await server.createApp();
    await expect(rule(app, { source: 'db', ...conditions })).rejects.toThrow(sentence);
  });
});
