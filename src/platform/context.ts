import type { Registry } from 'prom-client';
import type { Deliveries } from '../delivery/deliveries.ts';
import type { Outlets } from '../delivery/outlets.ts';
import type { TargetPolicy } from '../delivery/target-policy.ts';
import type { Announcer } from '../router/announcer.ts';
import type { SourceCounters } from '../sources/counters.ts';
import type { AppId, Store } from '../store/contract.ts';
import type { Readers } from '../store/reader.ts';
import type { Directory } from './directory.ts';
import type { Keys } from './keys.ts';

/** One dyno, as the API shows it. */
export interface DynoView {
  readonly id: string;
  /** `web.1` */
  readonly name: string;
  readonly type: string;
  readonly command: string;
  readonly state: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What the API asks of whatever runs the apps' dynos. */
export interface DynoRunner {
  dynos(app: AppId): readonly DynoView[];
  /** How many dynos of each process type are wanted. */
  formation(app: AppId): readonly { type: string; quantity: number; command: string }[];
  scale(app: AppId, type: string, quantity: number): Promise<void>;
  /** Restarts a dyno, all of a process type, or all. */
  restart(app: AppId, which: string | undefined): Promise<void>;
  stop(app: AppId, dyno: string): Promise<void>;
}

/** The parts that the API's resources work with. */
export interface Context {
  readonly metrics: Registry;
  readonly store: Store;
  readonly directory: Directory;
  readonly keys: Keys;
  readonly readers: Readers;
  readonly deliveries: Deliveries;
  /** Where drains may point. */
  readonly targets: TargetPolicy;
  readonly outlets: Outlets;
  readonly announcer: Announcer;
  readonly runner: DynoRunner;
  readonly counters: readonly SourceCounters[];
  /** `http://<app>.localhost:8080/` */
  readonly webUrl: (appName: string) => string;
  readonly version: string;
  readonly startedAtMs: number;
}
