import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, systemCode, TailraceError } from '../../../common/errors.ts';
import { FairQueue } from '../../../common/limits/fair-queue.ts';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';
import type { PackedLines } from '../formats/packed-lines.ts';
import type { ParseJob } from './parse-body.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'parsing-worker.js');
/** Bodies that wait for the thread may take so much. */
const WAITING_BYTES_MAX = 64_000_000;
/** A thread without work ends after this time: it holds some megabytes. */
const IDLE_MS = 60_000;
/** Of the thread's heap. What is within the limits of JSON and OTLP takes less. */
const HEAP_MB_MAX = 512;

/** What it sends back: lines, an expected error, or an unexpected one. */
export type ParseReply =
  | ParsedBody
  | { readonly code: ErrorCode; readonly message: string }
  | { readonly failure: string };

/** A body's lines. */
export interface ParsedBody {
  readonly lines: PackedLines;
  /** The body, which has come back. */
  readonly body: Uint8Array;
}

interface WaitingJob {
  readonly job: ParseJob;
  readonly bytes: number;
  readonly resolve: (body: ParsedBody) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Parses large bodies on a thread of its own, which is started with the first of them: one after the other, the apps that send some in
 * turns. The event loop goes on meanwhile.
 */
export class ParsingThread {
  private worker: Worker | undefined;
  private readonly queue = new FairQueue<WaitingJob>();
  private current: WaitingJob | undefined;
  private waitingBytes = 0;
  private idleTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  /**
   * Parses a body. Its memory is given away, and comes back with the lines: until then it must not be read.
   *
   * @param owner whose turn it takes: the app.
   * @throws TailraceError as `parseBody`; `unavailable` when too much waits.
   */
  parse(owner: string, job: ParseJob): Promise<ParsedBody> {
    const bytes = job.body.length;
    if (this.isClosed) throw stopping();
    if (this.waitingBytes > 0 && this.waitingBytes + bytes > WAITING_BYTES_MAX)
      throw new TailraceError(
        'unavailable',
        'Too many large requests wait to be read: try again in a moment.',
      );
    this.waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.queue.add(owner, { job, bytes, resolve, reject });
      this.sendNext();
    });
  }

  /** Ends the thread; what waits for it is refused. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.current?.reject(stopping());
    for (let job = this.queue.take(); job; job = this.queue.take()) job.reject(stopping());
    await this.stop();
  }

  private sendNext(): void {
    if (this.current) return;
    this.current = this.queue.take();
    clearTimeout(this.idleTimer);
    if (!this.current) {
      this.idleTimer = setTimeout(() => void this.stop(), IDLE_MS).unref();
      return;
    }
    const { job } = this.current;
    const body = ownMemory(job.body);
    this.worker ??= this.start();
    this.worker.postMessage({ ...job, body } satisfies ParseJob, [body.buffer]);
  }

  private async stop(): Promise<void> {
    clearTimeout(this.idleTimer);
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(PROGRAM, {
      name: 'parsing',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    worker.unref();
    worker.on('message', (reply: ParseReply) => this.onReply(reply));
    let failure: unknown;
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => this.onExit(worker, failure));
    return worker;
  }

  private onReply(reply: ParseReply): void {
    const { current } = this;
    this.done();
    if ('lines' in reply) current?.resolve(reply);
    else if ('code' in reply) current?.reject(new TailraceError(reply.code, reply.message));
    else current?.reject(new Error(reply.failure));
  }

  private onExit(worker: Worker, failure: unknown): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    const { current } = this;
    if (!current) return;
    this.done();
    if (systemCode(failure) !== 'ERR_WORKER_OUT_OF_MEMORY') {
      current.reject(new Error('the thread that parses bodies has ended', { cause: failure }));
      return;
    }
    current.reject(
      new TailraceError('too_large', 'Reading the body takes too much memory: send it in several requests.', {
        cause: failure,
      }),
    );
  }

  private done(): void {
    this.waitingBytes -= this.current?.bytes ?? 0;
    this.current = undefined;
    this.sendNext();
  }
}

function stopping(): TailraceError {
  return new TailraceError('unavailable', 'The server stops: send it again in a moment.');
}

/** Memory that holds nothing else, and can be given away. */
function ownMemory(body: Buffer): Buffer<ArrayBuffer> {
  const { buffer } = body;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === body.length) return body as Buffer<ArrayBuffer>;
  const copy = Buffer.allocUnsafeSlow(body.length);
  body.copy(copy);
  return copy;
}
