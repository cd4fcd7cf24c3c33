/**
 * A name that is public when a drain is added, and this machine's a moment later: nothing may be sent, whatever the protocol and
 * whatever makes the drain connect. Names come from a file (libnss_wrapper), so that their addresses can change under the server.
 */

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { libraryPath, missing } from '../../../support/program.ts';
import { startHttpReceiver } from '../../../support/receivers/receivers.ts';
import { pushLines } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

/** A public address; nothing is sent while the name has it. */
const PUBLIC = '198.41.0.4';
const PROTOCOLS = ['http', 'https', 'syslog', 'syslog+tls'];

describe.skipIf(missing('libnss_wrapper.so'))('a name that changes its address (DNS rebinding)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-hosts-'));
  const hosts = join(folder, 'hosts');
  let changes = 0;
  let server: Server;
  let inside: TcpServer;
  let connections = 0;
  let port = 0;

  /** From now on every name of the tests has these addresses. */
  function resolveTo(...addresses: string[]): void {
    writeFileSync(hosts, addresses.map((address) => `${address} drain.example\n`).join(''));
    // The file is read again when its time, in seconds, is another.
    const time = 2_000_000_000 + ++changes;
    utimesSync(hosts, time, time);
  }

  beforeAll(async () => {
    resolveTo(PUBLIC);
    inside = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
    port = (inside.address() as AddressInfo).port;
    const env = {
      TAILRACE_ALLOW_PRIVATE_DRAINS: 'no',
      LD_PRELOAD: libraryPath('libnss_wrapper.so'),
      NSS_WRAPPER_HOSTS: hosts,
    };
    server = await startServer({ env });
  });
  afterAll(async () => {
    await server.close();
    inside.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const refusal = (app: App) =>
    until('the refusal', async () => {
      const { lastError } = (await server.listDrains(app))[0].delivery;
      return lastError?.includes('may not point at drain.example') && lastError;
    });

  it.each(PROTOCOLS)(
    '%s: no connection is made, by lines, a replay, a test, a resume or a changed drain',
    async (scheme) => {
      resolveTo(PUBLIC);
      const app = await server.createApp();
      await pushLines(server, app.token, ['stored before the drain']);
      const url = `${scheme}://drain.example:${port}`;
      const { id } = await server.createDrain(app, url);
      resolveTo('127.0.0.1');
      const before = connections;
      const action = (name: string, body?: object) =>
        server
          .request<unknown>('POST', `/apps/${app.name}/log-drains/${id}/actions/${name}`, body)
          .catch(String);
      await pushLines(server, app.token, ['are you there?']);
      expect(await refusal(app)).toContain('drain.example (127.0.0.1), which is this machine');
      await action('replay', { since: '1h' });
      await action('pause');
      await action('resume');
      const tested = await action('test');
      expect(JSON.stringify(tested)).toContain('may not point at drain.example');
      await pushLines(server, app.token, ['and now?']);
      await refusal(app);
      expect(connections).toBe(before);
      const changed = await server
        .request('PATCH', `/apps/${app.name}/log-drains/${id}`, { url: `${url}/elsewhere` })
        .catch(String);
      expect(changed).toContain('may not point at drain.example');
      await server.request('DELETE', `/apps/${app.name}/log-drains/${id}`);
    },
  );

  it.each(PROTOCOLS)('%s: whose addresses are all private is no target', async (scheme) => {
    resolveTo('127.0.0.1', '10.0.0.1', '::1');
    const app = await server.createApp();
    const refused = await server.createDrain(app, `${scheme}://drain.example:${port}`).catch(String);
    expect(refused).toContain('may not point at drain.example');
  });

  it('a redirect to such a name is not followed', async () => {
    resolveTo('127.0.0.1');
    const open = await startServer({
      env: { LD_PRELOAD: libraryPath('libnss_wrapper.so'), NSS_WRAPPER_HOSTS: hosts },
    });
    try {
      const outside = await startHttpReceiver(() => ({
        status: 307,
        headers: { location: `http://drain.example:${port}/` },
      }));
      const app = await open.createApp();
      await open.createDrain(app, outside.url);
      const before = connections;
      await pushLines(open, app.token, ['hello']);
      await until('two answers', () => outside.requests.length >= 2);
      expect(connections).toBe(before);
    } finally {
      await open.close();
    }
  });
});
