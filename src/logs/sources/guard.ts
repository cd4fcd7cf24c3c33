/**
 * Keeps senders from holding more than their share: too many connections, connections that say nothing, frames that
 * never end, and beginnings of frames that together would fill the memory.
 */
import type { SourceCounters } from './counters.ts';

export interface GuardOptions {
  /** Open syslog connections in all, those included that aren't ready for lines yet. */
  readonly connectionsMax: number;
  /** A connection that is silent for so long is closed. */
  readonly idleMs: number;
  /** A frame has to be there in full so long after its first byte. */
  readonly frameMs: number;
  /** Bytes of frames that aren't there in full, of all connections together. */
  readonly partialBytesMax: number;
  readonly warn: (fields: object, message: string) => void;
}

const CHECK_MS_MAX = 5_000;
const CHECK_MS_MIN = 100;
/** One warning in this time, however many connections are cut. */
const WARN_MS = 60_000;

/** A connection under guard. */
export class Guarded {
  readonly address: string;
  readonly counters: SourceCounters;
  readonly cut: () => void;
  partialBytes = 0;
  /** When the frame that is waited for began, on the clock of `performance.now()`; 0: none has. */
  partialSinceMs = 0;
  lastMs = performance.now();

  constructor(address: string, counters: SourceCounters, cut: () => void) {
    this.address = address;
    this.counters = counters;
    this.cut = cut;
  }
}

export class Guard {
  private readonly options: GuardOptions;
  private readonly connections = new Set<Guarded>();
  private readonly timer: NodeJS.Timeout;
  private partialBytes = 0;
  private warnedMs = Number.NEGATIVE_INFINITY;

  constructor(options: GuardOptions) {
    this.options = options;
    const shortest = Math.min(options.idleMs, options.frameMs) / 4;
    this.timer = setInterval(() => this.check(), Math.max(CHECK_MS_MIN, Math.min(CHECK_MS_MAX, shortest)));
    this.timer.unref();
  }

  /** Watches over a connection; false when there are too many, and it has to be closed. */
  enter(connection: Guarded): boolean {
    if (this.connections.size >= this.options.connectionsMax) {
      this.tell(connection, `there are ${this.options.connectionsMax} already (TAILRACE_CONNECTIONS)`);
      return false;
    }
    this.connections.add(connection);
    return true;
  }

  /** The connection has to finish something before its first line: a TLS handshake, a PROXY header. */
  opening(connection: Guarded): void {
    connection.partialSinceMs = performance.now();
  }

  /** It is ready for lines. */
  opened(connection: Guarded): void {
    connection.partialSinceMs = 0;
    connection.lastMs = performance.now();
  }

  leave(connection: Guarded): void {
    if (!this.connections.delete(connection)) return;
    this.partialBytes -= connection.partialBytes;
    connection.partialBytes = 0;
  }

  /** The connection has sent something, of which `partialBytes` are the beginning of a frame. */
  heard(connection: Guarded, partialBytes: number, isNewFrame: boolean): void {
    connection.lastMs = performance.now();
    if (partialBytes === 0) connection.partialSinceMs = 0;
    else if (isNewFrame || connection.partialSinceMs === 0) connection.partialSinceMs = connection.lastMs;
    this.partialBytes += partialBytes - connection.partialBytes;
    connection.partialBytes = partialBytes;
    if (this.partialBytes > this.options.partialBytesMax)
      this.end(
        connection,
        `unfinished frames took ${this.options.partialBytesMax} bytes (TAILRACE_PARTIAL_BYTES)`,
      );
  }

  close(): void {
    clearInterval(this.timer);
  }

  private check(): void {
    const now = performance.now();
    const { idleMs, frameMs } = this.options;
    for (const connection of this.connections)
      if (connection.partialSinceMs > 0 && now - connection.partialSinceMs > frameMs)
        this.end(
          connection,
          `a frame, or a handshake, wasn't finished in ${frameMs / 1_000} s (TAILRACE_FRAME_TIMEOUT)`,
        );
      else if (now - connection.lastMs > idleMs)
        this.end(connection, `nothing came for ${idleMs / 1_000} s (TAILRACE_IDLE_TIMEOUT)`);
  }

  private end(connection: Guarded, why: string): void {
    if (connection.partialBytes > 0) connection.counters.malformed++;
    this.leave(connection);
    this.tell(connection, why);
    connection.cut();
  }

  private tell({ address, counters }: Guarded, why: string): void {
    counters.cut++;
    const now = performance.now();
    if (now - this.warnedMs < WARN_MS) return;
    this.warnedMs = now;
    this.options.warn({ protocol: counters.protocol, address }, `a connection was closed: ${why}`);
  }
}
