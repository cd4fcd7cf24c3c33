/** The state of the drains. */
import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

/** Of a drain as the API shows it. */
export interface CheckedDrain {
  readonly url: string;
  readonly token: string;
  readonly delivery: {
    readonly state: string;
    readonly lost: number;
    readonly lagLines: number;
    readonly lagMs: number;
    readonly lastError?: string;
  };
}

/** A drain that is this far behind doesn't keep up. */
const LAG_MAX_MS = 60_000;

/** One result for each drain with a problem. */
export function checkDrains(app: string, drains: readonly CheckedDrain[]): CheckResult[] {
  return drains.flatMap((drain) => checkDrain(app, drain) ?? []);
}

function checkDrain(app: string, { url, token, delivery }: CheckedDrain): CheckResult | undefined {
  const result = resultsOf('drain');
  const { state, lost, lagLines, lagMs, lastError } = delivery;
  const name = `${url} of ${app}`;
  const waiting = lagLines > 0 ? `, ${formatNumber(lagLines)} lines wait` : '';
  const see = `tailrace drains:info -a ${app} ${token}`;
  if (state === 'retrying')
    return result(
      'trouble',
      `${name} takes no lines${waiting}: ${lastError ?? 'no reason is known'}. See ${see}.`,
    );
  if (state === 'paused')
    return result('note', `${name} is paused${waiting}: tailrace drains:resume -a ${app} ${token}.`);
  if (lagMs > LAG_MAX_MS)
    return result(
      'concern',
      `${name} is ${Math.round(lagMs / 1_000)} s behind${waiting}: its destination or the way there is too slow. See ${see}.`,
    );
  if (lost > 0) return result('concern', `${name} has lost ${formatCount(lost, 'line')} so far. See ${see}.`);
  return undefined;
}
