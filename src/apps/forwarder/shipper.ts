import { setTimeout as wait } from 'node:timers/promises';
import { LOSS_PRIORITY, type RunSink } from '../processes/output/line-sink.ts';
import { BatchQueue } from './batch-queue.ts';
import { IngestClient } from './ingest-client.ts';
import { LineBatch, type LineHead } from './line-batch.ts';
import { LineHeads } from './line-heads.ts';
import { LINE_BYTES_MAX, linePieces } from './line-pieces.ts';
import type { LineQueue } from './line-queue.ts';
import { LossCount } from './loss-count.ts';
import { MicroClock } from './micro-clock.ts';
import { patientVerdict, retryDelayMs, verdict } from './verdict.ts';

export interface ShipperOptions {
  /** The router's address, without `/logs`. */
  url: string;
  /** An API key that may write to the app. */
  key: string;
  /** The token (`t.<uuid>`) of each source: `app` and `heroku`. */
  tokens: Readonly<Record<string, string>>;
  /** All lines that wait, framed. From half of it on the dynos are asked to pause; what doesn't fit is dropped (L12). */
  bufferBytesMax?: number;
  /** Where lines wait, with limits of its own; default: in memory. Closed with the shipper. */
  queue?: LineQueue;
  /** How long the first line of a batch waits for others; default: not at all. */
  gatherMs?: number;
  /** Don't give lines up because the router knows no such token: it may be told of it. */
  patient?: boolean;
  /** Lines in one request at most. */
  batchLineCountMax?: number;
  /** Bytes in one request at most. */
  batchBytesMax?: number;
  retryDelayMs?: (attempt: number) => number;
  /** True: whoever writes lines should pause. False: there is room again. */
  onPressure?: (full: boolean) => void;
  /** One sentence for people, at the start of an outage and for every refused batch. */
  onTrouble?: (message: string) => void;
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

const BUFFER_BYTES_MAX = 8 * 1024 * 1024;
/** So much may wait before those who say much have to: a batch that is sent, and one that is filled meanwhile. */
const WAITING_BYTES = 1024 * 1024;
/** Who says so little at a time doesn't wait behind those who say much. */
const LITTLE_BYTES = 4_096;
/** From so many bytes on, lines that come together are taken together. */
const EXPRESS_BYTES_MIN = 512;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Sends lines to a router: at once when nothing is under way, and everything that came meanwhile in the next request.
 * One request at a time, so that the order holds; repeated until it is accepted, with the same `Logplex-Frame-Id`.
 */
export class Shipper implements RunSink {
  readonly #options: ShipperOptions;
  readonly #client: IngestClient;
  readonly #queue: LineQueue;
  readonly #gatherMs: number;
  readonly #clock = new MicroClock();
  readonly #heads: LineHeads;
  readonly #abort = new AbortController();
  readonly #dropped = new LossCount();
  readonly #lost = new LossCount();
  readonly #stats = { accepted: 0, dropped: 0, lost: 0 };
  #idleWaiters: (() => void)[] = [];
  #roomWaiters: (() => void)[] = [];
  /** Until the open batch is old enough to go. */
  #gathering: NodeJS.Timeout | undefined;
  #pumping = false;
  #pressed = false;
  #closing = false;

  /** @throws if the URL isn't one */
  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#client = new IngestClient(options.url, options.key);
    this.#heads = new LineHeads(options.tokens);
    this.#gatherMs = options.gatherMs ?? 0;
    // Measured with one dyno that writes 80-byte lines, on two cores: 430,000 lines/s with 500 lines a request, 710,000
    // with these, and no more with larger ones.
    const { batchLineCountMax: lineCountMax = 5_000, batchBytesMax: byteCountMax = 512 * 1024 } = options;
    const { bufferBytesMax = BUFFER_BYTES_MAX } = options;
    this.#queue = options.queue ?? new BatchQueue({ lineCountMax, byteCountMax, bufferBytesMax });
    // What a shipper before this one has left.
    if (!this.#queue.isEmpty) this.#wake();
  }

  /** @throws if there is no token for the source */
  line(source: string, dyno: string, priority: number, message: Uint8Array | string): void {
    const head = this.#heads.of(source, dyno, priority);
    this.#takeLine(head, this.#clock.stamp(), typeof message === 'string' ? Buffer.from(message) : message);
  }

  /** @throws if there is no token for the source */
  lines(source: string, dyno: string, priority: number, run: Uint8Array, onRoom: () => void): number {
    const head = this.#heads.of(source, dyno, priority);
    const stamp = this.#clock.stamp();
    const bytesMax = run.length > LITTLE_BYTES ? WAITING_BYTES : Number.POSITIVE_INFINITY;
    for (let at = 0; at < run.length; ) {
      if (!this.#hasRoom(bytesMax)) {
        this.#roomWaiters.push(onRoom);
        return at;
      }
      const isWorth = run.length - at >= EXPRESS_BYTES_MIN && !this.#closing;
      const reached = isWorth ? this.#queue.addRun(head, stamp, run, at) : at;
      if (reached > at) {
        at = reached;
        this.#added();
        continue;
      }
      const end = run.indexOf(NEWLINE, at);
      const isReturned = end > at && run[end - 1] === RETURN;
      this.#takeLine(head, stamp, run.subarray(at, isReturned ? end - 1 : end));
      at = end + 1;
    }
    return run.length;
  }

