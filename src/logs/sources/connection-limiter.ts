/**
 * Limits the resources that syslog connections take: their number, idle ones, frames that never end, and partial frames that
 * together would fill the memory.
 */
import { PeriodicCheck } from '../../common/limits/deadline.ts';
import type { Log } from '../../common/log.ts';
import { Throttle } from '../../common/throttle.ts';
import type { ListenerCounters } from './listener-counters.ts';

export interface ConnectionLimiterOptions {
  /** Open syslog connections in all, those included whose handshake isn't finished. */
  readonly connectionsMax: number;
  /** A connection that is idle for so long is closed. */
  readonly idleMs: number;
  /** A frame has to be there in full so long after its first byte. */
  readonly frameMs: number;
  /** Bytes of frames that aren't there in full, of all connections together. */
  readonly partialBytesMax: number;
  readonly log: Log;
}

const CHECK_MS_MAX = 1_000;
const CHECK_MS_MIN = 100;
/** A frame whose rest hasn't come after this time may have a wrong count; it is looked at again after twice the time, and so on. */
const STALLED_MS = 2_000;
/** Bytes of such frames that are looked at in one turn of the event loop. */
const STALLED_BYTES_MAX = 1_048_576;
/** One warning in this time, however many connections are cut. */
const WARN_INTERVAL_MS = 60_000;

/** A connection that the limiter watches. */
export class TrackedConnection {
  readonly address: string;
  readonly counters: ListenerCounters;
  readonly destroy: () => void;
  partialBytes = 0;
  /** When the partial frame, or the handshake, began, on the clock of `performance.now()`; 0: there is none. */
  partialSinceMs = 0;
  lastActivityMs = performance.now();
  /** After which time its partial frame is looked at for the next time. */
  stalledMs = STALLED_MS;
  /** The rest of its partial frame hasn't come: takes what is there, if it isn't one frame. */
  onStalled: (() => void) | undefined;
  /** Nothing more is taken of it: takes what is there. */
  onEnding: (() => void) | undefined;

  constructor(address: string, counters: ListenerCounters, destroy: () => void) {
    this.address = address;
    this.counters = counters;
    this.destroy = destroy;
  }
}

/** One for all syslog listeners of the process. Times are milliseconds on the clock of `performance.now()`. */
export class ConnectionLimiter {
  private readonly options: ConnectionLimiterOptions;
  private readonly connections = new Set<TrackedConnection>();
  private readonly check: PeriodicCheck;
  private partialBytes = 0;
  private readonly warnings = new Throttle(WARN_INTERVAL_MS);

  constructor(options: ConnectionLimiterOptions) {
    this.options = options;
    const shortest = Math.min(options.idleMs, options.frameMs) / 4;
    this.check = new PeriodicCheck(Math.max(CHECK_MS_MIN, Math.min(CHECK_MS_MAX, shortest)), () =>
      this.checkTimeouts(),
    );
  }

  /** Starts to watch a connection; false when there are too many, and it has to be closed. */
  add(connection: TrackedConnection): boolean {
    if (this.connections.size >= this.options.connectionsMax) {
      this.countAndWarn(
        connection,
        `there are ${this.options.connectionsMax} already (TAILRACE_CONNECTIONS)`,
      );
      return false;
    }
    this.connections.add(connection);
    const { address, counters } = connection;
    this.options.log.debug({ protocol: counters.protocol, address }, 'connection opened');
    return true;
  }

  /** The connection has to finish something before its first line: a TLS handshake, a PROXY header. */
  handshakeStarted(connection: TrackedConnection): void {
    connection.partialSinceMs = performance.now();
  }

  /** It is ready for lines. */
  handshakeFinished(connection: TrackedConnection): void {
    connection.partialSinceMs = 0;
    connection.lastActivityMs = performance.now();
  }

  /** The connection is closed; of one that was never added, or was removed, nothing is counted. */
  remove(connection: TrackedConnection): void {
    if (!this.connections.delete(connection)) return;
    const { address, counters } = connection;
    this.options.log.debug({ protocol: counters.protocol, address }, 'connection closed');
    this.partialBytes -= connection.partialBytes;
    connection.partialBytes = 0;
  }

  /** The connection has sent something, of which `partialBytes` are the beginning of a frame. */
  onBytes(connection: TrackedConnection, partialBytes: number, isNewFrame: boolean): void {
    connection.lastActivityMs = performance.now();
    if (partialBytes === 0) connection.partialSinceMs = 0;
    else if (isNewFrame || connection.partialSinceMs === 0) {
      connection.partialSinceMs = connection.lastActivityMs;
      connection.stalledMs = STALLED_MS;
    }
    this.partialBytes += partialBytes - connection.partialBytes;
    connection.partialBytes = partialBytes;
    if (this.partialBytes > this.options.partialBytesMax)
      this.cut(
        connection,
        `unfinished frames took ${this.options.partialBytesMax} bytes (TAILRACE_PARTIAL_BYTES)`,
      );
  }

  /** Looks for time-outs no more; connections stay open, for their listeners to close. */
  close(): void {
    this.check.stop();
  }

  private checkTimeouts(): void {
    const now = performance.now();
    const { idleMs, frameMs } = this.options;
    let stalledBytes = 0;
    for (const connection of this.connections) {
      const { partialSinceMs, partialBytes } = connection;
      const isStalled =
        partialBytes > 0 && now - partialSinceMs > Math.min(connection.stalledMs, frameMs / 2);
      if (isStalled && stalledBytes < STALLED_BYTES_MAX) {
        stalledBytes += partialBytes;
        connection.stalledMs *= 2;
        connection.onStalled?.();
      }
      if (connection.partialSinceMs > 0 && now - connection.partialSinceMs > frameMs)
        this.cut(
          connection,
          `a frame, or a handshake, wasn't finished in ${frameMs / 1_000} s (TAILRACE_FRAME_TIMEOUT)`,
        );
      else if (now - connection.lastActivityMs > idleMs)
        this.cut(connection, `nothing came for ${idleMs / 1_000} s (TAILRACE_IDLE_TIMEOUT)`);
    }
  }

  private cut(connection: TrackedConnection, reason: string): void {
    this.remove(connection);
    connection.onEnding?.();
    this.countAndWarn(connection, reason);
    connection.destroy();
  }

  private countAndWarn({ address, counters }: TrackedConnection, reason: string): void {
    counters.cut++;
    if (this.warnings.allow())
      this.options.log.warn({ protocol: counters.protocol, address }, `a connection was closed: ${reason}`);
  }
}
