import { constants } from 'node:os';
import { handleHangup } from '../common/command-line/hangup.ts';
import { isDiskFull } from '../common/files/file-error.ts';

let hasShutdownHandler = false;

/** Does the command have something to stop before the process may end? */
export function handlesShutdown(): boolean {
  return hasShutdownHandler;
}

/**
 * Resolves at the first Ctrl-C or SIGTERM, when the terminal is closed (SIGHUP), or when stdout is closed. At the second signal, or at the
 * first SIGQUIT (Ctrl-\\), `forceStop` is called, and the process ends with the signal's status. SIGHUP otherwise, from `kill` or
 * `systemctl reload`, calls `reload`.
 */
export function waitForShutdown(
  forceStop: () => Promise<void> | void,
  reload: () => void = () => {},
): Promise<void> {
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
    handleHangup(() => {
      if (!isStopping) stop('SIGHUP');
    }, reload);
    process.stdout.on('error', (error) => {
      if (!isDiskFull(error)) resolve(); // `| head`
    });
  });
}
