import type { RoutedApp, Upstream } from '../app-lookup.ts';
import { type Failure, failures } from '../error-codes.ts';

/** Dynos a request is sent to, at most, before it fails. */
export const ATTEMPTS_MAX = 10;

/** A dyno for the request, or 'wait' for one that starts, or why there is none. */
export type UpstreamChoice = Upstream | 'wait' | Failure;

/**
 * Chooses a dyno at random among those that are up, first among those not in quarantine. A quarantined one is
 * the last resort, not out of the question: with a single dyno the alternative is to fail for certain.
 * @param tried names of dynos that already failed this request
 * @param lastFailure the failure to report when all of them failed
 * @param random gives a number from 0 (inclusive) to 1 (exclusive)
 */
export function pickUpstream(
  app: RoutedApp,
  tried: readonly string[],
  lastFailure: Failure,
  quarantine: { isQuarantined(port: number): boolean },
  random: () => number,
): UpstreamChoice {
  const dynos = app.webDynos();
  // Nothing to choose from: the common case without an allocation.
  if (dynos.length === 1 && dynos[0].state === 'up' && tried.length === 0) return dynos[0];
  const up = dynos.filter((dyno) => dyno.state === 'up' && !tried.includes(dyno.name));
  const healthy = up.filter((dyno) => !quarantine.isQuarantined(dyno.port));
  const candidates = healthy.length > 0 ? healthy : up;
  if (candidates.length > 0) return candidates[Math.floor(random() * candidates.length)];
  if (app.desiredWebDynos() === 0) return failures.noDynos;
  // One that crashed is started again, but who knows when; one that was stopped isn't.
  const hasEnded = ({ state }: Upstream): boolean => state === 'crashed' || state === 'down';
  if (dynos.length === 0 || dynos.some((dyno) => dyno.state !== 'up' && !hasEnded(dyno))) return 'wait';
  return dynos.every(hasEnded) ? failures.crashed : lastFailure;
}
