let hasShutdownHandler = false;

/** Does the command have something to stop before the process may end? */
export function handlesShutdown(): boolean {
  return hasShutdownHandler;
}

/**
 * Resolves at the first Ctrl-C or SIGTERM, or when stdout is closed. At the second signal `forceStop` is called, and the
 * process ends with the signal's status.
 */
export function waitForShutdown(forceStop: () => Promise<void> | void): Promise<void> {
  hasShutdownHandler = true;
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (!isStopping) {
        isStopping = true;
        resolve();
        return;
      }
      void Promise.resolve(forceStop()).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
    process.stdout.on('error', () => resolve()); // `| head`
  });
}
