/** What the store's threads run. */
import { answerJobs } from '../../../../src/common/limits/job-thread.ts';
import type { Job } from './job.ts';
import { JobWorker } from './run-job.ts';

const worker = new JobWorker();

answerJobs((job: Job) => worker.run(job));
