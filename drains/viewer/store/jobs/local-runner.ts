import type { Job, JobReply, JobRunner } from './job.ts';
import { JobWorker } from './run-job.ts';

/** Does jobs in this thread. */
export class LocalRunner implements JobRunner {
  private readonly worker = new JobWorker();

  async run<J extends Job>(job: J): Promise<JobReply<J>> {
    return this.worker.run(job);
  }

  async close(): Promise<void> {}
}
