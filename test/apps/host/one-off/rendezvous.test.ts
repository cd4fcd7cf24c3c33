import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AttachedClient, RendezvousServer } from '../../../../src/apps/host/one-off/rendezvous.ts';
import { loadOrCreateCertificates } from '../../../../src/apps/host/server-certificates.ts';
import { missing } from '../../../support/program.ts';
import { dataFolderForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const CONNECTIONS_MAX = 5;

async function scene() {
  const server = new RendezvousServer(
    await loadOrCreateCertificates(dataFolderForTest(), 'Tests'),
    CONNECTIONS_MAX,
  );
  const port = await server.listen('127.0.0.1', 0);
  onTestFinished(() => server.close());
  const open = <T extends Socket | TLSSocket>(socket: T): T => {
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined).resume();
    return socket;
  };
  return {
    server,
    connectSilent: () => open(connectTcp(port, '127.0.0.1')),
    connectTls: () => open(connect({ port, host: '127.0.0.1', rejectUnauthorized: false })),
  };
}

describe.skipIf(missing('openssl'))('connections to attached dynos', () => {
  it('that say nothing are limited in number, and make room when they end', async () => {
    const { server, connectSilent, connectTls } = await scene();
    const silent = Array.from({ length: CONNECTIONS_MAX }, connectSilent);
    await until('all are open', () => silent.every(({ connecting }) => !connecting));
    const tooMany = connectSilent();
    await until('one more is closed', () => tooMany.destroyed);
    expect(silent.some(({ destroyed }) => destroyed)).toBe(false);
    silent[0].destroy();
    let attached: AttachedClient | undefined;
    const { secret } = server.expectClient((client) => {
      attached = client;
    });
    const attach = (): void => {
      const client = connectTls();
      client.on('secureConnect', () => client.write(`${secret}\r\n`));
      // Until the server knows that the other one has ended.
      client.on('close', () => !attached && attach());
    };
    attach();
    await until('a client is attached', () => attached);
    expect(attached?.framed).toBe(false);
  });

  it('end with the server, with a handshake or before it', async () => {
    const { server, connectSilent, connectTls } = await scene();
    const silent = connectSilent();
    const secure = connectTls();
    await until('both are open', () => !silent.connecting && secure.getProtocol());
    server.close();
    await until('both are closed', () => silent.destroyed && secure.destroyed);
  });
});
