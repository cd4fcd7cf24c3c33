/** What `tailrace doctor` says of one thing it looked at. */

/**
 * - `ok`: as it should be
 * - `note`: nothing is wrong, but somebody may miss it
 * - `concern`: it works, and will make trouble sooner or later
 * - `trouble`: it doesn't work
 */
export type CheckLevel = 'ok' | 'note' | 'concern' | 'trouble';

export interface CheckResult {
  readonly check: string;
  readonly level: CheckLevel;
  /** A sentence; what isn't ok says what to do. */
  readonly text: string;
}

/** Makes findings about one thing. */
export function resultsOf(check: string): (level: CheckLevel, text: string) => CheckResult {
  return (level, text) => ({ check, level, text });
}
