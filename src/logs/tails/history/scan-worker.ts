/** What a thread that scans files runs. */

import { answerJobs } from '../../../common/limits/job-thread.ts';
import { scanFile } from './scan-file.ts';
import { filterOf } from './scan-filter.ts';
import type { ScanJob, ScanReply } from './scan-job.ts';

answerJobs(
  (job: ScanJob) => scanFile(job, filterOf(job.filter)),
  (reply: ScanReply) =>
    reply
      ? [reply.sequences.buffer, reply.counts.buffer, ...(reply.found ? [reply.found.bytes.buffer] : [])]
      : [],
);
