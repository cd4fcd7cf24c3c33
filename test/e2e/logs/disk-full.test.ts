import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import {
  logplexBody,
  logplexLine,
  numberedMessages,
  postLogs,
  sendOverTcp,
} from '../../support/senders/send-lines.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** A disk of its own, as small as it was asked for; undefined when this machine doesn't let us have one. */
function smallDisk(megabytes: number): string | undefined {
  const folder = dataFolderForTest();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tailrace-test', folder], {
      stdio: 'ignore',
    });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return folder;
}

describe('a disk that is full', () => {
  it('503 while it is full, nothing that was acknowledged is lost, accepts again when there is room', async (context) => {
    const data = smallDisk(24);
    if (!data) return context.skip('a small disk can’t be mounted here');
    const server = await startServerForTest({ data });
    const app = await server.createApp();
    const folder = dataFolderForTest();
    const tailrace = (command: string, ...args: string[]) =>
      runTailrace([command, '-a', 'pushed', ...args], { env: server.env, cwd: folder });
    await server.createApp('pushed');
    writeFileSync(join(folder, 'Procfile'), 'task: true\n');
    writeFileSync(join(folder, 'large'), Buffer.alloc(3_000_000));
    expect((await tailrace('push')).stdout).toMatch(/Released v2/);
    const acknowledged: string[] = [];
    // Something else takes most of the disk.
    writeFileSync(join(data, 'somebody-elses'), Buffer.alloc(11_000_000));
    let refused = 0;
    for (let i = 0; refused < 3; i++) {
      const lines = numberedMessages(200, 'x'.repeat(400), i * 200);
      const { status, headers } = await postLogs(server, app.token, logplexBody(lines));
      if (status === 204) acknowledged.push(...lines);
      else {
        expect(status).toBe(503);
        expect(headers['retry-after']).toBeDefined();
        refused++;
      }
      expect(i).toBeLessThan(200);
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(await server.health()).toMatchObject({
      status: 503,
      body: { message: expect.stringMatching(/disk .* is full/) },
    });
    const first = await server.readMessages(app);
    expect(first.slice(0, acknowledged.length)).toEqual(acknowledged);
    // What is pushed is refused in the same words: what doesn't fit, and what doesn't when it is unpacked.
    for (const content of [randomBytes(20_000_000), Buffer.alloc(20_000_000)]) {
      writeFileSync(join(folder, 'large'), content);
      const { status, stdout, stderr } = await tailrace('push');
      expect([status, stdout + stderr]).toEqual([
        1,
        expect.stringContaining("The server's disk is full: make space, and try again."),
      ]);
    }
    // A terminal needs a certificate, and a dyno a copy of its slug.
    const rest = join(data, 'the-rest');
    expect(() => writeFileSync(rest, Buffer.alloc(24_000_000))).toThrow(/ENOSPC/);
    for (const command of ['run', 'run:detached'])
      expect((await tailrace(command, 'true')).stderr).toContain("The server's disk is full: make space");
    rmSync(rest);
    // Lines that nobody can be asked to send again wait until there is room.
    await sendOverTcp(server.syslogPort, `${logplexLine('by syslog', app.token)}\n`);
    await until('the server says so', () =>
      /The disk that holds the data folder is full/.test(server.program.stderr),
    );

    rmSync(join(data, 'somebody-elses'));
    await until(
      'lines are taken again',
      async () => (await postLogs(server, app.token, logplexBody(['again']))).status === 204,
    );
    await until('the line by syslog', async () => (await server.readMessages(app)).includes('by syslog'));
    await until('it is well', async () => (await server.health()).status === 200);
    await until('it says so', () => /lines are stored again/.test(server.program.stderr));

    await server.kill();
    const restarted = await startServerForTest({ data });
    const messages = await restarted.readMessages(app);
    expect(messages.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(messages).toContain('again');
    expect(messages).toContain('by syslog');
  });

  it('the same where it is a limit on the file', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data, shell: 'ulimit -f 1500' });
    const app = await server.createApp();
    const acknowledged: string[] = [];
    for (let i = 0; ; i++) {
      const lines = numberedMessages(200, 'x'.repeat(400), i * 200);
      const { status } = await postLogs(server, app.token, logplexBody(lines));
      if (status === 503) break;
      acknowledged.push(...lines);
      expect(i).toBeLessThan(100);
    }
    expect((await server.health()).status).toBe(503);
    expect((await server.readMessages(app)).slice(0, acknowledged.length)).toEqual(acknowledged);
    await server.kill();
    const restarted = await startServerForTest({ data });
    expect((await postLogs(restarted, app.token, logplexBody(['again']))).status).toBe(204);
    const messages = await restarted.readMessages(app);
    expect(messages.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(messages.at(-1)).toBe('again');
  });

  it('filled to the last byte by somebody else: 503, and the server lives', async (context) => {
    const data = smallDisk(24);
    if (!data) return context.skip('a small disk can’t be mounted here');
    const server = await startServerForTest({
      data,
      env: { TAILRACE_STREAM_LINES: '500', TAILRACE_HOLD_TIMEOUT: '1ms' },
    });
    const app = await server.createApp();
    for (let i = 0; i < 20; i++)
      await postLogs(server, app.token, logplexBody(numberedMessages(100, 'x'.repeat(400))));
    const filler = join(data, 'somebody-elses');
    for (let size = 16_000_000; size > 1_000; size = Math.floor(size / 2))
      try {
        writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // as much as there is room for
      }
    for (let i = 0; i < 10; i++)
      expect(
        (await postLogs(server, app.token, logplexBody(numberedMessages(100, 'x'.repeat(400))))).status,
      ).toBe(503);
    // Records are no exception: what can't be written isn't tried, as LMDB doesn't survive that.
    const changes = Array.from({ length: 200 }, (_, i) =>
      server.request('PATCH', `/apps/${app.name}/config-vars`, { [`VAR_${i}`]: 'x'.repeat(10_000) }),
    );
    for (const change of await Promise.allSettled([...changes, server.request('POST', '/apps', {})]))
      expect(change).toMatchObject({
        reason: { message: expect.stringMatching(/: 503 .*store_full/) },
      });
    rmSync(filler);
    await until('records are written again', () =>
      server.request('PATCH', `/apps/${app.name}/config-vars`, { VAR: 'x' }).then(
        () => true,
        () => false,
      ),
    );
    await until(
      'lines are taken again',
      async () => (await postLogs(server, app.token, logplexBody(['again']))).status === 204,
    );
    expect((await server.readMessages(app)).at(-1)).toBe('again');
    expect(server.program.hasExited).toBe(false);
  });
});
