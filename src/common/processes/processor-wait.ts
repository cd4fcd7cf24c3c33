import { openSync, readSync } from 'node:fs';

/** Three numbers of up to 20 digits. */
const BYTES_MAX = 64;
const SPACE = 0x20;
const ZERO = 0x30;

const bytes = Buffer.alloc(BYTES_MAX);
/** Undefined until it is needed, and where there is none. */
let descriptor: number | undefined;
let isMissing = false;

/**
 * For how long this thread has been ready to run, and others ran, ms, since it began: the second number of Linux' `schedstat` (proc(5),
 * Documentation/scheduler/sched-stats). 0 where the system doesn't say.
 */
export function processorWaitMs(): number {
  if (isMissing) return 0;
  try {
    // A module is one for each thread.
    descriptor ??= openSync('/proc/thread-self/schedstat', 'r');
    const length = readSync(descriptor, bytes, 0, BYTES_MAX, 0);
    let nanoseconds = 0;
    for (let i = bytes.indexOf(SPACE) + 1; i < length && bytes[i] !== SPACE; i++)
      nanoseconds = nanoseconds * 10 + (bytes[i] - ZERO);
    return nanoseconds / 1e6;
  } catch {
    isMissing = true;
    return 0;
  }
}
