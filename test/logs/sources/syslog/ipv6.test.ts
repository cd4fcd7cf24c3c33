/** Listeners on IPv6 addresses, and on all of both kinds. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { logplexLine, postLogs } from '../../../support/senders/send-lines.ts';
import { type Server, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

const sendTcp = (host: string, port: number, bytes: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => socket.end(bytes));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
  });

const sendUdp = (host: string, port: number, datagram: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.send(datagram, port, host, (error) => {
      socket.close();
      error ? reject(error) : resolve();
    });
  });

const noHost = (message: string, token: string): string =>
  logplexLine(message, token).replace(' shuttle ', ' - ');

async function hosts(
  server: Server,
  app: Parameters<Server['readLines']>[0],
): Promise<Record<string, string>> {
  const all = (await server.readLines(app, 'format=json')).map((text) => JSON.parse(text));
  return Object.fromEntries(all.map(({ message, hostname }) => [message, hostname]));
}

describe.skipIf(!hasIpv6)('IPv6', () => {
  it('TCP, UDP and HTTP on ::1; the sender’s address replaces a missing hostname, and matches rules', async () => {
    const server = await startServerForTest({ env: { TAILRACE_HOST: '::1' } });
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(server.program.stdout).toContain(`syslog on [::1]:${server.syslogPort} (TCP, UDP)`);
    const app = await server.createApp();
    await server.request('POST', `/apps/${app.name}/source-rules`, { source: 'six', network: '::/64' });
    await sendTcp('::1', server.syslogPort, `${noHost('tcp', app.token)}\n<13>prog: by rule\n`);
    await sendUdp('::1', server.syslogPort, noHost('udp', app.token));
    expect((await postLogs(server, app.token, 'http', { 'content-type': 'text/plain' })).status).toBe(204);
    await until('all lines', async () => (await server.readLines(app)).length === 4);
    expect(await hosts(server, app)).toEqual({ tcp: '::1', 'by rule': '::1', udp: '::1', http: '::1' });
    expect((await server.readLines(app)).find((text) => text.includes('by rule'))).toContain(' six[prog]: ');
  });

  it('on all addresses of both kinds: an IPv4 sender has its IPv4 address', async () => {
    const server = await startServerForTest({ env: { TAILRACE_HOST: '::' } });
    const app = await server.createApp();
    await server.request('POST', `/apps/${app.name}/source-rules`, {
      source: 'four',
      network: '127.0.0.0/8',
    });
    for (const host of ['::1', '127.0.0.1']) {
      await sendTcp(host, server.syslogPort, `${noHost(`tcp ${host}`, app.token)}\n`);
      await sendUdp(host, server.syslogPort, noHost(`udp ${host}`, app.token));
    }
    await sendTcp('127.0.0.1', server.syslogPort, '<13>prog: by rule\n');
    await until('all lines', async () => (await server.readLines(app)).length === 5);
    expect(await hosts(server, app)).toEqual({
      'tcp ::1': '::1',
      'udp ::1': '::1',
      'tcp 127.0.0.1': '127.0.0.1',
      'udp 127.0.0.1': '127.0.0.1',
      'by rule': '127.0.0.1',
    });
  });
});
