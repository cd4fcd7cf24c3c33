import type { Sequence } from '../../store/contract.ts';

/** Lines that were lost, and between which times they had been stored. */
export interface LossSpan {
  readonly count: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The error of the destination that refused the last of them; left out: they were trimmed from the stream. */
  readonly refusal?: string;
}

/** A drain's durable progress (in Kafka's words: its committed offset), under `cursor/<id>` in its app's scope. */
export interface CursorRecord {
  /** Everything up to here is settled: accepted, withheld or counted as lost. */
  readonly after: Sequence;
  /** The request in flight covers the lines up to here: a retry has exactly these. */
  readonly upTo?: Sequence;
  /** The requests behind it cover the lines up to these, each: written down before they are sent, as many as are known. */
  readonly plan?: readonly Sequence[];
  /** Bytes of records that fitted into a request when more were too large (413); left out: nothing was. */
  readonly bytesMax?: number;
  /** Lines that were accepted by the destination, lost, and left out by filters, since the drain was created. */
  readonly delivered: number;
  readonly lost: number;
  readonly withheld?: number;
  /** When the line at `after` was stored, milliseconds since 1970. */
  readonly storedAtMs?: number;
  /** Losses that the drain and the app's stream still have to be notified of. */
  readonly forDrain?: LossSpan;
  readonly forApp?: LossSpan;
  /** Id of the last replay that began. */
  readonly replayed?: string;
  /** Fencing token of the lease under which this was written. */
  readonly fence: number;
}

/** Key of a drain's cursor. */
export function cursorKey(id: string): string {
  return `cursor/${id}`;
}
