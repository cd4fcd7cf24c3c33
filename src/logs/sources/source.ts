/** What every syslog listener is given, and what it is. */
import type { Limits } from '../router/limits.ts';
import type { Router } from '../router/router.ts';
import type { Rules } from '../router/rules.ts';
import type { SourceCounters } from './counters.ts';
import type { Guard } from './guard.ts';

export interface SourceOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly router: Router;
  readonly rules: Rules;
  readonly limits: Limits;
  readonly guard: Guard;
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  readonly warn: (fields: object, message: string) => void;
  /** Counts together with another listener of the same kind; default: by itself. */
  readonly counters?: SourceCounters;
}

/** A running listener. */
export interface Source {
  readonly port: number;
  readonly counters: SourceCounters;
  /** Takes no more; what was taken is with the router. */
  close(): Promise<void>;
}
