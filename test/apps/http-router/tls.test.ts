/** Connections that a TLS listener has accepted are served as any other. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { CertificateFiles } from '../../../src/common/tls/certificate-files.ts';
import { TlsIdentity } from '../../../src/common/tls/tls-identity.ts';
import { createTlsListener } from '../../../src/common/tls/tls-listener.ts';
import { missing } from '../../support/program.ts';
import { CertificateAuthority } from '../../support/senders/certificate-authority.ts';
import { dataFolderForTest } from '../../support/server.ts';
import { portOf, startDyno, startTestRouter, TestApp, upstreamUp } from './harness.ts';

test.skipIf(missing('openssl'))('bodies both ways, several requests a connection, and its end', async () => {
  const app = new TestApp();
  const dyno = await startDyno(async (incoming, response) => {
    const hash = createHash('sha256');
    for await (const piece of incoming) hash.update(piece);
    response.setHeader('x-seen', JSON.stringify(incoming.headers));
    response.setHeader('x-digest', hash.digest('hex'));
    response.end(Buffer.alloc(5_000_000, 'y'));
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const authority = new CertificateAuthority(dataFolderForTest());
  const { certFile: certificate, keyFile: key } = authority.issue('DNS:myapp.localhost');
  const certificates = new CertificateFiles(SILENT_LOG);
  onTestFinished(() => certificates.close());
  const listener = createTlsListener({
    identity: new TlsIdentity(certificates, [
      { certificate, key, settings: { certificate: 'CERT', key: 'KEY' } },
    ]),
    handshakesMax: 10,
    onConnection: (socket) => router.accept(socket, portOf(listener.server)),
    log: SILENT_LOG,
  });
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  onTestFinished(() => listener.close());
  const port = portOf(listener.server);
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert });
  onTestFinished(() => agent.destroy());
  const body = randomBytes(5_000_000);
  for (let count = 1; count <= 2; count++) {
    const sent = request({
      ...{ host: '127.0.0.1', port, method: 'POST', agent, servername: 'myapp.localhost' },
      headers: { host: 'myapp.localhost' },
    });
    sent.end(body);
    const [response]: IncomingMessage[] = await once(sent, 'response');
    let bytes = 0;
    for await (const piece of response) bytes += piece.length;
    expect([response.statusCode, bytes]).toEqual([200, 5_000_000]);
    expect(response.headers['x-digest']).toBe(createHash('sha256').update(body).digest('hex'));
    expect(JSON.parse(String(response.headers['x-seen']))).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(port),
    });
    expect(await app.waitForLine(count)).toMatch(/ fwd="127\.0\.0\.1" .* protocol=https$/);
  }
  // It waits for those connections, too, and closes them.
  listener.close();
  await router.close(1_000);
});
