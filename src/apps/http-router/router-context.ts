import type { AppLookup } from './app-lookup.ts';
import type { BootQueue } from './boot-queue.ts';
import type { Deadlines } from './deadlines.ts';
import type { DynoPool } from './dyno-pool.ts';
import type { HttpRouterTimeouts } from './timeouts.ts';

/** What all connections of one proxy share. */
export type HttpRouterContext = {
  readonly apps: AppLookup;
  readonly timeouts: HttpRouterTimeouts;
  readonly random: () => number;
  readonly pool: DynoPool;
  readonly queue: BootQueue;
  readonly deadlines: Deadlines;
  /** Where the proxy listens, sent on as X-Forwarded-Port. */
  port: number;
  /** True once the proxy is being closed: no connection is kept for another request. */
  closing: boolean;
};
