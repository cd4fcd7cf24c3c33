/** Drains over TLS: whom they trust, whom they don't, and who is told. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, runTailrace } from '../../../support/program.ts';
import { startHttpReceiver } from '../../../support/receivers/receivers.ts';
import { httpsReceiver, tlsSyslogReceiver } from '../../../support/receivers/tls-receivers.ts';
import {
  type CertificateAndKey,
  CertificateAuthority,
} from '../../../support/senders/certificate-authority.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const without = missing('openssl');

describe.skipIf(without)('certificates', () => {
  const folder = temporaryFolder();
  let server: Server;
  let authority: CertificateAuthority;
  let good: CertificateAndKey;
  let expired: CertificateAndKey;
  let foreign: CertificateAndKey;
  let other: CertificateAndKey;
  let client: CertificateAndKey;
  beforeAll(async () => {
    authority = new CertificateAuthority(folder, 'ours');
    good = authority.issue('DNS:localhost,IP:127.0.0.1');
    expired = authority.issue('DNS:localhost', -1);
    foreign = authority.issue('DNS:elsewhere.example');
    other = new CertificateAuthority(folder, 'theirs').issue('DNS:localhost');
    client = authority.issue('DNS:client');
    server = await startServer();
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const add = async (app: App, url: string, ...flags: string[]) => {
    const added = await runTailrace(['drains:add', url, '-a', app.name, ...flags], { env: server.env });
    expect(added.stderr).toBe('');
  };
  const told = async (app: App, pattern: RegExp) =>
    until(`${pattern} in the stream`, async () =>
      (await server.readLines(app, 'lines=1000&source=heroku')).find((line) => pattern.test(line)),
    );

  it('syslog+tls delivers to a certificate of the given authority, and sends the server name (SNI)', async () => {
    const app = await server.createApp();
    const receiver = await tlsSyslogReceiver({ cert: good.cert, key: good.key });
    await add(app, `syslog+tls://localhost:${receiver.port}`, '--ca', authority.certFile);
    await pushLines(server, app.token, numberedMessages(100));
    await until('the lines', () => receiver.messages().length === 100);
    expect(receiver.messages()).toEqual(numberedMessages(100));
    expect(receiver.serverNames).toEqual(['localhost']);
  });

  it('https does too', async () => {
    const app = await server.createApp();
    const receiver = await httpsReceiver({ cert: good.cert, key: good.key });
    await add(app, `https://localhost:${receiver.port}/lines`, '--ca', authority.certFile);
    await pushLines(server, app.token, numberedMessages(100));
    await until('the lines', () => receiver.messages().length === 100);
    expect(receiver.messages()).toEqual(numberedMessages(100));
  });

  it.each(['syslog+tls', 'https'])(
    '%s delivers nothing to an untrusted certificate, and reports it (L14)',
    async (scheme) => {
      const app = await server.createApp();
      const bad = await httpsReceiver({ cert: good.cert, key: good.key });
      await add(app, `${scheme}://localhost:${bad.port}/`);
      await pushLines(server, app.token, numberedMessages(3));
      const l14 = await told(app, /L14/);
      expect(l14).toContain(
        `heroku[logplex]: Error L14 (certificate validation): error="unable to verify the first certificate: the destination doesn't send its whole chain, or its authority isn't known here (--ca)" uri="${scheme}://localhost:${bad.port}/"`,
      );
      expect(bad.messages()).toEqual([]);
    },
  );

  it.each([
    ['an expired certificate', () => expired, 'certificate has expired'],
    ['a certificate for another host', () => foreign, "Hostname/IP does not match certificate's altnames"],
    ['a certificate of another authority', () => other, 'unable to verify the first certificate'],
  ])('nothing is delivered to %s', async (_, pair, reason) => {
    const app = await server.createApp();
    const receiver = await httpsReceiver({ cert: pair().cert, key: pair().key });
    await add(app, `https://localhost:${receiver.port}/`, '--ca', authority.certFile);
    await pushLines(server, app.token, ['hello']);
    expect(await told(app, /L14/)).toContain(`error="${reason}`);
    expect(receiver.messages()).toEqual([]);
  });

  it('lines wait while a certificate is invalid, and are delivered when it is valid again', async () => {
    const app = await server.createApp();
    const bad = await httpsReceiver({ cert: expired.cert, key: expired.key });
    await add(app, `https://localhost:${bad.port}/`, '--ca', authority.certFile);
    await pushLines(server, app.token, numberedMessages(10));
    await told(app, /certificate has expired/);
    await bad.close();
    const mended = await httpsReceiver({ cert: good.cert, key: good.key }, bad.port);
    await told(app, /accepts lines again/);
    expect(mended.messages().filter((message) => message.startsWith('line '))).toEqual(numberedMessages(10));
  });

  it('#insecure and --insecure accept any certificate', async () => {
    const app = await server.createApp();
    const syslog = await tlsSyslogReceiver({ cert: expired.cert, key: expired.key });
    const https = await httpsReceiver({ cert: foreign.cert, key: foreign.key });
    await add(app, `syslog+tls://localhost:${syslog.port}#insecure`);
    await add(app, `https://localhost:${https.port}/`, '--insecure');
    await pushLines(server, app.token, ['hello']);
    await until('both', () => syslog.messages().length === 1 && https.messages().length === 1);
  });

  it('a client certificate is sent to a destination that requests one; --server-name is sent (SNI)', async () => {
    const app = await server.createApp();
    const strict = { cert: foreign.cert, key: foreign.key, ca: authority.cert, requestCert: true };
    const receiver = await tlsSyslogReceiver({ ...strict, rejectUnauthorized: true });
    const url = `syslog+tls://127.0.0.1:${receiver.port}`;
    const flags = ['--ca', authority.certFile, '--server-name', 'elsewhere.example'];
    await add(app, url, ...flags, '--cert', client.certFile, '--key', client.keyFile);
    await pushLines(server, app.token, ['hello']);
    await until('the line', () => receiver.messages().length === 1);
    expect(receiver.serverNames).toEqual(['elsewhere.example']);
    expect(receiver.clientNames).toEqual(['tailrace-test']);
    const { stdout } = await runTailrace(['drains:info', '-a', app.name], { env: server.env });
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  it('drains:test shows the duration of the handshake, or why it failed', async () => {
    const app = await server.createApp();
    const receiver = await httpsReceiver({ cert: good.cert, key: good.key });
    const url = `https://localhost:${receiver.port}/`;
    await add(app, url);
    const refused = await runTailrace(['drains:test', '-a', app.name], { env: server.env });
    expect(refused.stdout).toContain(
      "The test line was not accepted: unable to verify the first certificate: the destination doesn't send its whole chain",
    );
    await runTailrace(['drains:remove', url, '-a', app.name], { env: server.env });
    await add(app, url, '--ca', authority.certFile);
    const accepted = await runTailrace(['drains:test', '-a', app.name], { env: server.env });
    expect(accepted.stdout).toMatch(
      /name resolved +\S+ ms\nconnected +\S+ ms\nTLS handshake +\S+ ms\nanswered/,
    );
  });

  it.each([
    [
      'without TLS',
      async () => (await startHttpReceiver()).port,
      "wrong version number: the destination doesn't speak TLS at this port",
    ],
    [
      'that wants a client certificate',
      async () => (await httpsReceiver({ ...good, ca: authority.cert, requestCert: true })).port,
      'alert certificate required: the destination wants a client certificate (--cert, --key)',
    ],
  ])(
    'a destination %s: the reason is a sentence, not a line of OpenSSL’s source',
    async (_, port, reason) => {
      const app = await server.createApp();
      await add(app, `https://localhost:${await port()}/`, '--ca', authority.certFile);
      const { stdout } = await runTailrace(['drains:test', '-a', app.name], { env: server.env });
      expect(stdout).toContain(reason);
      expect(stdout).not.toContain('routines');
    },
  );

  it('files that are no certificates are rejected when the drain is added', async () => {
    const app = await server.createApp();
    const url = 'syslog+tls://localhost:6514';
    const nothing = await runTailrace(['drains:add', url, '-a', app.name, '--ca', '/nowhere.pem'], {
      env: server.env,
    });
    expect(nothing.stderr).toContain("/nowhere.pem can't be read (ENOENT): name an existing PEM file.");
    const half = await runTailrace(['drains:add', url, '-a', app.name, '--cert', client.certFile], {
      env: server.env,
    });
    expect(half.stderr).toContain('A client certificate needs both: cert and key.');
  });
});
