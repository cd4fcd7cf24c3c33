/** What a {@link JobThread} runs. */
import { parentPort } from 'node:worker_threads';
import { systemCode, TailraceError } from '../../../../src/common/errors.ts';
import type { Job } from './job.ts';
import type { ThreadReply } from './job-thread.ts';
import { JobWorker } from './run-job.ts';

const worker = new JobWorker();

parentPort?.on('message', (job: Job) => {
  const answered = answer(job);
  parentPort?.postMessage(answered);
});

function answer(job: Job): ThreadReply {
  try {
    return { reply: worker.run(job) };
  } catch (error) {
    if (error instanceof TailraceError) return { code: error.code, message: error.message };
    return { failure: error instanceof Error ? error.message : String(error), systemCode: systemCode(error) };
  }
}
