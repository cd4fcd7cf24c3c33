/** Limits of apps are set and cleared here; what they do is the store's (retention) and the rate limiter's. */
import { TailraceError } from '../../common/errors.ts';
import { limitsKey } from '../store/app-limits.ts';
import type { AppId, AppLimits, Store } from '../store/contract.ts';

/** Changes of limits: null clears one, which is as the settings say then; `none` of a rate: any number. */
export type LimitsChange = { readonly [Name in keyof AppLimits]?: number | 'none' | null };

/** Names of limits in the API, and what they are called in `AppLimits`. */
const FIELDS = {
  lines: 'lines',
  bytes: 'bytes',
  age_s: 'ageMs',
  lines_per_s: 'linesPerS',
  bytes_per_s: 'bytesPerS',
} as const satisfies Record<string, keyof AppLimits>;
type LimitField = keyof typeof FIELDS;

const NUMBER_MAX = 1e15;
/** A hundred years: what Redis takes for how long a key lives. */
const AGE_S_MAX = 100 * 365 * 86_400;
/** When two change the limits of an app at once, the later one reads again. */
const ATTEMPTS_MAX = 20;

/** Writes the record `limits/<app>`; every router hears of it as it hears of any record. */
export class LimitRecords {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Changes some limits of an app; what isn't named stays. @throws TailraceError `conflict` */
  async change(app: AppId, change: LimitsChange): Promise<void> {
    const key = limitsKey(app);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const record = await this.store.get<AppLimits>('', key);
      const limits = changedLimits(record?.value ?? {}, change);
      const value = Object.keys(limits).length === 0 ? undefined : limits;
      if (await this.store.transact('', [{ key, value, ifVersion: record?.version ?? 0 }])) return;
    }
    throw new TailraceError('conflict', 'These limits are being changed by too many at once: try again.');
  }
}

/** Limits after a change; what isn't set isn't there. */
function changedLimits(limits: AppLimits, change: LimitsChange): AppLimits {
  const next: Record<string, number | null> = { ...limits };
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    if (value === null) delete next[name];
    else next[name] = value === 'none' ? null : value;
  }
  return next;
}

/**
 * Reads a change of limits out of JSON.
 * @throws TailraceError `invalid_params` for what is no limit
 */
export function readLimitsChange(body: Readonly<Record<string, unknown>>): LimitsChange {
  const change: Record<string, number | 'none' | null> = {};
  for (const [name, value] of Object.entries(body)) {
    if (!Object.hasOwn(FIELDS, name))
      throw new TailraceError(
        'invalid_params',
        `There is no limit called "${name}": there are ${Object.keys(FIELDS).join(', ')}.`,
      );
    const field = name as LimitField;
    change[FIELDS[field]] = readLimit(field, value);
  }
  return change;
}

function readLimit(field: LimitField, value: unknown): number | 'none' | null {
  const isRate = field === 'lines_per_s' || field === 'bytes_per_s';
  const max = field === 'age_s' ? AGE_S_MAX : NUMBER_MAX;
  if (value === null || (isRate && value === 'none')) return value;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= max)
    return field === 'age_s' ? value * 1_000 : value;
  throw new TailraceError(
    'invalid_params',
    `${field} must be a whole number from 1 to ${max}, or null for what all apps have${isRate ? ', or "none" for any number' : ''}.`,
  );
}
