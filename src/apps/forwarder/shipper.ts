import { setTimeout as wait } from 'node:timers/promises';
import { type ChunkSink, LOSS_PRIORITY } from '../processes/output/line-sink.ts';
import { classifyIngestStatus, classifyRetryingFixable, retryDelayMs } from './classify-response.ts';
import { DeliveryCounts } from './delivery-counts.ts';
import { HeaderCache } from './header-cache.ts';
import { IngestClient } from './ingest-client.ts';
import { type HeaderTemplate, LineBatch } from './line-batch.ts';
import type { LineQueue } from './line-queue.ts';
import { type BatchLimits, MemoryQueue } from './memory-queue.ts';
import { MicrosecondClock } from './microsecond-clock.ts';
import {
  type AttemptDecision,
  Backpressure,
  batchFate,
  decideOnError,
  decideOnResponse,
  hasCapacity,
  type RetryPolicy,
  reportsLossesAfter,
  SendSchedule,
} from './shipping-decisions.ts';
import { LINE_BYTES_MAX, splitLine } from './split-line.ts';

export interface ShipperOptions {
  /** The router's address, without `/logs`. */
  url: string;
  /** An API key that may write to the app. */
  key: string;
  /** The token (`t.<uuid>`) of each source: `app` and `heroku`. */
  tokens: Readonly<Record<string, string>>;
  /** All buffered lines, framed. From half of it on, back-pressure is applied to the dynos; what doesn't fit is dropped (L12). */
  bufferBytesMax?: number;
  /** Where lines are buffered, with limits of its own; default: in memory. Closed with the shipper. */
  queue?: LineQueue;
  /** How long the first line of a batch waits for others; default: not at all. */
  lingerMs?: number;
  /** Retry also what the router refuses until somebody has fixed it: an unknown token, say. */
  retriesFixable?: boolean;
  /** Lines in one request at most. */
  batchLineCountMax?: number;
  /** Bytes in one request at most. */
  batchBytesMax?: number;
  retryDelayMs?: (attempt: number) => number;
  /** How long a response may take. */
  responseTimeoutMs?: number;
  /** True: whoever writes lines should pause. False: they may go on. */
  onBackpressure?: (full: boolean) => void;
  /** One sentence for people, at the start of an outage and for every refused batch. */
  onWarning?: (message: string) => void;
}

export interface ShipperStats {
  /** Lines the router has accepted. */
  accepted: number;
  /** Lines that came when the buffer was full, or after `close()`. */
  dropped: number;
  /** Lines that the router refused, or that were still waiting when `close()` gave up. */
  lost: number;
  bufferedBytes: number;
}

/** A chatty dyno ships faster with these than with smaller batches, and no faster with larger ones. */
export const SHIPPER_LIMITS: BatchLimits = {
  lineCountMax: 5_000,
  byteCountMax: 512 * 1024,
  bufferBytesMax: 8 * 1024 * 1024,
};
/** So much is buffered before writers of large chunks have to wait: a batch in flight, and one that is filled meanwhile. */
const BACKPRESSURE_BYTES = 1024 * 1024;
/** Writers of chunks up to this size don't wait behind those of larger ones. */
const SMALL_CHUNK_BYTES = 4_096;
/** From so many bytes on, a chunk is worth the WebAssembly fast path. */
const WASM_CHUNK_BYTES_MIN = 512;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Sends lines to a router: at once when nothing is in flight, and everything that came meanwhile in the next request.
 * One request at a time, so that the order holds; repeated until it is accepted, with the same `Logplex-Frame-Id`.
 */
export class Shipper implements ChunkSink {
  private readonly options: ShipperOptions;
  private readonly client: IngestClient;
  private readonly queue: LineQueue;
  private readonly clock = new MicrosecondClock();
  private readonly headers: HeaderCache;
  private readonly abort = new AbortController();
  private readonly counts = new DeliveryCounts();
  private readonly backpressure = new Backpressure();
  private readonly schedule: SendSchedule;
  private readonly retryPolicy: RetryPolicy;
  private idleWaiters: (() => void)[] = [];
  private writableWaiters: (() => void)[] = [];
  /** Until the open batch is old enough to go. */
  private lingerTimer: NodeJS.Timeout | undefined;

