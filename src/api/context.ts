import type { Registry } from 'prom-client';
import type { AddonServices, Builds, DynoRunner } from '../apps/host/contract.ts';
import type { Directory } from '../apps/records/directory.ts';
import type { Keys } from '../apps/records/keys.ts';
import type { Releases } from '../apps/records/release-history.ts';
import type { SlugRecord } from '../apps/records/slug-record.ts';
import type { Deliveries } from '../logs/drains/deliveries.ts';
import type { TargetPolicy } from '../logs/drains/options/target-policy.ts';
import type { Outlets } from '../logs/drains/sinks/outlets.ts';
import type { Announcer } from '../logs/router/announcer.ts';
import type { SourceCounters } from '../logs/sources/counters.ts';
import type { AppId, Store } from '../logs/store/contract.ts';
import type { Readers } from '../logs/store/reader.ts';

/** The parts that the API's resources work with. */
export interface Context {
  readonly metrics: Registry;
  readonly store: Store;
  readonly directory: Directory;
  readonly keys: Keys;
  readonly releases: Releases;
  readonly readers: Readers;
  readonly deliveries: Deliveries;
  /** Where drains may point. */
  readonly targets: TargetPolicy;
  readonly outlets: Outlets;
  readonly announcer: Announcer;
  readonly runner: DynoRunner;
  readonly services: AddonServices;
  readonly builds: Builds;
  /** Folder of source archives that wait to be built. */
  readonly uploads: string;
  /** What a source may hold, packed. */
  readonly sourceBytesMax: number;
  /** Folder of the apps' git repositories. */
  readonly repositories: string;
  /** This server's own address. */
  readonly url: () => string;
  /** @throws TailraceError `not_found` unless the app has this slug */
  readonly slug: (app: AppId, id: string) => Promise<SlugRecord>;
  readonly counters: readonly SourceCounters[];
  /** @throws TailraceError `conflict` when no rule can name this port, because it can't be listened on here. */
  readonly requirePort: (port: number) => Promise<void>;
  /** `http://<app>.localhost:8080/` */
  readonly webUrl: (appName: string) => string;
  /** `http://…/<app>.git` */
  readonly gitUrl: (appName: string) => string;
  readonly warn: (fields: object, message: string) => void;
  readonly version: string;
  readonly startedAtMs: number;
}
