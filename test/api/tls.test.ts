/** TLS at the API, the HTTP router and syslog: what is spoken there, and certificates that are renewed while the server runs. */
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request as sendRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { missing, Program, runTailrace, TAILRACE } from '../support/program.ts';
import { type CertificateAndKey, CertificateAuthority } from '../support/senders/certificate-authority.ts';
import { type App, type Server, spawnServer, startServer, temporaryFolder } from '../support/server.ts';
import { until } from '../support/until.ts';

const absent = missing('openssl');
const API = 'logs.example.com';
const DOMAIN = 'apps.example.com';

let folder: string;
let authority: CertificateAuthority;
/** What the server is told of: copies of these are moved into their places. */
let certFile: string;
let keyFile: string;
let server: Server;
let app: App;
let port: number;

/** A certificate whose serial number tells it from others. */
const issue = (days?: number): CertificateAndKey =>
  authority.issue(`DNS:${API},DNS:localhost,DNS:*.${DOMAIN},IP:127.0.0.1`, days);

beforeAll(async () => {
  if (absent) return;
  folder = temporaryFolder();
  authority = new CertificateAuthority(folder);
  [certFile, keyFile] = [join(folder, 'fullchain.pem'), join(folder, 'privkey.pem')];
  const [first, other] = [issue(), authority.issue('DNS:www.shop.example')];
  copyFileSync(first.certFile, certFile);
  copyFileSync(first.keyFile, keyFile);
  port = await freePort();
  server = await startServer({
    env: {
      TAILRACE_HOST: '0.0.0.0',
      TAILRACE_TLS_CERT: `${certFile}:${other.certFile}`,
      TAILRACE_TLS_KEY: `${keyFile}:${other.keyFile}`,
      TAILRACE_PUBLIC_URL: `https://${API}:${port}`,
      TAILRACE_APPS_DOMAIN: `https://${DOMAIN}:${port}`,
      // One port for both: names tell them apart.
      TAILRACE_HTTP_TLS_PORT: String(port),
      TAILRACE_ROUTER_TLS_PORT: String(port),
      TAILRACE_LOG_LEVEL: 'info',
    },
  });
  app = await server.createApp('shop');
});
afterAll(async () => {
  await server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Serial number of the certificate that is shown for a name. */
function serialAt(to: number, servername = API): Promise<string> {
  return new Promise((resolve, reject) => {
    const options: ConnectionOptions = { host: '127.0.0.1', port: to, servername, ca: authority.cert };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }).on('error', reject);
  });
}

const agents: Agent[] = [];
afterAll(() => {
  for (const agent of agents) agent.destroy();
});

/** One request; with an agent several go over one connection. */
function send(
  host: string,
  path: string,
  { body, ...options }: RequestOptions & { body?: string } = {},
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const request = sendRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        servername: host,
        ca: authority.cert,
        ...options,
        headers: { host: `${host}:${port}`, ...options.headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
        );
      },
    );
    request.on('error', reject).end(body);
  });
}

const trouble = async (): Promise<string | null | undefined> => {
  const { certificates } = await server.request<{
    certificates: { file: string; trouble: string | null }[];
  }>('GET', '/status');
  return certificates.find(({ file }) => file === certFile)?.trouble;
};

/** Puts a pair in place as `install` does: the certificate first. */
function install({ certFile: cert, keyFile: key }: CertificateAndKey): void {
  for (const [from, to] of [
    [cert, certFile],
    [key, keyFile],
  ]) {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }
}

const serialOf = ({ cert }: CertificateAndKey): Promise<string> =>
  import('node:crypto').then(({ X509Certificate }) => new X509Certificate(cert).serialNumber);