  /** @throws if the URL isn't one */
  constructor(options: ShipperOptions) {
    this.options = options;
    this.client = new IngestClient(options.url, options.key, options.responseTimeoutMs);
    this.headers = new HeaderCache(options.tokens);
    this.schedule = new SendSchedule(options.lingerMs ?? 0);
    this.retryPolicy = {
      classify: options.retriesFixable ? classifyRetryingFixable : classifyIngestStatus,
      delayMs: options.retryDelayMs ?? retryDelayMs,
    };
    const {
      batchLineCountMax: lineCountMax = SHIPPER_LIMITS.lineCountMax,
      batchBytesMax: byteCountMax = SHIPPER_LIMITS.byteCountMax,
      bufferBytesMax = SHIPPER_LIMITS.bufferBytesMax,
    } = options;
    this.queue = options.queue ?? new MemoryQueue({ lineCountMax, byteCountMax, bufferBytesMax });
    // What an earlier process has left.
    if (!this.queue.isEmpty) this.scheduleSend();
  }

  /** @throws if there is no token for the source */
  writeLine(source: string, dyno: string, priority: number, message: Uint8Array | string): void {
    const header = this.headers.get(source, dyno, priority);
    this.splitAndEnqueue(
      header,
      this.clock.timestamp(),
      typeof message === 'string' ? Buffer.from(message) : message,
    );
    this.queue.persist();
  }

  /** @throws if there is no token for the source */
  writeChunk(
    source: string,
    dyno: string,
    priority: number,
    chunk: Uint8Array,
    onWritable: () => void,
  ): number {
    const taken = this.addChunk(source, dyno, priority, chunk, onWritable);
    this.queue.persist();
    return taken;
  }

  private addChunk(
    source: string,
    dyno: string,
    priority: number,
    chunk: Uint8Array,
    onWritable: () => void,
  ): number {
    const header = this.headers.get(source, dyno, priority);
    const timestamp = this.clock.timestamp();
    const bytesMax = chunk.length > SMALL_CHUNK_BYTES ? BACKPRESSURE_BYTES : Number.POSITIVE_INFINITY;
    for (let at = 0; at < chunk.length; ) {
      if (!this.hasCapacity(bytesMax)) {
        this.writableWaiters.push(onWritable);
        return at;
      }
      const isWorthWasm = chunk.length - at >= WASM_CHUNK_BYTES_MIN && !this.schedule.isClosing;
      const reached = isWorthWasm ? this.queue.addChunk(header, timestamp, chunk, at) : at;
      if (reached > at) {
        at = reached;
        this.onEnqueued();
        continue;
      }
      const end = chunk.indexOf(NEWLINE, at);
      const isReturned = end > at && chunk[end - 1] === RETURN;
      this.splitAndEnqueue(header, timestamp, chunk.subarray(at, isReturned ? end - 1 : end));
      at = end + 1;
    }
    return chunk.length;
  }

  /** Resolves when every line was accepted, refused, or (after `close()`) given up. */
  async flush(): Promise<void> {
    if (!this.schedule.isSending && this.queue.isEmpty) return;
    const idle = new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    this.scheduleSend();
    await idle;
  }

  /**
   * Accepts no more lines, and sends those that are buffered.
   *
   * @param timeoutMs gives up what could not be delivered by then
   * @returns the final numbers; what is in `dropped` and `lost` could perhaps not be reported as a line any more
   */
  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<ShipperStats> {
    this.schedule.isClosing = true;
    this.notifyWritable();
    const timer = setTimeout(() => this.abort.abort(), timeoutMs);
    await this.flush();
    clearTimeout(timer);
    await this.client.close();
    this.queue.close();
    return this.stats();
  }

  stats(): ShipperStats {
    const { accepted, dropped, lost } = this.counts;
    return { accepted, dropped, lost, bufferedBytes: this.queue.byteCount };
  }

