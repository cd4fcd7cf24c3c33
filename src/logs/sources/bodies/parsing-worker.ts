/** The thread that {@link ParsingThread} starts: parses one body after the other. */
import { parentPort } from 'node:worker_threads';
import { TailraceError } from '../../../common/errors.ts';
import { digestRequest } from './digest.ts';
import { parseBody } from './parse-body.ts';
import type { ParseReply, ParseRequest } from './parsing-thread.ts';

parentPort?.on('message', ({ job, sender }: ParseRequest) => {
  const { buffer, byteOffset, length } = job.body;
  // A buffer that was sent is a plain array of bytes here.
  const body = Buffer.from(buffer, byteOffset, length);
  const [reply, transferred] = answer(job, body, sender);
  parentPort?.postMessage(reply, transferred);
});

function answer(
  job: ParseRequest['job'],
  body: Buffer,
  sender: string | undefined,
): [ParseReply, ArrayBuffer[]] {
  try {
    const lines = parseBody({ ...job, body });
    const digest = sender === undefined ? undefined : digestRequest(sender, body);
    return [{ lines, digest }, [lines.bytes.buffer as ArrayBuffer, lines.ends.buffer as ArrayBuffer]];
  } catch (error) {
    if (error instanceof TailraceError) return [{ code: error.code, message: error.message }, []];
    return [{ failure: String(error) }, []];
  }
}
