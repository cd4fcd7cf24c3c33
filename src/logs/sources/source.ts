/** What every syslog listener is given, and what it is. */
import type { RateLimiter } from '../router/limits.ts';
import type { LogRouter } from '../router/router.ts';
import type { SourceRules } from '../router/rules.ts';
import type { ListenerCounters } from './counters.ts';
import type { ConnectionLimiter } from './guard.ts';

export interface SyslogListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly router: LogRouter;
  readonly rules: SourceRules;
  readonly rateLimiter: RateLimiter;
  readonly connectionLimiter: ConnectionLimiter;
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  readonly warn: (fields: object, message: string) => void;
  /** Counts together with another listener of the same kind; default: by itself. */
  readonly counters?: ListenerCounters;
}

/** A running listener. */
export interface SyslogListener {
  readonly port: number;
  readonly counters: ListenerCounters;
  /** Takes no more; what was taken is with the router. */
  close(): Promise<void>;
}
