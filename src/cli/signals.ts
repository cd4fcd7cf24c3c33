let hasShutdownHandler = false;

/** Does somebody wait for the end, because there is something to stop before it? */
export function handlesShutdown(): boolean {
  return hasShutdownHandler;
}

/**
 * Resolves at the first Ctrl-C or SIGTERM, or when nobody reads what is printed any more. At the second signal, `atOnce`
 * is called and the process ends with the status that says so.
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
