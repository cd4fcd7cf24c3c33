/** What apps may hold and send, where that is set for an app alone; for all others the settings say it. */
import type {
  AppId,
  AppLimits,
  LimitsByApp,
  LimitsListener,
  RecordChange,
  Retention,
  StoredRecord,
} from './contract.ts';

/** What the keys of limits begin with. */
export const LIMITS_PREFIX = 'limits/';
/** Streams hold what is too old for so much longer at the most, ms; of a short age a tenth. */
const SWEEP_MS_MAX = 60_000;
const SWEEP_MS_MIN = 200;
const SWEEPS_PER_AGE = 10;

/** Key of an app's limits. */
export function limitsKey(app: AppId): string {
  return `${LIMITS_PREFIX}${app}`;
}

/** The limits of all apps, as their records say. A store fills it before it opens a stream. */
export class AppLimitTable implements LimitsByApp {
  readonly retention: Retention;
  private own = new Map<AppId, AppLimits>();
  /** What is held of the apps in {@link own}. */
  private readonly retentions = new Map<AppId, Retention>();
  private readonly listeners = new Set<LimitsListener>();

  constructor(retention: Retention) {
    this.retention = retention;
  }

  of(app: AppId): AppLimits | undefined {
    return this.own.size === 0 ? undefined : this.own.get(app);
  }

  retentionOf(app: AppId): Retention {
    return this.ownRetentionOf(app) ?? this.retention;
  }

  /** What an app's stream may hold, where that isn't what all may. */
  ownRetentionOf(app: AppId): Retention | undefined {
    return this.retentions.size === 0 ? undefined : this.retentions.get(app);
  }

  get hasRates(): boolean {
    return [...this.own.values()].some(
      ({ linesPerS, bytesPerS }) => typeof linesPerS === 'number' || typeof bytesPerS === 'number',
    );
  }

  /** Apps whose lines may be as old as is set for them alone. */
  appsWithOwnAge(): AppId[] {
    return [...this.own].filter(([, { ageMs }]) => ageMs !== undefined).map(([app]) => app);
  }

  /** The shortest and the longest time, ms, that a stream may hold a line. */
  get ageRangeMs(): readonly [number, number] {
    let { ageMs: least } = this.retention;
    let most = least;
    for (const { ageMs } of this.retentions.values()) {
      least = Math.min(least, ageMs);
      most = Math.max(most, ageMs);
    }
    return [least, most];
  }

  watch(listener: LimitsListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes over all records of limits, as they are now. */
  load(records: readonly StoredRecord<AppLimits>[]): void {
    const before = this.own;
    const now = new Map(
      records.map(({ key, value }) => [key.slice(LIMITS_PREFIX.length) as AppId, value] as const),
    );
    const changed = [...new Set([...before.keys(), ...now.keys()])].filter(
      (app) => !hasSameLimits(before.get(app), now.get(app)),
    );
    if (changed.length === 0) return;
    this.own = now;
    this.onChanged(changed);
  }

  /** Takes over changes of records that were made: those of limits. */
  apply(changes: readonly RecordChange[]): void {
    const changed: AppId[] = [];
    for (const { key, value } of changes) {
      if (!key.startsWith(LIMITS_PREFIX)) continue;
      const app = key.slice(LIMITS_PREFIX.length) as AppId;
      const limits = value as AppLimits | undefined;
      if (hasSameLimits(this.own.get(app), limits)) continue;
      if (limits) this.own.set(app, limits);
      else this.own.delete(app);
      changed.push(app);
    }
    if (changed.length > 0) this.onChanged(changed);
  }

  private onChanged(apps: readonly AppId[]): void {
    for (const app of apps) {
      const { lines, bytes, ageMs } = this.own.get(app) ?? {};
      if (lines === undefined && bytes === undefined && ageMs === undefined) this.retentions.delete(app);
      else
        this.retentions.set(app, {
          lines: lines ?? this.retention.lines,
          bytes: bytes ?? this.retention.bytes,
          ageMs: ageMs ?? this.retention.ageMs,
        });
    }
    for (const listener of this.listeners) listener(apps);
  }
}

function hasSameLimits(a: AppLimits | undefined, b: AppLimits | undefined): boolean {
  return (
    a?.lines === b?.lines &&
    a?.bytes === b?.bytes &&
    a?.ageMs === b?.ageMs &&
    a?.linesPerS === b?.linesPerS &&
    a?.bytesPerS === b?.bytesPerS
  );
}

/** How often to look for what is too old, ms. @param ageMs how old lines may be (`Retention`) */
export function sweepIntervalMs(ageMs: number): number {
  return Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, Math.floor(ageMs / SWEEPS_PER_AGE)));
}
