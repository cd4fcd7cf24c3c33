import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dataFolderForTest, spawnServer, startServerForTest } from '../../support/server.ts';

/** A program that can't start says one sentence, with what to do, and ends with 1. */
async function refusal(data: string, env: Record<string, string> = {}): Promise<string> {
  const program = spawnServer(data, { env });
  onTestFinished(() => void program.stop('SIGKILL'));
  const { status, stderr, stdout } = await program.exited;
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^ › {3}Error: [^\n]+\.\n$|^ › {3}Error: [^\n]+\?\n$/);
  expect(stderr).not.toMatch(/at .*\.js/);
  expect(status).toBe(1);
  return stderr;
}

async function takenPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return String(typeof address === 'object' ? address?.port : 0);
}

describe('serve', () => {
  it.each(['TAILRACE_HTTP_PORT', 'TAILRACE_SYSLOG_PORT', 'TAILRACE_ROUTER_PORT'])(
    '%s is taken: says so, and which setting to change',
    async (setting) => {
      const port = await takenPort();
      const said = await refusal(dataFolderForTest(), { [setting]: port });
      expect(said).toContain(`A port is taken: ${port} (by node, process ${process.pid};`);
      expect(said).toContain(setting);
    },
  );

  it('the data folder is in use by another server: says by which', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const said = await refusal(data);
    expect(said).toContain('in use by another tailrace');
    expect(said).toContain(String(first.program.pid));
    expect(said).toContain('TAILRACE_DATA');
    expect(await (await fetch(`${first.url}/health`)).json()).toEqual({ status: 'ok' });
  });

  it('the lock of a server that was killed doesn’t matter, nor one that names another process', async () => {
    const data = dataFolderForTest();
    await (await startServerForTest({ data })).kill();
    await (await startServerForTest({ data })).kill();
    writeFileSync(join(data, 'lock'), `${process.pid} 1\n`);
    await (await startServerForTest({ data })).kill();
    writeFileSync(join(data, 'lock'), '');
    await startServerForTest({ data });
  });

  it('the data folder is a file, or can’t be made: says so', async () => {
    const file = join(dataFolderForTest(), 'file');
    writeFileSync(file, 'hello');
    for (const said of await Promise.all([refusal(file), refusal('/proc/nowhere/a')]))
      expect(said).toContain('TAILRACE_DATA');
  });

  it('the store is something else: says so', async () => {
    const data = dataFolderForTest();
    mkdirSync(join(data, 'store.mdb'));
    expect(await refusal(data)).toContain('TAILRACE_DATA');
    const other = dataFolderForTest();
    writeFileSync(
      join(other, 'store.mdb'),
      'this is not a database, but it is long enough to look like one'.repeat(500),
    );
    expect(await refusal(other)).toContain('TAILRACE_DATA');
  });

  it('a variable that doesn’t exist: names the nearest', async () => {
    const said = await refusal(dataFolderForTest(), { TAILRACE_HTTP_PROT: '1' });
    expect(said).toContain('TAILRACE_HTTP_PROT');
    expect(said).toContain('did you mean TAILRACE_HTTP_PORT?');
  });

  it.each([
    ['TAILRACE_HTTP_PORT', 'http', 'TAILRACE_HTTP_PORT is "http": it must be a port'],
    ['TAILRACE_STREAM_BYTES', '-1', 'TAILRACE_STREAM_BYTES is "-1": it must be'],
    [
      'TAILRACE_STREAM_AGE',
      'soon',
      'TAILRACE_STREAM_AGE: "soon" is no duration: write a number with its unit',
    ],
    ['TAILRACE_STREAM_AGE', '5', 'TAILRACE_STREAM_AGE: "5" has no unit: write 5s, 5m, 5h or 5d'],
    ['TAILRACE_DURABILITY', 'maybe', 'TAILRACE_DURABILITY is "maybe": it must be'],
    ['TAILRACE_SYSLOG_TLS_CLIENT_CA', '/nowhere', 'there is no certificate for syslog over TLS'],
    ['TAILRACE_OIDC_CLIENT_ID', 'shop', "TAILRACE_OIDC_ISSUER isn't"],
    ['TAILRACE_PORT', '1', 'did you mean TAILRACE_HTTP_PORT?'],
  ])('%s=%s: says what it must be', async (name, value, expected) => {
    expect(await refusal(dataFolderForTest(), { [name]: value })).toContain(expected);
  });

  it('an address that isn’t this machine’s', async () => {
    expect(await refusal(dataFolderForTest(), { TAILRACE_HOST: '192.0.2.1' })).toContain('TAILRACE_HOST');
  });

  it('stops at SIGTERM and at Ctrl-C with 0, and leaves nothing behind that says it runs', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const server = await startServerForTest();
      expect(await server.program.stop(signal)).toMatchObject({ status: 0, stderr: '' });
    }
  });

  it('listens on this machine only, and needs a key for everything but /health', async () => {
    const server = await startServerForTest();
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    for (const path of [
      '/apps',
      '/status',
      '/account',
      '/apps/x/logs',
      '/apps/x/log-drains',
      '/apps/x/tokens',
    ])
      expect((await fetch(server.url + path)).status).toBe(401);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});
