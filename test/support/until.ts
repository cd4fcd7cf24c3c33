/** Conditions that have to hold during every wait; each returns an error when it doesn't. */
const conditions = new Set<() => Error | undefined>();

/** From now on `until` fails at once with the error that `check` returns, instead of waiting in vain. Returns a function that ends that. */
export function failWhen(check: () => Error | undefined): () => void {
  conditions.add(check);
  return () => void conditions.delete(check);
}

/**
 * Polls until `probe` returns something (anything but undefined, null and false), and returns that; throws an error with `what` when there
 * is nothing in time.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs = 40_000,
): Promise<Exclude<NonNullable<T>, false>> {
  const beganMs = performance.now();
  for (;;) {
    const seen = await probe();
    if (seen !== undefined && seen !== null && seen !== false) return seen as Exclude<NonNullable<T>, false>;
    for (const check of conditions) {
      const error = check();
      if (error) throw new Error(`${what}: ${error.message}`);
    }
    const waitedMs = performance.now() - beganMs;
    if (waitedMs > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs(waitedMs)));
  }
}

/** What takes long is asked for less often: an answer costs more than the wait for it. */
function pauseMs(waitedMs: number): number {
  return Math.min(250, Math.max(10, waitedMs / 12));
}
