/** The longest time of a timer of Node's, which takes a 32-bit number: with more it fires at once, again and again. */
export const TIMER_MS_MAX = 2_147_483_647;

/** Waits for a promise, at the longest for `timeoutMs`. Rejects when it does within that time. */
export async function waitWithTimeout(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timedOut]);
  clearTimeout(timer);
}
