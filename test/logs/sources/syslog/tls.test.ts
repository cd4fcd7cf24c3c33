import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../../support/program.ts';
import {
  type ClientCertificates,
  makeClientCertificates,
} from '../../../support/senders/client-certificates.ts';
import {
  logplexLine,
  numberedMessages,
  octetCounted,
  sendOverTcp,
} from '../../../support/senders/send-lines.ts';
import {
  type Server,
  spawnServer,
  startServer,
  startServerForTest,
  temporaryFolder,
} from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const absent = missing('openssl');
let folder: string;
let files: ClientCertificates;
let server: Server;
const settings = (): Record<string, string> => ({
  TAILRACE_SYSLOG_TLS_CERT: files.serverCert,
  TAILRACE_SYSLOG_TLS_KEY: files.serverKey,
  TAILRACE_SYSLOG_TLS_CLIENT_CA: files.authority,
  TAILRACE_LOG_LEVEL: 'info',
});
beforeAll(async () => {
  if (absent) return;
  folder = temporaryFolder();
  files = makeClientCertificates(folder);
  server = await startServer({ env: settings() });
});
afterAll(async () => {
  await server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Sends bytes over TLS; resolves when the connection has ended, with the error if it didn't end well. */
function sendTls(
  port: number,
  bytes: string | Buffer,
  options: ConnectionOptions = {},
  before?: Buffer,
): Promise<string> {
  return new Promise((resolve) => {
    const ca = readFileSync(files.authority);
    const start = (socket?: ReturnType<typeof connectTcp>): void => {
      const secure = connect({
        ...(socket ? { socket } : { host: '127.0.0.1', port }),
        servername: 'localhost',
        ca,
        ...options,
      });
      let failure = '';
      secure.on('error', (error) => {
        failure = error.message;
      });
      secure.on('close', () => resolve(failure));
      secure.resume();
      secure.end(bytes);
    };
    if (!before) return start();
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(before, () => start(socket)));
  });
}

describe.skipIf(absent)('syslog over TLS', () => {
  it('takes lines with a token, like TCP', async () => {
    const app = await server.createApp();
    expect(
      await sendTls(
        server.tlsPort,
        Buffer.concat(numberedMessages(500).map((message) => octetCounted(logplexLine(message, app.token)))),
      ),
    ).toBe('');
    await until('all lines', async () => (await server.readMessages(app)).length === 500);
    expect(await server.readMessages(app)).toEqual(numberedMessages(500));
    expect((await server.sourceCounters('tls')).lines).toBeGreaterThanOrEqual(500);
  });

  it.each(['web-1', 'CN=web-1', 'O=Example'])(
    'a client’s certificate, by a rule for %s',
    async (certificate) => {
      const app = await server.createApp();
      const { id } = await server.request<{ id: string }>('POST', `/apps/${app.name}/source-rules`, {
        source: 'edge',
        certificate,
      });
      const identity = { cert: readFileSync(files.clientCert), key: readFileSync(files.clientKey) };
      const text = '<13>1 - - cron 5 - - hello\n';
      const before = (await server.sourceCounters('tls')).unknownToken;
      await sendTls(server.tlsPort, text, identity);
      await until('the line', async () => (await server.readLines(app)).length === 1);
      expect((await server.readLines(app))[0]).toMatch(/ edge\[cron\.5\]: hello$/);
      await sendTls(server.tlsPort, text);
      await until('the count', async () => (await server.sourceCounters('tls')).unknownToken === before + 1);
      await server.request('DELETE', `/apps/${app.name}/source-rules/${id}`);
    },
  );

  it('a certificate of another authority is rejected, whatever its subject', async () => {
    const app = await server.createApp();
    await server.request('POST', `/apps/${app.name}/source-rules`, {
      source: 'edge',
      certificate: 'CN=web-1',
    });
    const before = (await server.sourceCounters('tls')).cut;
    const stranger = { cert: readFileSync(files.selfSignedCert), key: readFileSync(files.selfSignedKey) };
    await sendTls(server.tlsPort, `${logplexLine('no', app.token)}\n`, stranger);
    await until('the cut', async () => (await server.sourceCounters('tls')).cut > before);
    expect(await server.readMessages(app)).toEqual([]);
  });

  it('an authority that is removed ends the connections that it had let in, open as they are; one that is added, none', async () => {
    const app = await server.createApp();
    await server.request('POST', `/apps/${app.name}/source-rules`, {
      source: 'open',
      tag: 'cron',
      certificate: 'CN=web-1',
    });
    const [ours, theirs] = [readFileSync(files.authority), readFileSync(files.selfSignedCert)];
    const loaded = async (authority: Buffer): Promise<void> => {
      const count = (): number => server.program.stderr.split('a certificate was read anew').length;
      const before = count();
      writeFileSync(files.authority, authority);
      await until('the new authority', () => {
        server.program.child.kill('SIGHUP');
        return count() > before;
      });
    };
    const secure = connect({
      host: '127.0.0.1',
      port: server.tlsPort,
      ca: ours,
      servername: 'localhost',
      cert: readFileSync(files.clientCert),
      key: readFileSync(files.clientKey),
    });
    let isClosed = false;
    secure.on('error', () => {});
    secure.on('close', () => {
      isClosed = true;
    });
    secure.resume();
    const send = async (count: number): Promise<void> => {
      secure.write(`<134>1 - web cron 5 - - line ${count}\n`);
      await until(`${count} lines`, async () => (await server.readLines(app)).length === count);
    };
    await send(1);
    await loaded(Buffer.concat([ours, theirs]));
    await send(2);
    const { cut } = await server.sourceCounters('tls');
    await loaded(theirs);
    await until('the end', () => isClosed);
    expect((await server.sourceCounters('tls')).cut).toBe(cut + 1);
    await loaded(ours);
  });

  it('plain syslog on the TLS port and TLS on the plain port are counted, and others go on', async () => {
    const app = await server.createApp();
    const before = [await server.sourceCounters('tls'), await server.sourceCounters('tcp')];
    await sendOverTcp(server.tlsPort, `${logplexLine('plain', app.token)}\n`).catch(() => {});
    expect(await sendTls(server.syslogPort, 'x')).not.toBe('');
    await until('both counts', async () => {
      const now = [await server.sourceCounters('tls'), await server.sourceCounters('tcp')];
      return now.every(({ malformed }, i) => malformed > before[i].malformed);
    });
    await until('the reason', () =>
      server.program.stderr.includes('speaks TLS to the port for plain syslog'),
    );
    await sendTls(server.tlsPort, `${logplexLine('good', app.token)}\n`);
    await until('the line', async () => (await server.readMessages(app)).length === 1);
  });

  it.each([
    ['half of it', { TAILRACE_SYSLOG_TLS_CERT: '/dev/null' }, 'needs both'],
    [
      'no file',
      { TAILRACE_SYSLOG_TLS_CERT: '/nowhere', TAILRACE_SYSLOG_TLS_KEY: '/nowhere' },
      "which can't be read (ENOENT)",
    ],
    [
      'no PEM',
      { TAILRACE_SYSLOG_TLS_CERT: '/etc/hosts', TAILRACE_SYSLOG_TLS_KEY: '/etc/hosts' },
      "can't be used",
    ],
  ])('a certificate that is %s: one sentence', async (_name, env, sentence) => {
    const data = temporaryFolder();
    const ended = await spawnServer(data, { env }).exited;
    rmSync(data, { recursive: true, force: true });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(sentence);
    expect(ended.stderr).not.toContain('    at ');
  });
});

describe.skipIf(absent)('behind a load balancer', () => {
  const v2 = (...address: number[]): Buffer =>
    Buffer.from([
      ...Buffer.from('\r\n\r\n\0\r\nQUIT\n'),
      0x21,
      0x11,
      0,
      12,
      ...address,
      127,
      0,
      0,
      1,
      0x30,
      0x39,
      0x17,
      0x71,
    ]);

  it('the PROXY protocol’s address is the sender’s, over TCP and TLS, whole or in pieces', async () => {
    const own = await startServerForTest({ env: { ...settings(), TAILRACE_PROXY_PROTOCOL: 'yes' } });
    const app = await own.createApp();
    // 10.0.0.0/8, as IPv6 has it.
    const network = '::ffff:10.0.0.0/104';
    await own.request('POST', `/apps/${app.name}/source-rules`, { source: 'ten', network });
    const text = '<13>prog: hello\n';
    await sendOverTcp(own.syslogPort, `PROXY TCP4 10.1.2.3 127.0.0.1 40000 6001\r\n${text}`);
    await sendOverTcp(own.syslogPort, Buffer.concat([v2(10, 9, 8, 7), Buffer.from(text)]));
    await sendOverTcp(
      own.syslogPort,
      ...[...Buffer.concat([v2(10, 5, 5, 5), Buffer.from(text)])].map((byte) => Buffer.from([byte])),
    );
    await sendTls(own.tlsPort, text, {}, v2(10, 4, 4, 4));
    await sendTls(own.tlsPort, text, {}, Buffer.from('PROXY TCP4 10.3.3.3 127.0.0.1 40000 6514\r\n'));
    await sendOverTcp(own.syslogPort, `PROXY TCP6 ::ffff:10.2.2.2 ::1 40000 6001\r\n${text}`);
    await until('all lines', async () => (await own.readLines(app)).length === 6);
    const hosts = (await own.readLines(app, 'format=json')).map((json) => JSON.parse(json).hostname);
    expect(hosts.sort()).toEqual(['10.1.2.3', '10.2.2.2', '10.3.3.3', '10.4.4.4', '10.5.5.5', '10.9.8.7']);
    const before = (await own.sourceCounters('tcp')).malformed;
    for (const bad of [
      `${logplexLine('no header', app.token)}\n`,
      'PROXY TCP4 10.1.2 127.0.0.1 1 2\r\n',
      'PROXY \r\n',
      `PROXY TCP4 ${'1'.repeat(200)}`,
      Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n'), 0x31, 0x11, 0, 12]),
    ])
      await sendOverTcp(own.syslogPort, bad).catch(() => {});
    await until('the counts', async () => (await own.sourceCounters('tcp')).malformed >= before + 5);
    await until('the reason', () => own.program.stderr.includes('a connection has no PROXY header in front'));
    expect(own.program.stderr.match(/no PROXY header/g)).toHaveLength(1);
    expect(own.program.stderr).not.toContain('lines were malformed');
  });

  it('a failed handshake is told with its reason, a connection that only looks is not, nor a PROXY header that isn’t asked for', async () => {
    const app = await server.createApp();
    const before = (await server.sourceCounters('tls')).malformed;
    const looks = await connectTcp(server.tlsPort);
    looks.end();
    await once(looks, 'close');
    expect((await server.sourceCounters('tls')).malformed).toBe(before);
    await sendOverTcp(server.tlsPort, `${logplexLine('plain', app.token)}\n`).catch(() => {});
    await until('the count', async () => (await server.sourceCounters('tls')).malformed === before + 1);
    await until('the reason', () =>
      /"reason":"ERR_SSL_\w+".*a sender's TLS handshake failed/.test(server.program.stderr),
    );
    await sendOverTcp(
      server.syslogPort,
      `PROXY TCP4 10.1.2.3 127.0.0.1 40000 6001\r\n${logplexLine('behind', app.token)}\n`,
    );
    await until('the line behind it', async () => (await server.readMessages(app)).includes('behind'));
    await until('the reason', () =>
      server.program.stderr.includes('a connection begins with a PROXY header, which is not asked for'),
    );
  });
});