describe.skipIf(absent)('a server with a certificate', () => {
  it('takes lines over TLS, several requests on one connection, and those of other forms behind them', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const authorization = `Basic ${Buffer.from(`token:${app.token}`).toString('base64')}`;
    const post = (count: number, type: string, text: string) =>
      send(API, '/logs', {
        method: 'POST',
        agent,
        headers: { authorization, 'content-type': type, 'logplex-msg-count': String(count) },
        body: text,
      });
    const frame = (text: string): string => {
      const line = `<14>1 2026-11-29T00:00:00+00:00 h ${app.token} web.1 - - ${text}`;
      return `${line.length} ${line}`;
    };
    const type = 'application/logplex-1';
    expect((await post(1, type, frame('one'))).status).toBe(204);
    const large = 'x'.repeat(9_000);
    expect((await post(2, type, frame('two') + frame(large))).status).toBe(204);
    expect((await post(1, 'text/plain', 'three')).status).toBe(204);
    expect((await post(1, type, frame('four'))).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(['one', 'two', large, 'three', 'four']);
  });

  it('serves the page, commands and a live tail over WebSocket', async () => {
    const page = await send('localhost', '/');
    // Names that aren't the API's are apps: there is none that runs.
    expect(page.status).toBe(404);
    expect((await send(API, '/')).text).toContain('<!doctype html>');
    const env = {
      TAILRACE_URL: `https://127.0.0.1:${port}`,
      TAILRACE_API_KEY: server.key,
      NODE_EXTRA_CA_CERTS: authority.certFile,
    };
    const tail = new Program(process.execPath, [TAILRACE, 'logs', '-a', 'shop', '--tail', '--num', '1'], {
      env,
    });
    await tail.waitForOutput(/four/);
    await send(API, '/logs?dyno=web.2', {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, 'content-type': 'text/plain' },
      body: 'live',
    });
    await tail.waitForOutput(/live/);
    await tail.stop('SIGTERM');
    const status = await runTailrace(['status'], { env });
    expect(status.stdout).toMatch(/fullchain\.pem +logs\.example\.com, .*127\.0\.0\.1 +20\d\d-/);
    const { NODE_EXTRA_CA_CERTS: _unused, ...strangers } = env;
    const refused = await runTailrace(['status'], { env: strangers });
    expect(refused.stderr).toMatch(
      /The certificate of the server at https:\S+ isn't accepted \([A-Z_]+\): name the file of the authority that signed it in NODE_EXTRA_CA_CERTS;/,
    );
  });

  it('chooses by the name that is asked for, and shows each its own certificate', async () => {
    const [api, app, own] = [API, `shop.${DOMAIN}`, 'www.shop.example'];
    expect(await serialAt(port, api)).toBe(await serialAt(port, app));
    expect(await serialAt(port, own)).not.toBe(await serialAt(port, api));
    expect((await send(API, '/health')).status).toBe(200);
    // The HTTP router's page, not the API's sentence.
    expect((await send(`nobody.${DOMAIN}`, '/health', { headers: { accept: 'text/html' } })).text).toMatch(
      /No app answers to this name/,
    );
  });

  it('speaks HTTP without TLS on this machine alone, and says what the other port is for', async () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      connectTcp(port, '127.0.0.1')
        .on('data', (chunk) => {
          text += chunk;
        })
        .on('error', reject)
        .on('close', () => resolve(text))
        .write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*This port speaks HTTPS, not HTTP: use https:\/\/\./s);
  });

  it('is negotiated once for each connection: who wants to begin anew is refused', async () => {
    for (const to of [port, server.tlsPort]) {
      const socket = connect({
        host: '127.0.0.1',
        port: to,
        servername: API,
        ca: authority.cert,
        maxVersion: 'TLSv1.2',
      });
      const why = await new Promise<string>((resolve) => {
        socket.on('error', (error) => resolve(error.message));
        socket.once('secureConnect', () => {
          expect(socket.renegotiate({}, (error) => resolve(error ? error.message : 'it was'))).toBe(true);
        });
      });
      expect(why).toMatch(/no renegotiation/);
      socket.destroy();
    }
  });

  it('is used for syslog, too', async () => {
    expect(server.tlsPort).toBeGreaterThan(0);
    expect(await serialAt(server.tlsPort)).toBe(await serialAt(port));
  });

  it('reads a new pair by itself, whichever way it comes; connections that are open go on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    expect((await send(API, '/health', { agent })).status).toBe(200);
    // As certbot has it: links into a folder of versions.
    const linked = issue();
    for (const [to, from] of [
      [certFile, linked.certFile],
      [keyFile, linked.keyFile],
    ]) {
      symlinkSync(from, `${to}.link`);
      renameSync(`${to}.link`, to);
    }
    const serial = await serialOf(linked);
    await until('the new certificate', async () => (await serialAt(port)) === serial);
    expect(await serialAt(server.tlsPort)).toBe(serial);
    expect((await send(API, '/health', { agent })).status).toBe(200);
    // As Kubernetes has it: the files are links through a folder that is swapped.
    const versions = [issue(), issue()];
    const swap = join(folder, '..data');
    versions.forEach(({ certFile: cert, keyFile: key }, i) => {
      mkdirSync(join(folder, `v${i}`));
      copyFileSync(cert, join(folder, `v${i}`, 'fullchain.pem'));
      copyFileSync(key, join(folder, `v${i}`, 'privkey.pem'));
    });
    symlinkSync('v0', swap);
    for (const file of [certFile, keyFile]) {
      rmSync(file);
      symlinkSync(join('..data', file.slice(folder.length + 1)), file);
    }
    server.program.child.kill('SIGHUP');
    await until(
      'the first of Kubernetes',
      async () => (await serialAt(port)) === (await serialOf(versions[0])),
    );
    symlinkSync('v1', `${swap}.new`);
    renameSync(`${swap}.new`, swap);
    server.program.child.kill('SIGHUP');
    await until('the second', async () => (await serialAt(port)) === (await serialOf(versions[1])));
    for (const file of [certFile, keyFile]) rmSync(file);
    install(versions[1]);
  });

  it('keeps the old pair when the new one is of no use, and says so everywhere until it is', async () => {
    const old = await serialAt(port);
    const good = issue();
    const doctor = () => runTailrace(['doctor'], { env: { TAILRACE_DATA: server.data } });
    for (const [what, spoil, sentence] of [
      ['of another key', () => copyFileSync(issue().certFile, certFile), /is not the key of/],
      ['half written', () => writeFileSync(certFile, good.cert.slice(0, 400)), /can't be used/],
      ['not there', () => rmSync(certFile), /can't be read \(ENOENT\)/],
      ['expired', () => install(issue(-1)), /has expired/],
    ] as const) {
      spoil();
      server.program.child.kill('SIGHUP');
      await until(`trouble: ${what}`, async () => sentence.test((await trouble()) ?? ''));
      expect(await serialAt(port)).toBe(old);
    }
    await until('what the log says of it', () =>
      /a changed certificate can't be used: .*has expired/.test(server.program.stderr),
    );
    const metrics = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    const text = await metrics.text();
    expect(text).toContain(`tailrace_certificate_stale{file="${certFile}"} 1`);
    expect(text).toMatch(/tailrace_certificate_expiry_timestamp_seconds\{file="[^"]+"\} 1\d{9}/);
    expect(await doctor()).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/fullchain\.pem.*has expired/),
    });
    install(good);
    const serial = await serialOf(good);
    await until('the good one, without a signal', async () => (await serialAt(port)) === serial);
    expect(await trouble()).toBeNull();
    // It is for two days.
    expect((await doctor()).stdout).toMatch(/fullchain\.pem expires in 1 days: renew it/);
  });
});

it.skipIf(absent).each([
  [
    'a key is missing',
    { TAILRACE_TLS_CERT: '/dev/null' },
    /needs both TAILRACE_TLS_CERT and TAILRACE_TLS_KEY/,
  ],
  [
    'nothing is there',
    { TAILRACE_TLS_CERT: '/nowhere', TAILRACE_TLS_KEY: '/nowhere' },
    /TAILRACE_TLS_CERT is "\/nowhere", which can't be read \(ENOENT\)/,
  ],
])('%s: one sentence at the start', async (_name, env, sentence) => {
  const { status, stderr } = await spawnServer(temporaryFolder(), { env }).exited;
  expect([status, stderr.trim().split('\n').length]).toEqual([1, 1]);
  expect(stderr).toMatch(sentence);
});
