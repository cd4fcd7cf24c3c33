import { constants } from 'node:os';

let hasShutdownHandler = false;

/** Does the command have something to stop before the process may end? */
export function handlesShutdown(): boolean {
  return hasShutdownHandler;
}

/**
 * Resolves at the first Ctrl-C or SIGTERM, when the terminal is closed (SIGHUP), or when stdout is closed. At the second signal, or at the
 * first SIGQUIT (Ctrl-\\), `forceStop` is called, and the process ends with the signal's status. Without a terminal SIGHUP is ignored:
 * `nohup` wants that, and Node.js doesn't inherit it.
 */
export function waitForShutdown(forceStop: () => Promise<void> | void): Promise<void> {
  hasShutdownHandler = true;
  return new Promise((resolve) => {
    let isStopping = false;
    const force = (signal: NodeJS.Signals): void => {
      void Promise.resolve(forceStop()).finally(() => process.exit(128 + constants.signals[signal]));
    };
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) {
        force(signal);
        return;
      }
      isStopping = true;
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
    process.on('SIGQUIT', () => force('SIGQUIT'));
    process.on('SIGHUP', () => {
      if (hasTerminal()) stop('SIGHUP');
    });
    process.stdout.on('error', () => resolve()); // `| head`
  });
}

/** Was the process started in a terminal, whose end SIGHUP reports? */
function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}
