/** The thread that {@link ParsingThread} starts: parses one body after the other. */
import { parentPort } from 'node:worker_threads';
import { TailraceError } from '../../../common/errors.ts';
import { type ParseJob, parseBody } from './parse-body.ts';
import type { ParseReply } from './parsing-thread.ts';

parentPort?.on('message', (job: ParseJob) => {
  const { buffer, byteOffset, length } = job.body;
  // A buffer that was sent is a plain array of bytes here.
  const body = Buffer.from(buffer, byteOffset, length);
  const [reply, transferred] = answer({ ...job, body });
  parentPort?.postMessage(reply, transferred);
});

function answer(job: ParseJob): [ParseReply, ArrayBuffer[]] {
  try {
    const lines = parseBody(job);
    const buffers = [lines.bytes, job.body].map(({ buffer }) => buffer as ArrayBuffer);
    return [{ lines, body: job.body }, buffers];
  } catch (error) {
    if (error instanceof TailraceError) return [{ code: error.code, message: error.message }, []];
    return [{ failure: String(error) }, []];
  }
}
