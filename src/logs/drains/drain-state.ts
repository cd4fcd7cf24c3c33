import type { Sequence } from '../store/contract.ts';

/** A drain's state, as the API and the command line show it. */
export interface DrainState {
  readonly state: 'starting' | 'delivering' | 'idle' | 'retrying' | 'stopped';
  readonly delivered: number;
  readonly lost: number;
  /** Lines that the drain's filters left out. */
  readonly withheld: number;
  readonly after: Sequence;
  readonly lagLines: number;
  /** Age of the oldest line that isn't accepted yet. */
  readonly lagMs: number;
  readonly linesPerSecond: number;
  /** Attempts that failed, since its worker was started. */
  readonly failures: number;
  readonly lastAnswer?: string;
  readonly lastAnswerAt?: string;
  readonly lastAnswerMs?: number;
  readonly lastError?: string;
  readonly lastErrorAt?: string;
  readonly nextAttemptAt?: string;
}
