/** Waits for something, but not longer than that. */
export async function waitWithTimeout(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timedOut]);
  clearTimeout(timer);
}
