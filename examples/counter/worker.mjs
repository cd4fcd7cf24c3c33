// The worker dyno: one job after the other, told in logfmt. Now and then one fails, with a stack trace of many lines.
import { setTimeout as wait } from 'node:timers/promises';

const { WORKER_PAUSE_MS = '3000' } = process.env;
const KINDS = ['resize-photo', 'send-mail', 'bill-customer', 'count-drops', 'prüfe-Pegel'];
const FAILS_EVERY = 7;
const stop = new AbortController();
process.once('SIGTERM', () => {
  console.log('at=stopping reason=SIGTERM');
  stop.abort();
});

console.log(`at=ready pause=${WORKER_PAUSE_MS}ms`);
for (let id = 1; !stop.signal.aborted; id += 1) {
  await work(id);
  // Only the pause is cut short by SIGTERM; a job that has begun is finished.
  await wait(Number(WORKER_PAUSE_MS), undefined, { signal: stop.signal }).catch(() => {});
}
console.log('at=stopped');

async function work(id) {
  const kind = KINDS[id % KINDS.length];
  const startedAt = performance.now();
  console.log(`at=start job=${id} kind=${kind}`);
  try {
    await run(kind, id);
    console.log(`at=done job=${id} kind=${kind} duration=${Math.round(performance.now() - startedAt)}ms`);
  } catch (error) {
    console.error(`at=failed job=${id} kind=${kind}`);
    console.error(error);
  }
}

async function run(kind, id) {
  await wait(100 + Math.random() * 400);
  if (id % FAILS_EVERY !== 0) return;
  const cause = new Error('upstream closed the connection');
  throw new Error(`${kind} gave up after 3 attempts`, { cause });
}
