import type { Job, JobReply, JobRunner } from './job.ts';
import { JobThread } from './job-thread.ts';

/** Searches that run at the same time. */
const SEARCH_THREADS = 2;

/** Does jobs on threads: packing on one, so that each part is written by one; searches on others, so that neither waits for the other. */
export class ThreadRunner implements JobRunner {
  private readonly packing = new JobThread('packing');
  private readonly searching = Array.from(
    { length: SEARCH_THREADS },
    (_, i) => new JobThread(`searching-${i + 1}`),
  );

  run<J extends Job>(job: J): Promise<JobReply<J>> {
    switch (job.kind) {
      case 'pack':
      case 'seal':
      case 'abandon':
      case 'merge':
        return this.packing.run(job);
      default:
        return this.searching.reduce((least, one) => (one.load < least.load ? one : least)).run(job);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.packing, ...this.searching].map((thread) => thread.close()));
  }
}
