import type { Sequence } from '../../store/contract.ts';

/** Lines that were lost, and between which times the store had taken them. */
export interface LossSpan {
  readonly count: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** What a destination said that refused the last of them; left out: the stream had no more room for them. */
  readonly refusal?: string;
}

/** A drain's durable progress, under `cursor/<id>` in its app's scope. */
export interface CursorRecord {
  /** Everything up to here was accepted, or is accounted for as lost. */
  readonly after: Sequence;
  /** The request that was under way covers the lines up to here: it is repeated with exactly these. */
  readonly upTo?: Sequence;
  /** Lines accepted by the destination, lines lost, and lines kept from it by filters, since the drain was made. */
  readonly delivered: number;
  readonly lost: number;
  readonly withheld?: number;
  /** When the store took the line at `after`, milliseconds since 1970. */
  readonly storedAtMs?: number;
  /** Losses that the drain and the app's stream still have to be told of. */
  readonly forDrain?: LossSpan;
  readonly forApp?: LossSpan;
  /** The last replay that was begun. */
  readonly replayed?: string;
  /** Of the lease under which this was written. */
  readonly fence: number;
}

/** Key of a drain's cursor. */
export function cursorKey(id: string): string {
  return `cursor/${id}`;
}
