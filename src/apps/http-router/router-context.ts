import type { AppLookup } from './app-lookup.ts';
import type { Deadlines } from './deadlines.ts';
import type { HttpRouterTimeouts } from './timeouts.ts';
import type { BootQueue } from './upstream/boot-queue.ts';
import type { DynoPool } from './upstream/dyno-pool.ts';

/** What all connections of one HTTP router share. */
export type HttpRouterContext = {
  readonly apps: AppLookup;
  readonly timeouts: HttpRouterTimeouts;
  readonly random: () => number;
  readonly pool: DynoPool;
  readonly queue: BootQueue;
  readonly deadlines: Deadlines;
  /** Where the router listens, forwarded as X-Forwarded-Port. */
  port: number;
  /** True once the router is being closed: no connection is kept for another request. */
  closing: boolean;
  /** While it is closed: connections whose clients couldn't know it yet are kept for another request. */
  keepsIdle: boolean;
};
