/** The result of one check of `tailrace doctor`. */

/**
 * - `ok`: as it should be
 * - `note`: nothing is wrong, but a feature is missing
 * - `concern`: it works, but will fail sooner or later
 * - `trouble`: it doesn't work
 */
export type CheckLevel = 'ok' | 'note' | 'concern' | 'trouble';

export interface CheckResult {
  readonly check: string;
  readonly level: CheckLevel;
  /** A sentence; with what to do unless it is ok. */
  readonly text: string;
}

/** Makes results of one check. */
export function resultsOf(check: string): (level: CheckLevel, text: string) => CheckResult {
  return (level, text) => ({ check, level, text });
}
