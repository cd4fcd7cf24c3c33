/** An app's releases: what it runs (slug, config vars, add-ons), numbered v1, v2 …; the newest that succeeded counts. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** Config vars by name. Values are secrets: they are never logged. */
export type Config = Readonly<Record<string, string>>;

/** An add-on as its release holds it. */
export interface AddonRecord {
  readonly id: string;
  /** `redis-clear-48213` */
  readonly name: string;
  /** `redis:dev` */
  readonly plan: string;
  /** The config vars it gives the app. */
  readonly configVars: readonly string[];
  readonly createdAt: string;
}

/** One release, under `release/<version, eight digits>` in its app's scope. Never changed once it is there. */
export interface ReleaseRecord {
  readonly id: string;
  readonly version: number;
  readonly description: string;
  readonly status: 'succeeded' | 'failed';
  /** The id of its slug; null before the first deploy. */
  readonly slug: string | null;
  readonly config: Config;
  readonly addons: readonly AddonRecord[];
  readonly createdAt: string;
}

/** What a new release does differently. */
export interface ReleaseChange {
  readonly description: string;
  readonly status?: 'succeeded' | 'failed';
  readonly slug?: string | null;
  readonly config?: Config;
  readonly addons?: readonly AddonRecord[];
}

const RELEASE_KEY_PREFIX = 'release/';
/** Two that change the same app at once: the later one looks again. More than a few in a row are no coincidence. */
const ATTEMPTS_MAX = 20;

export class Releases {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Makes the first release of a new app. */
  async createInitial(app: AppId, createdAt: string): Promise<void> {
    const first = { ...initialRelease(app), id: randomUUID(), createdAt };
    await this.store.transact(app, [{ key: releaseKey(1), value: first, ifVersion: 0 }]);
  }

  /** All of an app, oldest first. An app has one from its beginning. */
  async list(app: AppId): Promise<ReleaseRecord[]> {
    const records = await this.store.list<ReleaseRecord>(app, RELEASE_KEY_PREFIX);
    return records.length > 0 ? records.map(({ value }) => value) : [initialRelease(app)];
  }

  /** What the app is now: the newest release that succeeded. */
  async current(app: AppId): Promise<ReleaseRecord> {
    return newestSucceeded(await this.list(app));
  }

  /**
   * One release, by its version (`2`, `v2`) or id.
   * @throws TailraceError `not_found`
   */
  async get(app: AppId, which: string): Promise<ReleaseRecord> {
    const version = /^v?(\d{1,8})$/.exec(which)?.[1];
    const found = (await this.list(app)).find(
      (release) => release.id === which || release.version === Number(version ?? -1),
    );
    if (!found) throw new TailraceError('not_found', "Couldn't find that release.");
    return found;
  }

  /**
   * Adds a release: all of the change or none of it, also when others change the app at the same time.
   * @param change from what the app is now to what it shall be; called again when somebody was faster; undefined: nothing to do
   */
  async add(
    app: AppId,
    change: (current: ReleaseRecord) => ReleaseChange | undefined,
  ): Promise<ReleaseRecord> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const all = await this.list(app);
      const current = newestSucceeded(all);
      const requested = change(current);
      if (!requested) return current;
      const version = all[all.length - 1].version + 1;
      const next: ReleaseRecord = {
        id: randomUUID(),
        version,
        description: requested.description,
        status: requested.status ?? 'succeeded',
        slug: requested.slug === undefined ? current.slug : requested.slug,
        config: requested.config ?? current.config,
        addons: requested.addons ?? current.addons,
        createdAt: new Date().toISOString(),
      };
      // The first release of an app made by an older version becomes a record together with the second.
      const first = version === 2 ? [{ key: releaseKey(1), value: all[0] }] : [];
      const committed = await this.store.transact(app, [
        ...first,
        { key: releaseKey(version), value: next, ifVersion: 0 },
      ]);
      if (committed) return next;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }
}

function newestSucceeded(releases: readonly ReleaseRecord[]): ReleaseRecord {
  return releases.findLast(({ status }) => status === 'succeeded') ?? releases[0];
}

function releaseKey(version: number): string {
  return RELEASE_KEY_PREFIX + String(version).padStart(8, '0');
}

/** What every app begins with. */
function initialRelease(app: AppId): ReleaseRecord {
  return {
    id: app,
    version: 1,
    description: 'Initial release',
    status: 'succeeded',
    slug: null,
    config: {},
    addons: [],
    createdAt: new Date(0).toISOString(),
  };
}
