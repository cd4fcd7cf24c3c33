/** A dyno that ran this long before it crashed was stable: counting starts anew. */
export const STABLE_AFTER_MS = 10 * 60_000;

const DELAY_MAX_MS = 5 * 60_000;

/**
 * How long a crashed dyno stays down before it is started again: not at all the first time, then 1 s, 2 s, 4 s … up to
 * 5 minutes, so that a crash loop neither floods the stream nor overloads the machine. (Heroku waits 10 minutes and more:
 * too long for development.)
 *
 * @param crashCount crashes in a row, each within 10 minutes of its launch; 1 for the first
 * @returns milliseconds
 */
export function restartDelayMs(crashCount: number): number {
  if (crashCount <= 1) return 0;
  return Math.min(DELAY_MAX_MS, 1000 * 2 ** (crashCount - 2));
}
