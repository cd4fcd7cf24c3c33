/**
 * Loaded into a server with `--import`: writes down how long its event loop was held, a line of microseconds for each time. Processor
 * time of the main thread counts, not time by the clock: on a busy machine the system takes the processor away at any time.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Shorter ones are not written down. */
const SHOWN_US = 2_000;
const TICK_MS = 1;

const { LOOP_HOLD_FILE } = process.env;
if (isMainThread && LOOP_HOLD_FILE) {
  const out = openSync(LOOP_HOLD_FILE, 'a');
  // Linux, sched(7): nanoseconds on a processor, the first number. The main thread has the number of the process.
  const statistics = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(64);
  const usedUs = (): number =>
    Number.parseInt(buffer.toString('latin1', 0, readSync(statistics, buffer, 0, 64, 0)), 10) / 1_000;
  let before = usedUs();
  setInterval(() => {
    const now = usedUs();
    if (now - before > SHOWN_US) {
      writeSync(out, `${Math.round(now - before)}\n`);
      before = usedUs();
    } else before = now;
  }, TICK_MS).unref();
}
