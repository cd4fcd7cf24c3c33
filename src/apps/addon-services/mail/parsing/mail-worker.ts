/** The thread that takes mails apart: one that is as bad as can be holds up this thread alone, which is ended then. */

import { readFile } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { errorMessage } from '../../../../common/text/error-message.ts';
import type { MailJob, MailReply } from './mail-parser.ts';
import { parseRawMail, type RawMailParts } from './parse-mail.ts';

/** Its attachments are asked for next. */
let last: { readonly path: string; readonly taken: RawMailParts } | undefined;

parentPort?.on('message', (job: MailJob) => {
  void answer(job)
    .catch((error: unknown): MailReply => ({ failure: errorMessage(error) }))
    .then((reply) => parentPort?.postMessage(reply));
});

async function answer(job: MailJob): Promise<MailReply> {
  if (last?.path !== job.path) {
    last = undefined;
    const file = await readFile(job.path);
    last = { path: job.path, taken: await parseRawMail(file.subarray(job.offset)) };
  }
  const { taken } = last;
  if (job.want === 'mail') return { result: taken.mail };
  if (job.want === 'frame') return { result: taken.frameDocument() };
  return { result: taken.attachment(job.want) };
}
