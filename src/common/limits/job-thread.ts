/** A thread that does one job after the other. */

import { parentPort, Worker } from 'node:worker_threads';
import { type ErrorCode, reasonOf, systemCode, TailraceError } from '../errors.ts';
import { errorMessage } from '../text/error-message.ts';

/** Of its heap: what it reads into buffers is outside of it. */
const HEAP_MB_MAX = 256;
/** Of that for what has just been made, most of which is of no use a moment later: with more, it is only cleaned later. */
const YOUNG_MB_MAX = 8;
/** Jobs that it has at a time: the next one is there when one is done. */
const JOBS_MAX = 2;

/** What a thread sends back. */
type ThreadReply =
  | { readonly reply: unknown }
  | { readonly code: ErrorCode; readonly message: string }
  | { readonly failure: string; readonly systemCode: string | undefined };

interface WaitingJob {
  readonly job: unknown;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface JobThreadOptions {
  /** Of the thread, for who looks at the process. */
  readonly name: string;
  /** What it runs: a file that calls {@link answerJobs}. */
  readonly program: string;
  /** What a job fails with when the thread is closed before it is done: a sentence. */
  readonly stopping: string;
  /** Without work for so long it ends, and is started again with the next job; left out: never. */
  readonly idleMs?: number;
}

/**
 * The thread starts with the first job. When it ends by itself, all jobs fail, those that wait included, and the next one starts it anew. It
 * keeps the process alive only while it works.
 */
export class JobThread {
  private readonly options: JobThreadOptions;
  private worker: Worker | undefined;
  private readonly waiting: WaitingJob[] = [];
  private readonly current: WaitingJob[] = [];
  private isClosed = false;
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(options: JobThreadOptions) {
    this.options = options;
  }

  /** Jobs that aren't done. */
  get load(): number {
    return this.waiting.length + this.current.length;
  }

  /** Gives the thread a job, plain data, and resolves to what it answers. */
  run(job: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(this.stopping());
      this.waiting.push({ job, resolve, reject });
      this.sendNext();
    });
  }

  /** Ends the thread; what it hasn't done fails. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.idleTimer);
    this.fail(this.stopping());
    await this.worker?.terminate();
  }

  private sendNext(): void {
    while (this.current.length < JOBS_MAX) {
      const next = this.waiting.shift();
      if (!next) return;
      this.current.push(next);
      clearTimeout(this.idleTimer);
      this.worker ??= this.start();
      this.worker.ref();
      this.worker.postMessage(next.job);
    }
  }

  private start(): Worker {
    const worker = new Worker(this.options.program, {
      name: this.options.name,
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
      this.fail(
        new Error(`the thread "${this.options.name}" has ended: ${reasonOf(failure)}`, { cause: failure }),
      );
    });
    return worker;
  }

  private onReply(reply: ThreadReply): void {
    const done = this.current.shift();
    this.sendNext();
    if (this.current.length === 0) this.rest();
    if ('reply' in reply) done?.resolve(reply.reply);
    else if ('code' in reply) done?.reject(new TailraceError(reply.code, reply.message));
    else done?.reject(Object.assign(new Error(reply.failure), { code: reply.systemCode }));
  }

  /** Nothing is to be done now. */
  private rest(): void {
    this.worker?.unref();
    const { idleMs } = this.options;
    if (idleMs === undefined) return;
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => {
      const { worker } = this;
      this.worker = undefined;
      void worker?.terminate();
    }, idleMs).unref();
  }

  private fail(error: unknown): void {
    for (const { reject } of [...this.current.splice(0), ...this.waiting.splice(0)]) reject(error);
  }

  private stopping(): TailraceError {
    return new TailraceError('unavailable', this.options.stopping);
  }
}

/** What a thread does: answers each job, in their order. @param transferOf memory that a reply gives away */
export function answerJobs<Job, Reply>(
  run: (job: Job) => Reply,
  transferOf: (reply: Reply) => ArrayBuffer[] = () => [],
): void {
  parentPort?.on('message', (job: Job) => {
    let answer: ThreadReply;
    let transfer: ArrayBuffer[] = [];
    try {
      const reply = run(job);
      answer = { reply };
      transfer = transferOf(reply);
    } catch (error) {
      answer = failureReply(error);
    }
    parentPort?.postMessage(answer, transfer);
  });
}

function failureReply(error: unknown): ThreadReply {
  if (error instanceof TailraceError) return { code: error.code, message: error.message };
  return { failure: errorMessage(error), systemCode: systemCode(error) };
}
