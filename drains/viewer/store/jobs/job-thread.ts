/** A thread that does one job after the other. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, reasonOf, TailraceError } from '../../../../src/common/errors.ts';
import { PACKAGE_ROOT } from '../../../../src/common/package-info.ts';
import type { Job, JobReply } from './job.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'viewer-store-worker.js');
/** Of its heap: what it reads and compresses is outside of it. */
const HEAP_MB_MAX = 256;
/** Of that for what has just been made, most of which is of no use a moment later: with more, it is only cleaned later. */
const YOUNG_MB_MAX = 8;
/** Jobs that it has at a time: the next one is there when one is done. */
const JOBS_MAX = 2;

/** What a thread sends back. */
export type ThreadReply =
  | { readonly reply: unknown }
  | { readonly code: ErrorCode; readonly message: string }
  | { readonly failure: string; readonly systemCode: string | undefined };

interface WaitingJob {
  readonly job: Job;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: unknown) => void;
}

export class JobThread {
  private readonly name: string;
  private worker: Worker | undefined;
  private readonly waiting: WaitingJob[] = [];
  private readonly current: WaitingJob[] = [];
  private isClosed = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Jobs that aren't done. */
  get load(): number {
    return this.waiting.length + this.current.length;
  }

  run<J extends Job>(job: J): Promise<JobReply<J>> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(stopping());
      this.waiting.push({ job, resolve: resolve as (reply: never) => void, reject });
      this.sendNext();
    });
  }

  /** Ends the thread; what it hasn't done fails. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.fail(stopping());
    await this.worker?.terminate();
  }

  private sendNext(): void {
    while (this.current.length < JOBS_MAX) {
      const next = this.waiting.shift();
      if (!next) return;
      this.current.push(next);
      this.worker ??= this.start();
      this.worker.ref();
      this.worker.postMessage(next.job);
    }
  }

  private start(): Worker {
    const worker = new Worker(PROGRAM, {
      name: this.name,
      // Whatever this process was started with.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX, maxYoungGenerationSizeMb: YOUNG_MB_MAX },
    });
    worker.on('message', (reply: ThreadReply) => this.onReply(reply));
    let failure: unknown;
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.fail(new Error(`the thread "${this.name}" has ended: ${reasonOf(failure)}`, { cause: failure }));
    });
    return worker;
  }

  private onReply(reply: ThreadReply): void {
    const done = this.current.shift();
    this.sendNext();
    if (this.current.length === 0) this.worker?.unref();
    if ('reply' in reply) done?.resolve(reply.reply as never);
    else if ('code' in reply) done?.reject(new TailraceError(reply.code, reply.message));
    else done?.reject(Object.assign(new Error(reply.failure), { code: reply.systemCode }));
  }

  private fail(error: unknown): void {
    for (const { reject } of [...this.current.splice(0), ...this.waiting.splice(0)]) reject(error);
  }
}

function stopping(): TailraceError {
  return new TailraceError('unavailable', 'The line store stops: ask again in a moment.');
}
