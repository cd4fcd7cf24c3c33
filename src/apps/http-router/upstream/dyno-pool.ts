import type { DynoConnection, DynoConnectionHandler } from './dyno-connection.ts';

/** How long a connection may be idle when the dyno sends no Keep-Alive header; many servers close after 5 s or more. */
const IDLE_MAX_MS = 4_000;
/** A POST may not be sent twice, so it only gets a connection that the dyno can't have closed for being idle. */
const NON_IDEMPOTENT_IDLE_MAX_MS = 1_000;
/** More idle connections than this to one dyno are closed. */
const IDLE_CONNECTIONS_MAX = 256;

type PooledDyno = {
  idle: DynoConnection[];
  /** Requests that it has not responded to in full. */
  inFlight: number;
  quarantinedUntilMs: number;
  /** Called when there are none of those any more. */
  inFlightWaiters: (() => void)[];
};

/**
 * The state of the dynos: idle connections, how many requests are in flight with each, and which are in quarantine since
 * they couldn't be connected to. All of it belongs to a port, not to a name: a dyno's successor has the same name.
 */
export class DynoPool {
  private readonly dynos = new Map<number, PooledDyno>();

  /** An idle connection, the one that was used last; undefined if there is none. @param nowMs on `performance.now`'s clock */
  acquire(
    port: number,
    handler: DynoConnectionHandler,
    idempotent: boolean,
    nowMs: number,
  ): DynoConnection | undefined {
    const idle = this.dynos.get(port)?.idle;
    if (idle === undefined) return undefined;
    for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
      const idleMs = nowMs - found.idleSinceMs;
      if (found.isUsable() && idleMs < found.idleMaxMs) {
        if (!idempotent && idleMs > NON_IDEMPOTENT_IDLE_MAX_MS) {
          idle.push(found);
          return undefined;
        }
        found.handler = handler;
        found.reused = true;
        return found;
      }
      found.destroy();
    }
    return undefined;
  }

  /** Takes a connection back for the next request. @param keepAliveS the timeout of the dyno's Keep-Alive header */
  release(port: number, connection: DynoConnection, keepAliveS: number | undefined, nowMs: number): void {
    const dyno = this.dyno(port);
    if (dyno.idle.length >= IDLE_CONNECTIONS_MAX || keepAliveS === 0) {
      connection.destroy();
      return;
    }
    connection.handler = undefined;
    connection.idleSinceMs = nowMs;
    // A second less than the dyno waits, so that it is us who close.
    connection.idleMaxMs = keepAliveS === undefined ? IDLE_MAX_MS : Math.max(keepAliveS * 1_000 - 1_000, 500);
    dyno.idle.push(connection);
  }

  /** A request begins with this dyno; to be followed by one `requestFinished`. */
  requestStarted(port: number): void {
    this.dyno(port).inFlight++;
  }

  /** Its response was read in full, or given up. Once for each {@link requestStarted}. */
  requestFinished(port: number): void {
    const dyno = this.dyno(port);
    if (--dyno.inFlight === 0) for (const drained of dyno.inFlightWaiters.splice(0)) drained();
  }

  /** Resolves when no request is in flight with this dyno; closes the idle connections. */
  async waitForInFlight(port: number): Promise<void> {
    const dyno = this.dyno(port);
    if (dyno.inFlight > 0) await new Promise<void>((resolve) => dyno.inFlightWaiters.push(resolve));
    for (const connection of dyno.idle.splice(0)) connection.destroy();
  }

  /** It couldn't be connected to: others are chosen for so many milliseconds, while there are some. */
  quarantine(port: number, ms: number): void {
    this.dyno(port).quarantinedUntilMs = performance.now() + ms;
  }

  isQuarantined(port: number): boolean {
    const untilMs = this.dynos.get(port)?.quarantinedUntilMs ?? 0;
    // Mostly 0: no need to read the clock.
    return untilMs !== 0 && untilMs > performance.now();
  }

  /** Closes connections that were idle for too long, and forgets ports without any state. */
  closeStale(nowMs: number): void {
    for (const [port, dyno] of this.dynos) {
      const stale = dyno.idle.filter((connection) => isStale(connection, nowMs));
      if (stale.length > 0) dyno.idle = dyno.idle.filter((connection) => !stale.includes(connection));
      for (const connection of stale) connection.destroy();
      const removable = dyno.idle.length === 0 && dyno.inFlight === 0 && dyno.quarantinedUntilMs < nowMs;
      if (removable) this.dynos.delete(port);
    }
  }

  /** Closes all idle connections. */
  close(): void {
    for (const dyno of this.dynos.values())
      for (const connection of dyno.idle.splice(0)) connection.destroy();
  }

  private dyno(port: number): PooledDyno {
    let dyno = this.dynos.get(port);
    if (dyno === undefined) {
      dyno = { idle: [], inFlight: 0, quarantinedUntilMs: 0, inFlightWaiters: [] };
      this.dynos.set(port, dyno);
    }
    return dyno;
  }
}

function isStale(connection: DynoConnection, nowMs: number): boolean {
  return !connection.isUsable() || nowMs - connection.idleSinceMs >= connection.idleMaxMs;
}
