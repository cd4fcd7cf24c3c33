/** Waits for a promise, at the longest for `timeoutMs`. Rejects when it does within that time. */
export async function waitWithTimeout(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timedOut]);
  clearTimeout(timer);
}
