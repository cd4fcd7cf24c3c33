/** The pages of add-ons as browsers elsewhere see them: through a real nginx that ends TLS, with the Host that it passes on, or its own. */
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request as sendRequest } from 'node:https';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { startNginxProxy } from '../../support/http/nginx-proxy.ts';
import { missing, Program, TAILRACE } from '../../support/program.ts';
import { CertificateAuthority } from '../../support/senders/certificate-authority.ts';
import { type Server, startServerForTest, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const HEADERS_PASSED_ON = 'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;';

/** @param headers for nginx, within `location` */
async function startNginx(server: Server, port: number, headers: string): Promise<void> {
  const { certFile, keyFile } = new CertificateAuthority(temporaryFolder()).issue('DNS:localhost');
  startNginxProxy(
    port,
    server.url,
    `ssl; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}`,
    headers,
  );
  await until('nginx', () =>
    send(`https://localhost:${port}/health`).then(
      ({ statusCode }) => statusCode === 200,
      () => false,
    ),
  );
}

const agent = new Agent({ rejectUnauthorized: false });

/** Its head; the body may go on. */
function send(url: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sendRequest(
      url.replace('localhost', '127.0.0.1'),
      { ...options, agent, headers: { host: new URL(url).host, ...options.headers } },
      resolve,
    )
      .on('error', reject)
      .end();
  });
}

describe.skipIf(missing('nginx'))('an add-on’s page behind a proxy with TLS', () => {
  it.each([
    ['that passes the host on', HEADERS_PASSED_ON, false],
    ['that passes nothing on, with TAILRACE_PUBLIC_URL', '', true],
  ])('%s: the link, its cookie, changes and events', async (_name, headers, isPublicUrlSet) => {
    const port = await freePort();
    const outside = `https://localhost:${port}`;
    const server = await startServerForTest({ env: isPublicUrlSet ? { TAILRACE_PUBLIC_URL: outside } : {} });
    const app = await server.createApp();
    const { id, name } = await server.request<{ id: string; name: string }>(
      'POST',
      `/apps/${app.name}/addons`,
      { plan: 'sentry' },
    );
    await startNginx(server, port, headers);

    const open = await new Program(
      process.execPath,
      [TAILRACE, 'addons:open', name, '-a', app.name, '--show-url'],
      {
        env: { TAILRACE_URL: outside, TAILRACE_API_KEY: server.key, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      },
    ).exited;
    const link = open.stdout.trim();
    expect(link.startsWith(`${outside}/addons/sign-on/`), `${link} ${open.stderr}`).toBe(true);
    const signedOn = await send(link);
    signedOn.resume();
    expect([signedOn.statusCode, signedOn.headers.location]).toEqual([303, `/addons/${id}/page/`]);
    const [setCookie] = signedOn.headers['set-cookie'] ?? [''];
    expect(setCookie).toMatch(/; HttpOnly; SameSite=Lax; Secure$/);
    const [cookie] = setCookie.split(';');

    // Browsers without Fetch Metadata say where the page is from.
    const change = async (origin: string): Promise<number | undefined> => {
      const answer = await send(`${outside}/addons/${id}/page/api/groups/none`, {
        method: 'DELETE',
        headers: { cookie, origin },
      });
      answer.resume();
      return answer.statusCode;
    };
    expect(await change(outside)).toBe(404);
    expect(await change('https://elsewhere.example')).toBe(401);

    // nginx would keep its first bytes until a buffer is full.
    const events = await send(`${outside}/addons/${id}/page/api/live`, { headers: { cookie } });
    expect(events.statusCode).toBe(200);
    const [first] = (await events[Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [String(value)])) as [string];
    expect(first).toContain(':');
    events.destroy();

    if (isPublicUrlSet) return;
    // The official CLI follows this one with its key's rights.
    const session = await send(`${outside}/apps/${app.name}/log-sessions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}` },
    });
    const { logplex_url: url } = (await session
      .setEncoding('utf8')
      .toArray()
      .then((parts) => JSON.parse(parts.join('')))) as { logplex_url: string };
    expect(url.startsWith(`${outside}/sessions/`)).toBe(true);
  });
});
