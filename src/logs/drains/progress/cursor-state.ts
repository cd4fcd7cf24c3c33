import type { Sequence } from '../../store/contract.ts';
import type { DrainRecord } from '../options/drain-record.ts';
import type { CursorRecord, LossSpan } from './cursor-record.ts';

/** Another router has the drain's lease, or the drain is gone: this one has to stop. */
export class FencedError extends Error {
  constructor() {
    super('another router works on this drain now, or it is gone');
    this.name = 'FencedError';
  }
}

type AllFields = { [Name in keyof Required<CursorRecord>]: CursorRecord[Name] };

/**
 * A record with all fields, in their order. V8 takes microseconds for a copy of an object in which some are replaced, and gives it a shape
 * of its own: code that reads records of many shapes is compiled again and again.
 */
function uniform(record: CursorRecord): CursorRecord {
  return {
    after: record.after,
    upTo: record.upTo,
    plan: record.plan,
    bytesMax: record.bytesMax,
    delivered: record.delivered,
    lost: record.lost,
    withheld: record.withheld,
    storedAtMs: record.storedAtMs,
    forDrain: record.forDrain,
    forApp: record.forApp,
    replayed: record.replayed,
    fence: record.fence,
  } satisfies AllFields;
}

/** What became of some lines. */
export interface SettledCounts {
  readonly delivered?: number;
  readonly lost?: number;
  readonly withheld?: number;
}

/** A drain's cursor as it should be written; {@link DrainCursor} writes it. */
export class CursorState {
  private current: CursorRecord;
  private savedRecord: CursorRecord;

  constructor(initial: CursorRecord) {
    this.current = uniform(initial);
    this.savedRecord = this.current;
  }

  /** As it should be written: an object that isn't changed, but replaced. */
  get record(): CursorRecord {
    return this.current;
  }

  /** Not everything is written. */
  get isDirty(): boolean {
    return this.savedRecord !== this.current;
  }

  /** Takes over what is stored under another lease; a replay that wasn't begun begins. */
  restore(stored: CursorRecord | undefined, fence: number, replay: DrainRecord['replay']): void {
    if (stored) this.current = uniform({ ...stored, fence });
    if (replay && this.current.replayed !== replay.id)
      this.current = uniform({
        ...this.current,
        after: replay.after,
        upTo: undefined,
        plan: undefined,
        storedAtMs: 0,
        replayed: replay.id,
      });
  }

  /** Lines up to `after` are settled: accepted, withheld or lost. */
  advance(after: Sequence, counts: SettledCounts, storedAtMs: number): void {
    const { current } = this;
    if (after <= current.after) return;
    const { delivered = 0, lost = 0, withheld = 0 } = counts;
    const plan = planBehind(current, after);
    this.current = {
      after,
      upTo: plan?.[0],
      plan: plan && plan.length > 1 ? plan.slice(1) : undefined,
      bytesMax: current.bytesMax,
      delivered: current.delivered + delivered,
      lost: current.lost + lost,
      withheld: (current.withheld ?? 0) + withheld,
      storedAtMs: Math.max(storedAtMs, current.storedAtMs ?? 0),
      forDrain: current.forDrain,
      forApp: current.forApp,
      replayed: current.replayed,
      fence: current.fence,
    } satisfies AllFields;
  }

  /** The losses that the drain and the app's stream still have to be notified of. */
  setPendingNotices(forDrain: LossSpan | undefined, forApp: LossSpan | undefined): void {
    this.current = uniform({ ...this.current, forDrain, forApp });
  }

  /**
   * The request that comes next covers the lines up to here: it is repeated with exactly these. So do those behind it, up to each of
   * `plan`, when they come.
   */
  markInFlight(upTo: Sequence, plan: readonly Sequence[] = []): void {
    if (this.current.upTo !== upTo)
      this.current = uniform({ ...this.current, upTo, plan: plan.length > 0 ? plan : undefined });
  }

  /** Would whoever takes over now send the request that comes next with exactly the same lines? Else it has to be written before. */
  get isNextWritten(): boolean {
    const { current, savedRecord: saved } = this;
    if (current === saved) return true;
    if (
      saved.upTo === undefined ||
      current.forDrain !== saved.forDrain ||
      current.bytesMax !== saved.bytesMax
    )
      return false;
    // Of what was planned, the one that ends where this one begins.
    const { plan = [], upTo } = saved;
    const next =
      current.after === saved.after
        ? upTo
        : current.after === upTo
          ? plan[0]
          : plan[plan.indexOf(current.after) + 1 || plan.length];
    return current.upTo !== undefined && next === current.upTo;
  }

  /** Nothing is in flight, and requests have `bytesMax` bytes of records at the most; undefined: as many as the outlet takes. */
  limitRequests(bytesMax: number | undefined): void {
    this.current = uniform({ ...this.current, upTo: undefined, plan: undefined, bytesMax });
  }

  /** It is stored. @param record what {@link record} was when that began */
  markSaved(record: CursorRecord): void {
    this.savedRecord = record;
  }
}

/** What of a plan is left when the lines up to `after` are settled: where the requests end, in their order. */
function planBehind({ plan }: CursorRecord, after: Sequence): readonly Sequence[] | undefined {
  const settled = plan?.findIndex((end) => end > after) ?? -1;
  return settled > 0 ? plan?.slice(settled) : settled === 0 ? plan : undefined;
}
