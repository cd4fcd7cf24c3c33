/**
 * What one alert has counted, and when it fires: decided by what it is told of matches and of the time, and by nothing else. Its clock
 * never goes back and is never set; whoever tells it keeps what {@link AlertRun.state} gives.
 */
import type { AlertCondition, AlertRecord, SampleLine } from '../records/alert-records.ts';
import { MatchWindow } from './match-window.ts';

const MINUTE_MS = 60_000;
const SAMPLES_MAX = 10;
/** When there are enough, others take their places no sooner: reading a line takes longer than counting it. */
const SAMPLES_FRESH_MS = 1_000;
const PATTERNS_MAX = 20;
/** Values of a field that are counted each for itself; what others have is counted together. */
export const GROUPS_MAX = 200;
export const OTHER_VALUES = '(other values)';

interface GroupState {
  /** See {@link MatchWindow}. */
  window: readonly number[];
  firing: boolean;
  /** When the last match came, or when it began to be waited for. */
  lastMs: number;
  /** Matches that nobody was told of, and when the first of them came. */
  pending: number;
  pendingFromMs: number;
  notifiedMs?: number;
  /** It has been told that it fires. */
  told: boolean;
  samples: SampleLine[];
  /** When the newest of them came. */
  sampledMs?: number;
  patterns?: string[];
}

/** Plain JSON. */
export interface AlertRunState {
  /** What the counts are of: with another condition they begin anew. */
  readonly basis: string;
  readonly groups: Readonly<Record<string, GroupState>>;
  readonly startedMs: number;
}

/** What somebody has to be told of. */
export interface Firing {
  readonly kind: 'fired' | 'resolved';
  readonly value: string;
  readonly count: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: readonly SampleLine[];
  readonly patterns?: readonly string[];
}

interface Group extends Omit<GroupState, 'window'> {
  window: MatchWindow;
}

export class AlertRun {
  private readonly condition: AlertCondition;
  private readonly cooldownMs: number;
  private readonly windowMs: number;
  private readonly basis: string;
  private readonly isGrouped: boolean;
  private readonly groups = new Map<string, Group>();
  readonly startedMs: number;
  /** Has something changed that has to be kept? */
  isDirty = true;

  /** @param nowMs when it begins, unless its state says so */
  constructor(
    alert: Pick<AlertRecord, 'condition' | 'groupBy' | 'cooldownMinutes'>,
    nowMs: number,
    saved?: AlertRunState,
  ) {
    this.condition = alert.condition;
    this.cooldownMs = alert.cooldownMinutes * MINUTE_MS;
    this.windowMs = alert.condition.kind === 'new-pattern' ? 0 : alert.condition.minutes * MINUTE_MS;
    this.basis = basisOf(alert);
    this.isGrouped = alert.groupBy !== undefined;
    const state = saved?.basis === this.basis ? saved : undefined;
    this.startedMs = state?.startedMs ?? nowMs;
    for (const [value, group] of Object.entries(state?.groups ?? {}))
      this.groups.set(value, {
        ...group,
        window: new MatchWindow(this.windowMs, group.window),
        samples: [...group.samples],
      });
    // The one that is waited for from the beginning on.
    if (!this.isGrouped && this.condition.kind === 'none') this.groupOf('', this.startedMs);
  }

  /** Is a match worth showing? Asked before its text is read. */
  wantsSample(value: string, inBatch: number, atMs: number): boolean {
    if (inBatch >= SAMPLES_MAX) return false;
    const group = this.groups.get(value);
    if (!group) return this.groups.size < GROUPS_MAX || value === OTHER_VALUES;
    const { samples, sampledMs } = group;
    return samples.length < SAMPLES_MAX || sampledMs === undefined || atMs - sampledMs >= SAMPLES_FRESH_MS;
  }

  /** Has it been running for as long as it takes every pattern as known? */
  isLearning(nowMs: number): boolean {
    return (
      this.condition.kind === 'new-pattern' &&
      nowMs < this.startedMs + this.condition.learnMinutes * MINUTE_MS
    );
  }

  /**
   * Counts a match; for what looks for new patterns, one that has one.
   * @param atMs when the line came
   */
  add(value: string, atMs: number, sample: SampleLine | undefined, pattern?: string): void {
    this.isDirty = true;
    const group = this.groupOf(value, atMs);
    group.lastMs = Math.max(group.lastMs, atMs);
    if (sample) {
      group.samples.push(sample);
      group.sampledMs = atMs;
      if (group.samples.length > SAMPLES_MAX) group.samples.shift();
    }
    switch (this.condition.kind) {
      case 'none':
        return;
      case 'new-pattern':
        this.addPending(group, atMs, 1);
        group.patterns ??= [];
        if (pattern !== undefined && group.patterns.length < PATTERNS_MAX) group.patterns.push(pattern);
        return;
      case 'at-least':
        this.addToWindow(group, atMs, this.condition.count);
    }
  }

