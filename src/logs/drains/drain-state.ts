import type { Sequence } from '../store/contract.ts';

/** What a drain is doing, for people. */
export interface DrainState {
  readonly state: 'starting' | 'delivering' | 'idle' | 'retrying' | 'stopped';
  readonly delivered: number;
  readonly lost: number;
  /** Lines that the drain's filters kept from it. */
  readonly withheld: number;
  readonly after: Sequence;
  readonly lagLines: number;
  /** How long the oldest line that isn't accepted has waited. */
  readonly lagMs: number;
  readonly linesPerSecond: number;
  readonly lastAnswer?: string;
  readonly lastAnswerAt?: string;
  readonly lastAnswerMs?: number;
  readonly lastError?: string;
  readonly lastErrorAt?: string;
  readonly nextAttemptAt?: string;
}
