import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { createTemporaryFolder } from '../../support/runner/memory-folder.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

describe('tailrace drains', () => {
  it('adds, lists and removes, and never prints a password', async () => {
    const app = await server.createApp('rill');
    const receiver = await startHttpReceiver();
    const url = receiver.url.replace('//', '//user:secret@');
    const run = (...args: string[]) => runTailrace([...args, '-a', 'rill'], { env: server.env });

    expect((await run('drains')).stdout).toContain('rill has no drains');
    const added = await run('drains:add', url);
    const shown = url.replace('secret', '****');
    expect(added.stdout).toMatch(/^Successfully added drain \S+ \(d\.[0-9a-f-]{36}\)\n$/);
    expect(added.stdout).toContain(shown);
    await pushLines(server, app.token, numberedMessages(1_234));
    await until('the delivery', async () => (await server.listDrains(app))[0].delivery.delivered === 1_234);
    const listed = await run('drains');
    expect(listed.stdout).toContain(shown);
    expect(listed.stdout).toMatch(/idle: 1,234 lines delivered, up to date/);
    const [json] = JSON.parse((await run('drains', '--json')).stdout);
    expect(json.delivery.delivered).toBe(1_234);

    const again = await run('drains:add', url);
    expect(again).toMatchObject({ status: 1, stderr: ' ›   Error: Url has already been taken.\n' });
    const removed = await run('drains:remove', url);
    expect(removed).toMatchObject({ status: 0, stdout: `Successfully removed drain ${shown}\n` });
    expect((await run('drains')).stdout).toContain('rill has no drains');
    expect(await run('drains:remove', url)).toMatchObject({
      status: 1,
      stderr: " ›   Error: Couldn't find that drain.\n",
    });
    for (const text of [added.stdout, listed.stdout, removed.stdout, server.program.stderr])
      expect(text).not.toContain('secret');
  });

  it('takes a URL from standard input, and headers from a file: neither is in the list of processes', async () => {
    await server.createApp('quiet');
    const receiver = await startHttpReceiver();
    const folder = createTemporaryFolder();
    writeFileSync(join(folder, 'headers'), 'X-Key: hidden\n\nX-Other: a: b\n');
    const run = (input: string, ...args: string[]) =>
      runTailrace([...args, '-a', 'quiet'], { env: server.env, input });
    const url = receiver.url.replace('//', '//user:secret@');
    const added = await run(`${url}\n`, 'drains:add', '-', '--header', `@${folder}/headers`, '--json');
    expect(added).toMatchObject({ status: 0, stderr: '' });
    const { id } = JSON.parse(added.stdout);
    await run('', 'log', 'a line');
    const headers = await until('the line', async () => receiver.requests.at(-1)?.headers);
    expect(headers).toMatchObject({ 'x-key': 'hidden', 'x-other': 'a: b' });
    expect(headers.authorization).toBe(`Basic ${Buffer.from('user:secret').toString('base64')}`);
    expect(await run(`${receiver.url}/new`, 'drains:update', id, '--url', '-')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('/new'),
    });
    const refused = [
      await run('', 'drains:add', '-'),
      await run('', 'drains:add', receiver.url, '--header', `@${folder}/none`),
      await run('', 'drains:add', receiver.url, '--header', `@${folder}`),
    ];
    expect(refused.map(({ status, stderr }) => [status, stderr.trimEnd().split('\n').length])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    expect(refused[1].stderr).toContain('none can’t be read (ENOENT)'.replace('’', "'"));
  });

  it('shows the last error of one that can’t be reached', async () => {
    const app = await server.createApp('dry');
    await server.createDrain(app, 'http://127.0.0.1:9/lines');
    await pushLines(server, app.token, numberedMessages(3));
    await until('the trouble', async () => (await server.listDrains(app))[0].delivery.lastError);
    const { stdout } = await runTailrace(['drains', '-a', 'dry'], { env: server.env });
    expect(stdout).toMatch(/retrying: 0 lines delivered, \d+ lines \(.*[\d.]+ s\) behind/);
    expect(stdout).toMatch(/last error: .*ECONNREFUSED.*\(\d{4}-/);
    expect(stdout).toMatch(/next attempt: \d{4}-/);
  });

  it.each(['nonsense', 'ftp://host/', 'https://', 'syslog://'])(
    'rejects %s with one sentence',
    async (url) => {
      const { name } = await server.createApp();
      const { status, stderr } = await runTailrace(['drains:add', url, '-a', name], { env: server.env });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
    },
  );
});
