import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

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

/** Gives out TCP ports, none of them twice, none that something else listens on. */
export class PortAllocator {
  readonly #allocated = new Set<number>();

  /**
   * @param firstPort the first free port from here upwards is taken
   * @throws if there is none up to 65535
   */
  async allocate(firstPort: number): Promise<number> {
    for (let port = firstPort; port <= 65_535; port += 1) {
      if (this.#allocated.has(port)) continue;
      // Before the probe, which others might be doing at the same time.
      this.#allocated.add(port);
      if (await isPortFree(port)) return port;
      this.#allocated.delete(port);
    }
    throw new Error(`There is no free TCP port from ${firstPort} upwards; choose a lower base port.`);
  }

  release(port: number): void {
    this.#allocated.delete(port);
  }
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
 * Waits until something on this machine accepts a TCP connection.
 *
 * @returns the loopback address that accepted; undefined when aborted
 */
export async function waitForPort(port: number, signal: AbortSignal): Promise<string | undefined> {
  for (let pauseMs = 10; !signal.aborted; pauseMs = Math.min(250, pauseMs * 1.5)) {
    for (const host of LOOPBACK) {
      if (await acceptsConnection(host, port)) return signal.aborted ? undefined : host;
    }
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
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
