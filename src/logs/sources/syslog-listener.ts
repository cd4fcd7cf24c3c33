/** Options and interface of every syslog listener. */

import type { Log } from '../../common/log.ts';
import type { AppReports } from '../router/app-reports.ts';
import type { LogRouter } from '../router/log-router.ts';
import type { RateLimiter } from '../router/rate-limiter.ts';
import type { SourceRules } from '../router/source-rules.ts';
import type { ConnectionLimiter } from './connection-limiter.ts';
import type { ListenerCounters } from './listener-counters.ts';
import type { DatagramMemory } from './syslog/datagram-sender.ts';

export interface SyslogListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly router: LogRouter;
  readonly rules: SourceRules;
  readonly rateLimiter: RateLimiter;
  readonly connectionLimiter: ConnectionLimiter;
  /** Of all ports for datagrams together. */
  readonly datagramMemory: DatagramMemory;
  /** Tells apps of frames whose count is wrong. */
  readonly miscountReports: AppReports;
  /** Tells apps of frames that are too long. */
  readonly oversizeReports: AppReports;
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  readonly log: Log;
  /** Counts together with another listener of the same kind; default: by itself. */
  readonly counters?: ListenerCounters;
}

/** A running listener. */
export interface SyslogListener {
  readonly port: number;
  readonly counters: ListenerCounters;
  /** Closes the port, and ends all connections; resolves when everything that their senders have sent is with the router. */
  close(): Promise<void>;
}
