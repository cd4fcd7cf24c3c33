/**
 * The HTTP router in front of web dynos: accepts HTTP/1.1 requests, looks up which app they are for, forwards them to a
 * dyno of that app, relays the response, and writes one log line about each. It promises that a request gets a response
 * or its connection is closed in bounded time, and that bodies are never buffered in memory as a whole.
 *
 * It parses HTTP itself, on node:net: node:http on both sides would cost several times the processor time.
 */
import { createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { TrustedProxies } from '../../common/http/trusted-proxies.ts';
import { type Log, SILENT_LOG } from '../../common/log.ts';
import { noteListening, socketName, takeInheritedSocket } from '../../common/processes/passed-sockets.ts';
import { Throttle } from '../../common/throttle.ts';
import { normalizeAddress } from '../../logs/router/source-rules.ts';
import type { AppLookup } from './app-lookup.ts';
import { ClientConnection } from './client-connection.ts';
import { type ConnectionLimits, ConnectionQuota } from './connection-quota.ts';
import { Deadlines } from './deadlines.ts';
import type { HttpRouterContext } from './router-context.ts';
import { DEFAULT_ROUTER_TIMEOUTS, type HttpRouterTimeouts } from './timeouts.ts';
import { BootQueue } from './upstream/boot-queue.ts';
import { DynoPool } from './upstream/dyno-pool.ts';

/** Deadlines are checked this often, or more often if the shortest timeout needs it. */
const TICK_MS = 100;
/** One warning in this time, however many connections are closed. */
const WARN_INTERVAL_MS = 60_000;
/** Names its socket, when it is passed on. */
const PORT_SETTING = 'TAILRACE_ROUTER_PORT';
/** For a router that isn't told otherwise. */
const CONNECTIONS_MAX = 10_000;

export type HttpRouterOptions = {
  /** Address to listen on. */
  host: string;
  /** Port to listen on; 0 for any free one. */
  port: number;
  apps: AppLookup;
  timeouts?: Partial<HttpRouterTimeouts>;
  /** How many connections it takes; those above are closed at once. */
  connections?: ConnectionLimits;
  /** Proxies in front that are believed what they say of clients; left out: none. */
  trustedProxies?: TrustedProxies;
  log?: Log;
  /** Does it hold what comes until `open()`? Otherwise it is open from the start. */
  startsClosed?: boolean;
  /** Chooses dynos: a number from 0 (inclusive) to 1 (exclusive). */
  random?: () => number;
};

export type HttpRouter = {
  /** The port it listens on. */
  readonly port: number;
  /** Begins to serve the connections that it has held. */
  open(): void;
  /** Takes a connection that another listener has accepted, on this port. */
  accept(socket: Socket, port: number): void;
  /**
   * Resolves when no request is in flight with the dyno on this port. To stop a dyno without an error: give it
   * another state than `up`, wait for this (but not forever: a WebSocket is a request too), then stop it.
   */
  waitForInFlight(port: number): Promise<void>;
  /**
   * Accepts no more connections, lets requests in flight finish for `graceMs`, then aborts them.
   * @param idleMs connections wait so long for one more request, whose response says that it is the last one: a client that sends it while
   * its connection is closed couldn't know whether it was taken
   */
  close(graceMs: number, idleMs?: number): Promise<void>;
};

/** Starts to listen. Rejects with the system's error if the address isn't available. */
export async function startHttpRouter(options: HttpRouterOptions): Promise<HttpRouter> {
  const timeouts = { ...DEFAULT_ROUTER_TIMEOUTS, ...options.timeouts };
  const pool = new DynoPool();
  const tickMs = Math.max(5, Math.min(TICK_MS, Math.min(...Object.values(timeouts)) / 4));
  const context: HttpRouterContext = {
    apps: options.apps,
    timeouts,
    random: options.random ?? Math.random,
    pool,
    queue: new BootQueue(),
    deadlines: new Deadlines(tickMs, (nowMs) => pool.closeStale(nowMs)),
    port: options.port,
    closing: false,
    keepsIdle: false,
  };
  const proxies = options.trustedProxies ?? new TrustedProxies([]);
  const clients = new Set<ClientConnection>();
  const quota = new ConnectionQuota(options.connections ?? { max: CONNECTIONS_MAX, maxPerPeer: undefined });
  const log = options.log ?? SILENT_LOG;
  const refused = refusalLog(quota, log);
  let onAllClosed = (): void => {};
  let held: (() => void)[] | undefined = options.startsClosed ? [] : undefined;
  const accept = (socket: Socket, port: number): void => {
    if (held === undefined) {
      admit(socket, port);
      return;
    }
    socket.on('error', () => {});
    held.push(() => {
      if (!socket.destroyed) admit(socket, port);
    });
  };
  const open = (): void => {
    const waiting = held ?? [];
    held = undefined;
    for (const take of waiting) take();
  };
  const admit = (socket: Socket, port: number): void => {
    const address = normalizeAddress(socket.remoteAddress ?? '');
    const tooMany = quota.admit(address);
    if (tooMany !== undefined) {
      socket.destroy();
      refused(tooMany, address);
      return;
    }
    const hop = {
      address,
      isTrustedProxy: proxies.has(address),
      isSecure: socket instanceof TLSSocket,
      port,
    };
    const client = new ClientConnection(context, socket, hop);
    clients.add(client);
    client.socket.on('close', () => {
      clients.delete(client);
      quota.release(address);
      if (clients.size === 0) onAllClosed();
    });
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) =>
    accept(socket, context.port),
  );
  const name = socketName(PORT_SETTING, options.port);
  const inherited = takeInheritedSocket(name);
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: options.port, host: options.host, ...inherited }, () => {
        server.off('error', reject);
        noteListening(name, server);
        resolve();
      });
    });
  // The server before goes on accepting until this one can serve.
  if (inherited && held)
    held.push(() => {
      if (!context.closing)
        listen().catch((error: unknown) => log.error({ err: error }, 'requests to apps are not accepted'));
    });
  else
    await listen().catch((error: unknown) => {
      context.deadlines.close();
      throw error;
    });
  const address = server.address();
  if (inherited) context.port = inherited.port;
  else if (address !== null && typeof address === 'object') context.port = address.port;

  return {
    port: context.port,
    open,
    accept,
    waitForInFlight: (dynoPort) => pool.waitForInFlight(dynoPort),
    async close(graceMs, idleMs = 0) {
      context.closing = true;
      context.keepsIdle = idleMs > 0;
      open();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // The server knows nothing of those that it was given.
      const allClosed = new Promise<void>((resolve) => {
        onAllClosed = resolve;
        if (clients.size === 0) resolve();
      });
      const idle = setTimeout(() => {
        context.keepsIdle = false;
        for (const client of clients) client.close();
      }, idleMs);
      if (idleMs === 0) for (const client of clients) client.close();
      const grace = setTimeout(() => {
        for (const client of clients) client.abort();
      }, graceMs);
      await Promise.all([closed, allClosed]);
      clearTimeout(grace);
      clearTimeout(idle);
      context.deadlines.close();
      pool.close();
    },
  };
}

/** Warns about connections that were closed since there are too many, now and then. */
function refusalLog(quota: ConnectionQuota, log: Log): (tooMany: 'all' | 'peer', address: string) => void {
  const warnings = new Throttle(WARN_INTERVAL_MS);
  return (tooMany, address) => {
    if (!warnings.allow()) return;
    const reason =
      tooMany === 'all'
        ? `there are ${quota.max} already (TAILRACE_ROUTER_CONNECTIONS)`
        : `its address has ${quota.maxPerPeer} already (TAILRACE_ROUTER_CONNECTIONS_PER_PEER)`;
    log.warn({ address }, `a connection was closed: ${reason}`);
  };
}
