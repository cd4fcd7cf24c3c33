import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** Foreman's distance between the first ports of two process types. */
export const PORTS_PER_TYPE = 100;

/**
 * The port that foreman users expect for a dyno, before anybody looks whether it is free.
 *
 * @param typeIndex position of the process type in the Procfile, from 0
 * @param number the dyno's, from 1
 */
export function usualPort(basePort: number, typeIndex: number, number: number): number {
  return basePort + typeIndex * PORTS_PER_TYPE + number - 1;
}

/** Gives out TCP ports, none of them twice, none that something else listens on. */
export class Ports {
  readonly #taken = new Set<number>();

  /**
   * @param wanted the first free port from here upwards is taken
   * @throws if there is none up to 65535
   */
  async take(wanted: number): Promise<number> {
    for (let port = wanted; port <= 65_535; port += 1) {
      if (this.#taken.has(port)) continue;
      // Before the probe, which others might be doing at the same time.
      this.#taken.add(port);
      if (await isFree(port)) return port;
      this.#taken.delete(port);
    }
    throw new Error(`There is no free TCP port from ${wanted} upwards; choose a lower base port.`);
  }

  giveBack(port: number): void {
    this.#taken.delete(port);
  }
}

/** Probes by listening, on all addresses: a listener on any of them makes that fail. */
function isFree(port: number): Promise<boolean> {
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
 * @returns the loopback address that answered; undefined when aborted
 */
export async function portAnswers(port: number, signal: AbortSignal): Promise<string | undefined> {
  for (let pauseMs = 10; !signal.aborted; pauseMs = Math.min(250, pauseMs * 1.5)) {
    for (const host of LOOPBACK) {
      if (await accepts(host, port)) return signal.aborted ? undefined : host;
    }
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const answer = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
