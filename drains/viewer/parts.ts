/** What the viewer is made of: routes and background work are given this, and take what they need of it. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Log } from '../../src/common/log.ts';
import type { Store } from '../../src/logs/store/contract.ts';
import type { StreamReaders } from '../../src/logs/store/stream-reader.ts';
import type { Access } from './access/access.ts';
import type { ViewerSettings } from './config/settings.ts';
import type { Groups } from './groups/groups.ts';
import type { LineStore } from './store/contract.ts';

/** Work of its own on the parts, such as alerts: it is opened after them, and closed before. */
export interface ViewerFeature {
  /** Adds routes behind the sign-in: `grantOf(request)` (api/request-grant.ts) says what whoever asks may do. */
  registerRoutes?(server: FastifyInstance): void;
  /** What `GET /api/status` says of it, under these names. */
  status?(): Promise<Readonly<Record<string, unknown>>>;
  close?(): Promise<void> | void;
}

export type OpenFeature = (parts: ViewerParts) => ViewerFeature | Promise<ViewerFeature>;

export interface ViewerParts {
  readonly settings: ViewerSettings;
  /** All lines that are kept. */
  readonly store: LineStore;
  /** The log router's store: streams as they come in, and small records. Scopes of records are the names of what keeps them. */
  readonly records: Store;
  /** What comes in now. */
  readonly readers: StreamReaders;
  readonly groups: Groups;
  readonly access: Access;
  readonly metrics: Registry;
  readonly log: Log;
  /** Where senders reach it, without a slash at the end. */
  publicUrl(): string;
  /** Where browsers find its page, without a slash at the end: for links in messages. */
  pageUrl(): string;
}
