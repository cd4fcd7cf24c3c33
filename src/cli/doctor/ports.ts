/** The ports: free for a server that is to start, or held by the one that runs. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { systemCode } from '../../common/errors.ts';
import { type CheckResult, resultsOf } from './check-result.ts';
import { describePortOwner, listeningSockets, socketInodes, type Transport } from './listening-sockets.ts';

/** A port that a server wants. */
export interface RequiredPort {
  readonly port: number;
  readonly transport: Transport;
  /** What for, and the setting that names it. */
  readonly purpose: string;
  readonly setting: string;
  readonly host: string;
  /** The setting that names that. */
  readonly hostSetting: string;
}

/** Can a server listen there? Tried, for each port. */
export async function checkPortsFree(required: readonly RequiredPort[]): Promise<CheckResult[]> {
  const fixed = required.filter(({ port }) => port !== 0);
  return Promise.all(fixed.map(checkPortFree));
}

/** Where a running server listens; undefined where that can't be seen. */
export function checkListeningPorts(pid: number): CheckResult | undefined {
  const sockets = socketInodes(pid);
  const held = listeningSockets().filter(({ inode }) => sockets.has(inode));
  if (held.length === 0) return undefined;
  const names = held.map(({ transport, port }) => `${port} (${transport.toUpperCase()})`);
  return resultsOf('ports')('ok', `the server listens on ${[...new Set(names)].join(', ')}`);
}

async function checkPortFree({
  port,
  transport,
  purpose,
  setting,
  host,
  hostSetting,
}: RequiredPort): Promise<CheckResult> {
  const result = resultsOf(`port ${port}`);
  const what = `${purpose} (${transport.toUpperCase()})`;
  const error = await tryListen(transport, host, port);
  if (error === undefined) return result('ok', `free for ${what}`);
  if (error === 'EADDRINUSE')
    return result(
      'trouble',
      `Taken by ${describePortOwner(transport, port) ?? 'another program'}, and wanted for ${what}: stop that, or set ${setting} to another port.`,
    );
  if (error === 'EACCES')
    return result(
      'trouble',
      `Ports below 1024 are root's, and this one is wanted for ${what}: set ${setting} to a higher one.`,
    );
  return result(
    'trouble',
    `Nobody can listen there on ${host} (${error}): set ${hostSetting} to an address of this machine.`,
  );
}

/** Tries to listen; gives the system's error code when that fails. */
export function tryListen(transport: Transport, host: string, port: number): Promise<string | undefined> {
  return transport === 'tcp' ? tryListenTcp(host, port) : tryListenUdp(host, port);
}

function tryListenTcp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(systemCode(error) || String(error)));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

function tryListenUdp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      resolve(systemCode(error) || String(error));
    });
    socket.bind({ address: host, port }, () => socket.close(() => resolve(undefined)));
  });
}
