/** What the drains are doing. */
import { about, type Finding } from './finding.ts';

/** Of a drain as the API shows it. */
export interface SeenDrain {
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
const BEHIND_MS = 60_000;

/** One finding for each drain that isn't well. */
export function drainFindings(app: string, drains: readonly SeenDrain[]): Finding[] {
  return drains.flatMap((drain) => judge(app, drain) ?? []);
}

function judge(app: string, { url, token, delivery }: SeenDrain): Finding | undefined {
  const finding = about('drain');
  const { state, lost, lagLines, lagMs, lastError } = delivery;
  const name = `${url} of ${app}`;
  const waiting = lagLines > 0 ? `, ${lagLines.toLocaleString('en-US')} lines wait` : '';
  const see = `tailrace drains:info -a ${app} ${token}`;
  if (state === 'retrying')
    return finding(
      'trouble',
      `${name} takes no lines${waiting}: ${lastError ?? 'no reason is known'}. See ${see}.`,
    );
  if (state === 'paused')
    return finding('note', `${name} is paused${waiting}: tailrace drains:resume -a ${app} ${token}.`);
  if (lagMs > BEHIND_MS)
    return finding(
      'concern',
      `${name} is ${Math.round(lagMs / 1_000)} s behind${waiting}: its destination or the way there is too slow. See ${see}.`,
    );
  if (lost > 0)
    return finding('concern', `${name} has lost ${lost.toLocaleString('en-US')} lines so far. See ${see}.`);
  return undefined;
}
