import type { Registry } from 'prom-client';
import type { AddonServices, Builds, DynoRunner } from '../apps/host/contract.ts';
import type { ApiKeys } from '../apps/records/api-keys.ts';
import type { AppRegistry } from '../apps/records/app-registry.ts';
import type { Releases } from '../apps/records/release-history.ts';
import type { SlugRecord } from '../apps/records/slug-record.ts';
import type { DrainSupervisor } from '../logs/drains/drain-supervisor.ts';
import type { TargetPolicy } from '../logs/drains/options/target-policy.ts';
import type { OutletFactory } from '../logs/drains/sinks/outlet-factory.ts';
import type { PlatformLog } from '../logs/router/platform-log.ts';
import type { ListenerCounters } from '../logs/sources/listener-counters.ts';
import type { AppId, Store } from '../logs/store/contract.ts';
import type { StreamReaders } from '../logs/store/stream-reader.ts';

/** The parts that the API's resources work with. */
export interface ApiContext {
  readonly metrics: Registry;
  readonly store: Store;
  readonly appRegistry: AppRegistry;
  readonly apiKeys: ApiKeys;
  readonly releases: Releases;
  readonly readers: StreamReaders;
  readonly deliveries: DrainSupervisor;
  /** Where drains may point. */
  readonly targetPolicy: TargetPolicy;
  readonly outlets: OutletFactory;
  readonly platformLog: PlatformLog;
  readonly dynoRunner: DynoRunner;
  readonly addonServices: AddonServices;
  readonly builds: Builds;
  /** Folder of source archives that wait to be built. */
  readonly uploadFolder: string;
  /** What a source may hold, packed. */
  readonly sourceBytesMax: number;
  /** Folder of the apps' git repositories. */
  readonly repositoryFolder: string;
  /** This server's own address. */
  readonly url: () => string;
  /** @throws TailraceError `not_found` unless the app has this slug */
  readonly requireSlug: (app: AppId, id: string) => Promise<SlugRecord>;
  readonly counters: readonly ListenerCounters[];
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
