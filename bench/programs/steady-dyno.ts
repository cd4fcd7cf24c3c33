/** A well-behaved app: a line every 10 ms, each with the time at which it was written (nanoseconds, the machine's monotonic clock). */
import { writeSync } from 'node:fs';

const INTERVAL_MS = 10;

setInterval(() => {
  writeSync(1, `steady ${process.hrtime.bigint()}\n`);
}, INTERVAL_MS);
