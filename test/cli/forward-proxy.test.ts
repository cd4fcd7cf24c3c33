/** Commands through a proxy, as companies have them: names are its to resolve, tunnels are for port 443 alone or for none, and it wants a password. */
import { rmSync } from 'node:fs';
import { createServer, type Server as HttpServer, request as sendRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { Program, runTailrace, TAILRACE } from '../support/program.ts';
import { CertificateAuthority } from '../support/senders/certificate-authority.ts';
import { pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../support/server.ts';

const CREDENTIALS = `Basic ${btoa('ann:p@ss')}`;

let server: Server;
let app: App;
let folder: string;
let tlsPort: number;
let authority: CertificateAuthority;
let proxy: HttpServer;
let proxyUrl: string;
/** What was asked of the proxy. */
let asked: string[] = [];
let tunnels = true;
/** Does it pass requests on, and break off then? */
let breaks = false;

beforeAll(async () => {
  folder = temporaryFolder();
  authority = new CertificateAuthority(folder);
  const { certFile, keyFile } = authority.issue('DNS:logs.example.test');
  tlsPort = await freePort();
  server = await startServer({
    env: {
      TAILRACE_TLS_CERT: certFile,
      TAILRACE_TLS_KEY: keyFile,
      TAILRACE_HTTP_TLS_PORT: String(tlsPort),
    },
  });
  app = await server.createApp('far');
  await pushLines(server, app.token, ['one']);
  proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.headers['proxy-authorization'] !== CREDENTIALS) {
      response.writeHead(407).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const { port } = new URL(server.url);
    const passed = sendRequest(
      { port, path: pathname.replace(/^\/below/, '') + search, method: request.method, headers },
      (answer) => {
        if (breaks) {
          response.destroy();
          return;
        }
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => {});
    if (!tunnels || request.headers['proxy-authorization'] !== CREDENTIALS) {
      socket.end(`HTTP/1.1 ${tunnels ? '407 Proxy Authentication Required' : '403 Forbidden'}\r\n\r\n`);
      return;
    }
    const port = String(request.url).endsWith(`:${tlsPort}`) ? tlsPort : Number(new URL(server.url).port);
    const target = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    target.on('error', () => socket.destroy());
    target.pipe(socket).pipe(target);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxyUrl = `http://ann:p%40ss@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterAll(async () => {
  proxy.close();
  proxy.closeAllConnections();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const env = (scheme: 'http' | 'https', more: Record<string, string> = {}): Record<string, string> => ({
  TAILRACE_URL: `${scheme}://logs.example.test:${scheme === 'https' ? tlsPort : new URL(server.url).port}`,
  TAILRACE_API_KEY: server.key,
  NODE_EXTRA_CA_CERTS: authority.certFile,
  [`${scheme.toUpperCase()}_PROXY`]: proxyUrl,
  ...more,
});

it.each(['http', 'https'] as const)(
  'a request, lines and a tail that stays go through it: %s',
  async (scheme) => {
    asked = [];
    tunnels = true;
    const info = await runTailrace(['apps'], { env: env(scheme) });
    expect([info.stderr, info.stdout]).toEqual(['', expect.stringContaining('far')]);
    const tail = new Program(process.execPath, [TAILRACE, 'logs', '-a', 'far', '--tail'], {
      env: env(scheme),
    });
    onTestFinished(async () => {
      await tail.stop('SIGKILL');
    });
    await tail.waitForOutput(/one\n/);
    await pushLines(server, app.token, [`live over ${scheme}`]);
    await tail.waitForOutput(new RegExp(`live over ${scheme}\n`));
    expect(tail.stderr).toBe('');
    const isDirect = scheme === 'http';
    expect(asked[0]).toMatch(
      isDirect ? /^GET http:\/\/logs\.example\.test:\d+\/apps$/ : /^CONNECT logs\.example\.test:\d+$/,
    );
    expect(asked.at(-1)).toMatch(/^CONNECT /);
  },
);

it('a tail goes on by events where it makes no tunnels, at the path that the server has', async () => {
  asked = [];
  tunnels = false;
  const once = await runTailrace(['logs', '-a', 'far', '-n', '100'], {
    env: env('http', { TAILRACE_URL: `${env('http').TAILRACE_URL}/below` }),
  });
  expect([once.stderr, once.status]).toEqual(['', 0]);
  expect(once.stdout).toMatch(/one\n/);
  expect(asked.at(-1)).toMatch(/^GET http:\/\/[^/]+\/below\/apps\/far\/logs\?/);
});

it('what it refuses is a sentence that names it, not its password', async () => {
  tunnels = false;
  const refused = await runTailrace(['logs', '-a', 'far'], { env: env('https') });
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(
    /^ › {3}Error: The server at https:\/\/logs\.example\.test:\d+ can't be reached \(the proxy 127\.0\.0\.1:\d+: 403 Forbidden\): look at HTTP_PROXY and HTTPS_PROXY, or name the server in NO_PROXY\.\n$/,
  );
  const { host } = new URL(proxyUrl);
  const stranger = await runTailrace(['apps'], { env: env('http', { HTTP_PROXY: `http://${host}` }) });
  expect(stranger.stderr).toContain(`(the proxy ${host}: 407 Proxy Authentication Required)`);
  const nobody = await runTailrace(['apps'], { env: env('http', { HTTP_PROXY: 'http://127.0.0.1:9' }) });
  expect(nobody.stderr).toContain('(the proxy 127.0.0.1:9: ECONNREFUSED)');
  breaks = true;
  const half = await runTailrace(['create', 'half'], { env: env('http') });
  breaks = false;
  expect(half.stderr).toContain('it may have done it, so look before you try again');
  const socks = await runTailrace(['apps'], { env: env('http', { HTTP_PROXY: 'socks5://127.0.0.1:9' }) });
  expect(socks.stderr).toContain('HTTP_PROXY has to be the address of an HTTP proxy');
});

it('a server on this machine is asked without it', async () => {
  const direct = await runTailrace(['apps'], { env: { ...server.env, HTTP_PROXY: 'http://127.0.0.1:9' } });
  expect([direct.status, direct.stderr]).toEqual([0, '']);
});
