import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode } from '../../common/errors.ts';

/** Foreman's distance between the first ports of two process types. */
const PORTS_PER_TYPE = 100;

/**
 * The port that foreman users expect for a dyno, free or not.
 *
 * @param typeIndex position of the process type in the Procfile, from 0
 * @param number the dyno's, from 1
 */
export function defaultPort(basePort: number, typeIndex: number, number: number): number {
  return basePort + typeIndex * PORTS_PER_TYPE + number - 1;
}

/**
 * Where a server looks for free ports. A port is free until the program that it was given to listens: two servers on a machine that
 * began at the same one would give out the same, so each begins at one that follows from its data folder, the same after a restart.
 *
 * @param rangeCount how many servers' beginnings there are from `basePort` on, {@link PORTS_PER_TYPE} ports apart
 */
export function firstPortOf(folder: string, basePort: number, rangeCount: number): number {
  const hash = createHash('md5').update(folder).digest().readUInt32BE();
  return basePort + (hash % rangeCount) * PORTS_PER_TYPE;
}

/**
 * Gives out TCP ports, none of them twice, none that something else listens on, and none that another server on this machine has given out:
 * what it was given to may not listen yet.
 */
export class PortAllocator {
  private readonly claims = new Map<number, Server | undefined>();

  /**
   * @param firstPort the first free port from here upwards is taken
   * @throws if there is none up to 65535
   */
  async allocate(firstPort: number): Promise<number> {
    for (let port = firstPort; port <= 65_535; port += 1) {
      if (this.claims.has(port)) continue;
      // Before the probe, which others might be doing at the same time.
      this.claims.set(port, undefined);
      const claim = await claimPort(port);
      if (claim !== 'taken') {
        this.claims.set(port, claim);
        if (await isPortFree(port)) return port;
      }
      this.release(port);
    }
    throw new Error(`There is no free TCP port from ${firstPort} upwards; choose a lower base port.`);
  }

  /** Takes a port that something of this server's uses already. */
  async claim(port: number): Promise<void> {
    this.claims.set(port, undefined);
    const claim = await claimPort(port);
    if (claim !== 'taken') this.claims.set(port, claim);
  }

  /** What it was given to has ended; a port that isn't allocated is no error. */
  release(port: number): void {
    this.claims.get(port)?.close();
    this.claims.delete(port);
  }
}

/**
 * Claims a port among the servers of this machine: with an abstract socket of its number (unix(7)), which belongs to the same network
 * namespace as the port, and which ends with this process, however it ends.
 *
 * @returns undefined where there are none: on systems other than Linux
 */
function claimPort(port: number): Promise<Server | 'taken' | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const claim = createServer((socket) => socket.destroy());
    claim.once('error', (error) => resolve(systemCode(error) === 'EADDRINUSE' ? 'taken' : undefined));
    claim.listen(`\0tailrace-port-${port}`, () => resolve(claim));
    claim.unref();
  });
}

/** Probes by listening, on all addresses: a listener on any of them makes that fail. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** Programs told to listen on `localhost` may choose either. */
const LOOPBACK = ['127.0.0.1', '::1'] as const;

/**
 * How long it is waited between two looks at a port, milliseconds: what listens is noticed a sixth later than it does at the most. On a busy
 * machine programs start slowly, and who uses one may be quicker than a pause that has grown faster: it would end before it was seen to work.
 *
 * @param waitedMs since the first look
 */
export function portPauseMs(waitedMs: number): number {
  return Math.min(250, Math.max(10, waitedMs / 6));
}

/**
 * Waits until something on this machine accepts a TCP connection.
 *
 * @returns the loopback address that accepted; undefined when aborted
 */
export async function waitForPort(port: number, signal: AbortSignal): Promise<string | undefined> {
  const beganMs = performance.now();
  while (!signal.aborted) {
    for (const host of LOOPBACK) {
      if (await acceptsConnection(host, port)) return signal.aborted ? undefined : host;
    }
    await wait(portPauseMs(performance.now() - beganMs), undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

function acceptsConnection(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