  /**
   * What somebody has to be told of by now.
   * @param watchedMs up to when all lines are known: nobody is said to be silent whose lines weren't read yet
   */
  settle(nowMs: number, watchedMs: number): Firing[] {
    const firings: Firing[] = [];
    for (const [value, group] of this.groups) {
      if (this.condition.kind === 'none') this.settleSilence(value, group, watchedMs, firings);
      else this.settleMatches(value, group, nowMs, firings);
    }
    if (firings.length > 0) this.isDirty = true;
    return firings;
  }

  /** What has to be kept, and given to the constructor again: a copy. */
  get state(): AlertRunState {
    const groups: Record<string, GroupState> = {};
    for (const [value, group] of this.groups)
      Object.defineProperty(groups, value, {
        value: { ...group, window: group.window.toJSON() },
        enumerable: true,
      });
    return { basis: this.basis, groups, startedMs: this.startedMs };
  }

  private addToWindow(group: Group, atMs: number, wanted: number): void {
    // What came too long before this line isn't in the same window.
    const before = group.window.countAt(Math.max(atMs, group.lastMs));
    if (group.firing && before < wanted && group.pending === 0) group.firing = false;
    group.window.add(atMs, 1);
    if (group.firing) {
      this.addPending(group, atMs, 1);
      return;
    }
    const count = before + 1;
    if (count < wanted) return;
    group.firing = true;
    this.addPending(group, group.window.oldestMs ?? atMs, count);
  }

  private addPending(group: Group, fromMs: number, count: number): void {
    if (group.pending === 0) group.pendingFromMs = fromMs;
    group.pending += count;
  }

  private settleMatches(value: string, group: Group, nowMs: number, firings: Firing[]): void {
    const mayNotify = group.notifiedMs === undefined || nowMs - group.notifiedMs >= this.cooldownMs;
    if (group.pending > 0 && mayNotify) {
      firings.push({
        kind: 'fired',
        value,
        count: group.pending,
        fromMs: group.pendingFromMs,
        toMs: Math.max(group.lastMs, group.pendingFromMs),
        samples: group.samples,
        ...(group.patterns ? { patterns: group.patterns } : {}),
      });
      group.pending = 0;
      group.samples = [];
      group.patterns = undefined;
      group.notifiedMs = nowMs;
      group.told = this.condition.kind === 'at-least';
    }
    if (this.condition.kind === 'at-least') {
      const count = group.window.countAt(nowMs);
      if (group.firing && count < this.condition.count && group.pending === 0) group.firing = false;
      if (!group.firing && group.told) {
        firings.push({ kind: 'resolved', value, count, fromMs: group.lastMs, toMs: nowMs, samples: [] });
        group.told = false;
      }
      if (count > 0 || group.firing) return;
    }
    // Of what is over nothing has to be known any more.
    if (group.pending === 0 && mayNotify && nowMs - (group.notifiedMs ?? 0) >= this.cooldownMs) {
      this.groups.delete(value);
      this.isDirty = true;
    }
  }

  private settleSilence(value: string, group: Group, watchedMs: number, firings: Firing[]): void {
    if (!group.firing) {
      const isSilent = watchedMs - group.lastMs >= this.windowMs;
      const mayNotify = group.notifiedMs === undefined || watchedMs - group.notifiedMs >= this.cooldownMs;
      if (!isSilent || !mayNotify) return;
      group.firing = true;
      group.notifiedMs = watchedMs;
      group.pendingFromMs = group.lastMs;
      firings.push({
        kind: 'fired',
        value,
        count: 0,
        fromMs: group.lastMs,
        toMs: watchedMs,
        samples: group.samples,
      });
      group.samples = [];
    } else if (group.lastMs > group.pendingFromMs) {
      group.firing = false;
      firings.push({
        kind: 'resolved',
        value,
        count: 1,
        fromMs: group.pendingFromMs,
        toMs: group.lastMs,
        samples: group.samples,
      });
    }
  }

  private groupOf(value: string, nowMs: number): Group {
    const known = this.groups.get(value);
    if (known) return known;
    const name = this.groups.size < GROUPS_MAX || !this.isGrouped ? value : OTHER_VALUES;
    const other = this.groups.get(name);
    if (other) return other;
    const group: Group = {
      window: new MatchWindow(this.windowMs),
      firing: false,
      lastMs: nowMs,
      pending: 0,
      pendingFromMs: nowMs,
      told: false,
      samples: [],
    };
    this.groups.set(name, group);
    return group;
  }
}

function basisOf({ condition, groupBy }: Pick<AlertRecord, 'condition' | 'groupBy'>): string {
  return JSON.stringify([condition, groupBy]);
}
