import { createHash } from 'node:crypto';
import { TimeSlices } from '../../../common/limits/turns.ts';

/** Digested between two looks at the clock. */
const SLICE_BYTES = 131_072;

/** What a request is recognized by that has no name: its sender, and all that it consists of. */
export function digestRequest(sender: string, body: Uint8Array): string {
  return createHash('sha256').update(`${sender}\n`).update(body).digest('base64');
}

/** The same in slices, for the main thread: a body of megabytes takes milliseconds. */
export async function digestRequestInSlices(sender: string, body: Uint8Array): Promise<string> {
  const hash = createHash('sha256').update(`${sender}\n`);
  const slices = new TimeSlices();
  for (let at = 0; at < body.length; at += SLICE_BYTES) {
    if (slices.isOver) await slices.next();
    hash.update(body.subarray(at, at + SLICE_BYTES));
  }
  return hash.digest('base64');
}
