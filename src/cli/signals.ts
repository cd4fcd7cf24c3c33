let isAwaited = false;

/** Does somebody wait for the end, because there is something to stop before it? */
export function stopsByItself(): boolean {
  return isAwaited;
}

/**
 * Resolves at the first Ctrl-C or SIGTERM, or when nobody reads what is printed any more. At the second signal, `atOnce`
 * is called and the process ends with the status that says so.
 */
export function untilStopped(atOnce: () => Promise<void> | void): Promise<void> {
  isAwaited = true;
  return new Promise((resolve) => {
    let asked = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (!asked) {
        asked = true;
        resolve();
        return;
      }
      void Promise.resolve(atOnce()).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
    process.stdout.on('error', () => resolve()); // `| head`
  });
}
