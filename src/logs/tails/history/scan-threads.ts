/** The threads that scan files of streams, for all who search in this process. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import { FairQueue } from '../../../common/limits/fair-queue.ts';
import { JobThread } from '../../../common/limits/job-thread.ts';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';
import type { QueryNode } from '../../query/query-syntax.ts';
import type { StoredBatch } from '../../store/contract.ts';
import type { FileScan, FileScanner, FileScanResult } from '../../store/file-scanner.ts';
import { COLUMNS, type FoundLines, type ScanJob, type ScanReply } from './scan-job.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'scan-worker.js');
/** One core is left to lines that come in and tails. */
const THREADS_MAX = 4;
/** Scans of one thread: the next one is there when one is done. */
const JOBS_MAX = 2;
const IDLE_MS = 60_000;
const STOPPING = 'The server stops: search again in a moment.';

interface WaitingScan {
  readonly job: ScanJob;
  readonly resolve: (reply: ScanReply) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One for the process: at most {@link THREADS_MAX} threads, one fewer than there are cores. Owners take turns; `scan` resolves to undefined
 * when a thread failed, and the caller does without.
 */
export class ScanThreads implements FileScanner {
  private readonly threads = Array.from(
    { length: Math.max(1, Math.min(THREADS_MAX, availableParallelism() - 1)) },
    (_, i) =>
      new JobThread({ name: `searching-${i + 1}`, program: PROGRAM, stopping: STOPPING, idleMs: IDLE_MS }),
  );
  private readonly queue = new FairQueue<WaitingScan>();
  private isClosed = false;

  async scan(owner: string, scan: FileScan): Promise<FileScanResult | undefined> {
    if (this.isClosed) throw new TailraceError('unavailable', STOPPING);
    const job = scanJobOf(scan);
    const reply = await new Promise<ScanReply>((resolve, reject) => {
      this.queue.add(owner, { job, resolve, reject });
      this.sendNext();
    });
    return scanResultOf(reply);
  }

  /** Ends the threads; who waits for one is refused. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (let scan = this.queue.take(); scan; scan = this.queue.take())
      scan.reject(new TailraceError('unavailable', STOPPING));
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private sendNext(): void {
    for (;;) {
      const thread = this.threads.reduce((least, one) => (one.load < least.load ? one : least));
      const scan = thread.load < JOBS_MAX ? this.queue.take() : undefined;
      if (!scan) return;
      void this.run(thread, scan);
    }
  }

  private async run(thread: JobThread, { job, resolve, reject }: WaitingScan): Promise<void> {
    try {
      resolve((await thread.run(job)) as ScanReply);
    } catch (error) {
      // What a thread can't do is done without it.
      if (error instanceof TailraceError) reject(error);
      else resolve(undefined);
    }
    this.sendNext();
  }
}

/** The scan as a thread is given it. */
export function scanJobOf({
  file,
  from,
  after,
  through,
  filter,
  take,
  events,
  eventsAfter,
}: FileScan): ScanJob {
  const { sources, dynos, level, matcher } = filter.options;
  const { key, wholeEvents } = filter;
  const { identity: _here, ...described } = file;
  return {
    file: described,
    from: from ?? { offset: 0, bytesSoFar: file.bytesBefore },
    after,
    through,
    filter: {
      sources,
      dynos,
      level,
      query: matcher?.definition as QueryNode | undefined,
      queryKey: matcher?.key ?? '',
      wholeEvents,
      key,
    },
    take,
    events,
    eventsAfter: eventsAfter ?? after,
  };
}

/** What a thread has found, as the one who asked takes it; undefined when it couldn't read the file. */
export function scanResultOf(reply: ScanReply): FileScanResult | undefined {
  if (!reply) return undefined;
  const { found, ...result } = reply;
  return { ...result, batches: found && storedBatches(found) };
}

function storedBatches({ bytes, batches }: FoundLines): StoredBatch[] {
  const found: StoredBatch[] = [];
  let start = 0;
  for (let i = 0; i < batches.length; i += COLUMNS) {
    const [end, first, count, storedAtMs] = batches.subarray(i, i + COLUMNS);
    found.push({ bytes: bytes.subarray(start, end), count, first, last: first + count - 1, storedAtMs });
    start = end;
  }
  return found;
}
