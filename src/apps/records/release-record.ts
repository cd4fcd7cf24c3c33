/** An app's releases: what it runs (slug, config vars, add-ons), numbered v1, v2 …; the newest that succeeded is current. */
import type { AppId } from '../../logs/store/contract.ts';

/** Config vars by name. Values are secrets: they are never logged. */
export type Config = Readonly<Record<string, string>>;

/** An add-on that an app had when it was released; how it is now is in its own record. */
export interface ReleasedAddon {
  readonly id: string;
  /** `redis-clear-48213` */
  readonly name: string;
  /** `redis:dev` */
  readonly plan: string;
  /** The config vars it gives the app. */
  readonly configVars: readonly string[];
  readonly createdAt: string;
}

/** `pending`: its release command runs. */
export type ReleaseStatus = 'succeeded' | 'failed' | 'pending';

/** One release, under `release/<version, eight digits>` in its app's scope. Only one that is pending is ever changed. */
export interface ReleaseRecord {
  readonly id: string;
  readonly version: number;
  readonly description: string;
  readonly status: ReleaseStatus;
  /** The server that runs its release command, while it is pending. */
  readonly server?: string;
  /** Had it a release command? Then this secret names what that said. */
  readonly output?: string;
  /** The id of its slug; null before the first deploy. */
  readonly slug: string | null;
  readonly config: Config;
  readonly addons: readonly ReleasedAddon[];
  readonly createdAt: string;
}

/** What a new release does differently. */
export interface ReleaseChange {
  readonly description: string;
  readonly status?: ReleaseStatus;
  readonly server?: string;
  readonly output?: string;
  readonly slug?: string | null;
  readonly config?: Config;
  readonly addons?: readonly ReleasedAddon[];
}

/** What every app begins with. */
export function initialRelease(app: AppId): ReleaseRecord {
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

/** What the app runs: the newest release that succeeded. @param releases the oldest first, at least one */
export function currentRelease(releases: readonly ReleaseRecord[]): ReleaseRecord {
  return releases.findLast(({ status }) => status === 'succeeded') ?? releases[0];
}

/** How long a release command may run, as on Heroku, and how much longer its server may need to say how it ended. */
export const RELEASE_COMMAND_TIMEOUT_MS = 3_600_000;
const PENDING_MARGIN_MS = 300_000;

/** The release whose command runs, as far as one can know: its server may be gone. */
export function pendingRelease(releases: readonly ReleaseRecord[], nowMs: number): ReleaseRecord | undefined {
  return releases.findLast(
    ({ status, createdAt }) =>
      status === 'pending' &&
      // Either way: clocks are set.
      Math.abs(nowMs - Date.parse(createdAt)) < RELEASE_COMMAND_TIMEOUT_MS + PENDING_MARGIN_MS,
  );
}

/** The config vars of a release that its add-ons gave. */
export function attachedNames({ addons }: Pick<ReleaseRecord, 'addons'>): ReadonlySet<string> {
  return new Set(addons.flatMap(({ configVars }) => configVars));
}

/** The config vars of a release that are the app's own. */
export function ownConfig(release: Pick<ReleaseRecord, 'addons' | 'config'>): Config {
  const attached = attachedNames(release);
  return Object.fromEntries(Object.entries(release.config).filter(([name]) => !attached.has(name)));
}

/** The config of a rollback: the app's own of then, with what its add-ons give now. */
export function rolledBackConfig(to: ReleaseRecord, current: ReleaseRecord): Config {
  const attached = attachedNames(current);
  const given = Object.entries(current.config).filter(([name]) => attached.has(name));
  return Object.fromEntries(
    [...Object.entries(ownConfig(to)), ...given].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Would their dynos be the same? */
export function isSameRelease(
  a: Pick<ReleaseRecord, 'slug' | 'config'>,
  b: Pick<ReleaseRecord, 'slug' | 'config'>,
): boolean {
  const names = new Set([...Object.keys(a.config), ...Object.keys(b.config)]);
  return a.slug === b.slug && [...names].every((name) => a.config[name] === b.config[name]);
}

/** By version (`2`, `v2`) or id. */
export function findRelease(releases: readonly ReleaseRecord[], which: string): ReleaseRecord | undefined {
  const version = /^v?(\d{1,8})$/.exec(which)?.[1];
  return releases.find((release) => release.id === which || release.version === Number(version ?? -1));
}

/**
 * The release behind the newest one, which differs from the current one by a change.
 * @param releases the oldest first, at least one
 */
export function nextRelease(
  releases: readonly ReleaseRecord[],
  change: ReleaseChange,
  identity: Pick<ReleaseRecord, 'id' | 'createdAt'>,
): ReleaseRecord {
  const current = currentRelease(releases);
  return {
    id: identity.id,
    version: releases[releases.length - 1].version + 1,
    description: change.description,
    status: change.status ?? 'succeeded',
    server: change.server,
    output: change.output,
    slug: change.slug === undefined ? current.slug : change.slug,
    config: change.config ?? current.config,
    addons: change.addons ?? current.addons,
    createdAt: identity.createdAt,
  };
}
