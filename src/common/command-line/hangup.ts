/** What SIGHUP means: the end of the terminal that a program was started in, or, from `kill` and `systemctl reload`, to read files anew. */
import { closeSync, openSync } from 'node:fs';

/** So long after SIGHUP a terminal that was closed is gone for certain: the signal may come first. */
const TERMINAL_GONE_MS = 200;

/**
 * @param onTerminalClosed called once
 * @param reload also with `nohup`, which Node.js knows nothing of
 */
export function handleHangup(onTerminalClosed: () => void, reload: () => void): void {
  let isClosed = false;
  const stopIfClosed = (): boolean => {
    if (isClosed || isTerminalOpen()) return isClosed;
    isClosed = true;
    onTerminalClosed();
    return true;
  };
  process.on('SIGHUP', () => {
    if (!hasTerminal()) reload();
    else if (!stopIfClosed()) {
      reload();
      setTimeout(stopIfClosed, TERMINAL_GONE_MS).unref();
    }
  });
}

/** Was the process started in a terminal? */
function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}

/** Does a terminal control the process still? Its name can't be opened once it was closed (tty(4)). */
function isTerminalOpen(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