  private splitAndEnqueue(header: HeaderTemplate, timestamp: string, message: Uint8Array): void {
    if (message.length <= LINE_BYTES_MAX) this.enqueue(header, timestamp, message);
    else for (const piece of splitLine(message)) this.enqueue(header, timestamp, piece);
  }

  private enqueue(header: HeaderTemplate, timestamp: string, message: Uint8Array): void {
    if (this.schedule.isClosing || !this.queue.hasSpaceFor(LineBatch.frameBytesMax(header, message))) {
      this.counts.drop(timestamp);
      return;
    }
    this.queue.add(header, timestamp, message);
    this.onEnqueued();
  }

  private onEnqueued(): void {
    if (this.backpressure.rise(this.queue.fillRatio)) this.options.onBackpressure?.(true);
    this.scheduleSend();
  }

  /** While it closes all lines are let in, to be counted as dropped. */
  private hasCapacity(waitingBytesMax: number): boolean {
    const { byteCount, fillRatio } = this.queue;
    return this.schedule.isClosing || hasCapacity(byteCount, fillRatio, waitingBytesMax);
  }

  private notifyWritable(): void {
    if (this.writableWaiters.length === 0 || !this.hasCapacity(BACKPRESSURE_BYTES)) return;
    for (const wake of this.writableWaiters.splice(0)) wake();
  }

  private scheduleSend(): void {
    if (this.schedule.isSending) return;
    if (this.isLingering()) return;
    this.schedule.isSending = true;
    // Not at once: the other lines of the same read go into the same batch.
    setImmediate(() => void this.sendBatches());
  }

  /** Does the next batch wait for more lines? Then a timer goes off when it has waited long enough. */
  private isLingering(): boolean {
    const waitMs = this.schedule.lingerMs(this.idleWaiters.length > 0, this.queue);
    if (waitMs === 0) return false;
    this.lingerTimer ??= setTimeout(() => {
      this.lingerTimer = undefined;
      if (!this.queue.isEmpty) this.scheduleSend();
    }, waitMs);
    return true;
  }

  private async sendBatches(): Promise<void> {
    clearTimeout(this.lingerTimer);
    this.lingerTimer = undefined;
    while (!this.isLingering()) {
      const batch = this.queue.take();
      if (batch === undefined) break;
      const isAccepted = await this.deliver(batch);
      const isAborted = this.abort.signal.aborted;
      const fate = batchFate(isAccepted, isAborted, this.queue.isPersistent);
      if (fate === 'kept') break;
      if (fate === 'accepted') this.counts.accept(batch);
      else this.counts.lose(batch, this.clock.timestamp());
      if (reportsLossesAfter(fate, batch.lineCount, batch.reported.lines, isAborted)) this.reportLosses();
      this.queue.remove(batch);
      if (this.backpressure.fall(this.queue.fillRatio)) this.options.onBackpressure?.(false);
      this.notifyWritable();
    }
    this.schedule.isSending = false;
    if (!this.queue.isEmpty && !this.abort.signal.aborted) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  /** @returns false if the batch was refused, or the time to close is over */
  private async deliver(batch: LineBatch): Promise<boolean> {
    const { signal } = this.abort;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let decision: AttemptDecision;
      try {
        const response = await this.client.post(batch, signal);
        decision = decideOnResponse(response, attempt, batch.lineCount, this.retryPolicy);
      } catch (error) {
        if (signal.aborted) return false;
        decision = decideOnError(error, attempt, this.retryPolicy);
      }
      if (decision.warning !== '') this.options.onWarning?.(decision.warning);
      if (decision.outcome !== 'retry') return decision.outcome === 'delivered';
      await wait(decision.delayMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  /** Reports to the app's owner, in the stream itself, what is missing from it. Beyond the limit: it is two lines. */
  private reportLosses(): void {
    for (const { kind, count, message } of this.counts.takeReports()) {
      const header = this.headers.get('app', 'log-shuttle', LOSS_PRIORITY);
      const batch = this.queue.add(header, this.clock.timestamp(), Buffer.from(message));
      batch.reported[kind] += count;
      batch.reported.lines += 1;
    }
    this.queue.persist();
  }
}