  /** Resolves when everything was accepted, refused, or (after `close()`) given up. */
  async flush(): Promise<void> {
    if (!this.#pumping && this.#queue.isEmpty) return;
    const idle = new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    this.#wake();
    await idle;
  }

  /**
   * Takes no more lines, and sends those that wait.
   *
   * @param timeoutMs gives up what could not be delivered by then
   * @returns the final numbers; what is in `dropped` and `lost` could perhaps not be reported as a line any more
   */
  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<ShipperStats> {
    this.#closing = true;
    this.#tellRoom();
    const timer = setTimeout(() => this.#abort.abort(), timeoutMs);
    await this.flush();
    clearTimeout(timer);
    await this.#client.close();
    this.#queue.close();
    return this.stats();
  }

  stats(): ShipperStats {
    return { ...this.#stats, bufferedBytes: this.#queue.byteCount };
  }

  #takeLine(head: LineHead, stamp: string, message: Uint8Array): void {
    if (message.length <= LINE_BYTES_MAX) this.#take(head, stamp, message);
    else for (const piece of linePieces(message)) this.#take(head, stamp, piece);
  }

  #take(head: LineHead, stamp: string, message: Uint8Array): void {
    if (this.#closing || !this.#queue.hasRoomFor(LineBatch.frameBytes(head, message))) {
      this.#dropped.add(1, stamp);
      this.#stats.dropped += 1;
      return;
    }
    this.#queue.add(head, stamp, message);
    this.#added();
  }

  #added(): void {
    if (!this.#pressed && this.#queue.fill >= 0.5) this.#press(true);
    this.#wake();
  }

  /** While less than that waits. At the end all is let in, to be counted. */
  #hasRoom(waitingBytesMax: number): boolean {
    const { byteCount, fill } = this.#queue;
    return this.#closing || (byteCount < waitingBytesMax && fill < 0.5);
  }

  #tellRoom(): void {
    if (this.#roomWaiters.length === 0 || !this.#hasRoom(WAITING_BYTES)) return;
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  #press(full: boolean): void {
    this.#pressed = full;
    this.#options.onPressure?.(full);
  }

  #wake(): void {
    if (this.#pumping) return;
    if (this.#waits()) return;
    this.#pumping = true;
    // Not at once: the other lines of the same read shall travel with this one.
    setImmediate(() => void this.#pump());
  }

  /** Does the next batch wait for more lines? Then somebody is woken when it has waited enough. */
  #waits(): boolean {
    if (this.#gatherMs === 0 || this.#closing || this.#idleWaiters.length > 0) return false;
    const waitMs = this.#queue.ripeInMs(this.#gatherMs);
    if (waitMs === 0) return false;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (!this.#queue.isEmpty) this.#wake();
    }, waitMs);
    return true;
  }

  async #pump(): Promise<void> {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    while (!this.#waits()) {
      const batch = this.#queue.take();
      if (batch === undefined) break;
      const accepted = await this.#deliver(batch);
      if (accepted) this.#stats.accepted += batch.lineCount;
      else if (this.#abort.signal.aborted && this.#queue.isKept) break;
      else this.#countLost(batch);
      // After a refusal the report goes out only if there was more than a report in the batch: a router that refuses
      // everything would be asked for ever.
      if (accepted || batch.lineCount > batch.reported.lines) this.#report();
      this.#queue.done(batch);
      if (this.#pressed && this.#queue.fill <= 0.25) this.#press(false);
      this.#tellRoom();
    }
    this.#pumping = false;
    if (!this.#queue.isEmpty && !this.#abort.signal.aborted) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** @returns false if the batch was refused, or the time to close is over */
  async #deliver(batch: LineBatch): Promise<boolean> {
    const { signal } = this.#abort;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let trouble: string;
      let delayMs = (this.#options.retryDelayMs ?? retryDelayMs)(attempt);
      try {
        const { status, retryAfterMs } = await this.#client.post(batch, signal);
        const meaning = this.#options.patient ? patientVerdict(status) : verdict(status);
        if (meaning === 'delivered') return true;
        if (meaning === 'refused') {
          this.#options.onTrouble?.(`The router refused ${batch.lineCount} lines with status ${status}.`);
          return false;
        }
        delayMs = Math.max(delayMs, retryAfterMs);
        trouble = `status ${status}`;
      } catch (error) {
        trouble = error instanceof Error ? error.message || error.name : String(error);
      }
      if (attempt === 1 && !signal.aborted) {
        this.#options.onTrouble?.(`The router takes no lines (${trouble}); trying again until it does.`);
      }
      await wait(delayMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  #countLost(batch: LineBatch): void {
    const stamp = this.#clock.stamp();
    const lineCount = batch.lineCount - batch.reported.lines;
    this.#stats.lost += lineCount;
    this.#lost.add(lineCount + batch.reported.lost, stamp);
    this.#dropped.add(batch.reported.dropped, stamp);
  }

  /** Tells the owner, in the stream itself, what is missing from it. Beyond the limit: it is two lines. */
  #report(): void {
    if (this.#abort.signal.aborted) return;
    this.#reportOne(this.#dropped, 'Error L12: ', 'dropped');
    this.#reportOne(this.#lost, 'Error L13: ', 'lost');
  }

  #reportOne(losses: LossCount, code: string, word: 'dropped' | 'lost'): void {
    if (losses.count === 0) return;
    const head = this.#heads.of('app', 'log-shuttle', LOSS_PRIORITY);
    const batch = this.#queue.add(head, this.#clock.stamp(), Buffer.from(code + losses.text(word)));
    batch.reported[word] += losses.count;
    batch.reported.lines += 1;
    losses.reset();
  }
}
