/**
 * What has to be done at the end of this turn of the event loop, all of it in one callback: what batchers append there reaches the
 * store together, and a thousand of them cost one timer.
 */
let waiting: (() => void)[] = [];

/** Calls `callback` when this turn's events have been handled. */
export function atTurnEnd(callback: () => void): void {
  if (waiting.push(callback) === 1) setImmediate(run);
}

function run(): void {
  const callbacks = waiting;
  waiting = [];
  let done = 0;
  try {
    while (done < callbacks.length) callbacks[done++]();
  } finally {
    // One has failed: the others are called nevertheless.
    for (; done < callbacks.length; done++) atTurnEnd(callbacks[done]);
  }
}
