import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { TailraceError } from '../../../../common/errors.ts';
import { PACKAGE_ROOT } from '../../../../common/package-info.ts';
import type { AttachmentContent, ParsedMail } from './parsed-mail.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'addon-mail-parser.js');
/** A mail of 25 MB takes less than a second; one that was made to take long gets no more than this. */
const TIMEOUT_MS = 10_000;
const HEAP_MB_MAX = 256;
const WAITING_MAX = 100;
/** A thread without work ends after this time: it holds the last mail. */
const IDLE_MS = 60_000;

/** A mail in a file, and what is wanted of it. */
export interface MailJob {
  readonly path: string;
  readonly offset: number;
  /** An attachment by its number, from 0 on. */
  readonly want: 'mail' | 'frame' | number;
}
export type MailReply = { readonly result: unknown } | { readonly failure: string };

interface Waiting {
  readonly job: MailJob;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Takes mails apart on a thread of its own, one after the other. */
export class MailParser {
  private worker: Worker | undefined;
  private readonly queue: Waiting[] = [];
  private current: Waiting | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @throws TailraceError `invalid_params` for a mail that can't be taken apart; `unavailable` when too many wait */
  parse(file: { path: string; offset: number }): Promise<ParsedMail> {
    return this.ask({ ...file, want: 'mail' }) as Promise<ParsedMail>;
  }

  /** Its HTML as a document for a frame. */
  frame(file: { path: string; offset: number }): Promise<string> {
    return this.ask({ ...file, want: 'frame' }) as Promise<string>;
  }

  /** @param number from 0 on, as they are listed */
  attachment(file: { path: string; offset: number }, number: number): Promise<AttachmentContent | undefined> {
    return this.ask({ ...file, want: number }) as Promise<AttachmentContent | undefined>;
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.worker?.terminate();
  }

  private ask(job: MailJob): Promise<unknown> {
    if (this.queue.length >= WAITING_MAX)
      throw new TailraceError('unavailable', 'Too many mails are being opened: try again in a moment.');
    return new Promise((resolve, reject) => {
      this.queue.push({ job, resolve, reject });
      this.sendNext();
    });
  }

  private sendNext(): void {
    if (this.current) return;
    clearTimeout(this.timer);
    this.current = this.queue.shift();
    if (!this.current) {
      this.timer = setTimeout(() => this.stop(), IDLE_MS);
      this.timer.unref();
      return;
    }
    this.worker ??= this.startWorker();
    this.timer = setTimeout(() => this.fail('its parts are too many, or too deep in each other'), TIMEOUT_MS);
    this.worker.postMessage(this.current.job);
  }

  private startWorker(): Worker {
    const worker = new Worker(PROGRAM, {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
      stderr: true,
    });
    worker.unref();
    worker.on('message', (reply: MailReply) => {
      const done = this.current;
      if (this.worker !== worker || !done) return;
      this.current = undefined;
      if ('failure' in reply) done.reject(unreadable(reply.failure));
      else done.resolve(reply.result);
      this.sendNext();
    });
    const end = (): void => {
      if (this.worker === worker) this.fail('it needs too much memory');
    };
    worker.on('error', end);
    worker.on('exit', end);
    return worker;
  }

  /** The next mail gets a new one. */
  private stop(): void {
    clearTimeout(this.timer);
    void this.worker?.terminate();
    this.worker = undefined;
  }

  /** Ends the thread over the mail that it has. */
  private fail(reason: string): void {
    this.stop();
    const failed = this.current;
    this.current = undefined;
    failed?.reject(unreadable(reason));
    this.sendNext();
  }
}

function unreadable(reason: string): TailraceError {
  return new TailraceError(
    'invalid_params',
    `This mail can't be taken apart (${reason}): look at its source, which is whole.`,
  );
}
