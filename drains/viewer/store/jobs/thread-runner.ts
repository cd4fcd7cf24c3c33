import { join } from 'node:path';
import { JobThread } from '../../../../src/common/limits/job-thread.ts';
import { PACKAGE_ROOT } from '../../../../src/common/package-info.ts';
import type { Job, JobReply, JobRunner } from './job.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'viewer-store-worker.js');

/** Searches that run at the same time. */
const SEARCH_THREADS = 2;

/** Does jobs on threads: packing on one, so that each part is written by one; searches on others, so that neither waits for the other. */
export class ThreadRunner implements JobRunner {
  private readonly packing = startThread('packing');
  private readonly searching = Array.from({ length: SEARCH_THREADS }, (_, i) =>
    startThread(`searching-${i + 1}`),
  );

  run<J extends Job>(job: J): Promise<JobReply<J>> {
    switch (job.kind) {
      case 'pack':
      case 'seal':
      case 'abandon':
      case 'merge':
      case 'erase':
        return this.packing.run(job) as Promise<JobReply<J>>;
      default:
        return this.searching
          .reduce((least, one) => (one.load < least.load ? one : least))
          .run(job) as Promise<JobReply<J>>;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.packing, ...this.searching].map((thread) => thread.close()));
  }
}

function startThread(name: string): JobThread {
  const stopping = 'The line store stops: ask again in a moment.';
  return new JobThread({ name, program: PROGRAM, stopping });
}
