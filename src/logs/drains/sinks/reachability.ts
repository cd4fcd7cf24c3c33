/**
 * Probes destinations that refused connections. The back-off between deliveries grows to half a minute, since each reads lines
 * and may be answered; a probe costs one packet, so it is sent every second, once for all drains of a destination.
 */
import { systemCode } from '../../../common/errors.ts';
import type { DrainTarget } from '../options/drain-record.ts';
import { OutletError } from '../outlet.ts';
import type { Dialer } from './dialer.ts';

const PROBE_INTERVAL_MS = 700;
/** Probes in a second, at the most, however many destinations are unreachable. */
const PROBES_PER_SECOND_MAX = 200;

/** Did nobody listen at the destination? Any other failure may get worse by frequent probes. */
export function isUnreachableError(error: unknown): boolean {
  return error instanceof OutletError && ['ECONNREFUSED', 'EHOSTUNREACH'].includes(systemCode(error.cause));
}

interface ProbedEndpoint {
  readonly host: string;
  readonly port: number;
  readonly listeners: Set<() => void>;
}

/** One for many drains: all who wait for the same host and port share its probes, which end when nobody waits. */
export class ReachabilityProbe {
  private readonly dialer: Dialer;
  private readonly endpoints = new Map<string, ProbedEndpoint>();

  constructor(dialer: Dialer) {
    this.dialer = dialer;
  }

  /** Calls `listener` when a probe connects, unless the returned function was called before. */
  onReachable({ host, port }: Pick<DrainTarget, 'host' | 'port'>, listener: () => void): () => void {
    const key = `${host} ${port}`;
    let endpoint = this.endpoints.get(key);
    if (!endpoint) {
      endpoint = { host, port, listeners: new Set() };
      this.endpoints.set(key, endpoint);
      void this.probe(key, endpoint);
    }
    const { listeners } = endpoint;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  private async probe(key: string, endpoint: ProbedEndpoint): Promise<void> {
    for (;;) {
      const pauseMs = Math.max(PROBE_INTERVAL_MS, (this.endpoints.size / PROBES_PER_SECOND_MAX) * 1_000);
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      if (endpoint.listeners.size === 0) break;
      const isReachable = await this.dialer.dial(endpoint).then(
        (socket) => socket.destroy() !== undefined,
        () => false,
      );
      if (isReachable) break;
    }
    this.endpoints.delete(key);
    for (const listener of endpoint.listeners) listener();
  }
}
