import type { Environment } from '../processes/config/dyno-env.ts';
import type { ProcfileEntry } from '../processes/config/procfile.ts';
import type { SupervisorOptions } from '../processes/supervisor.ts';
import type { ReleaseRecord } from '../records/release-record.ts';
import type { SlugRecord } from '../records/slug-record.ts';
import { formationCounts } from './rollout.ts';

/** What the dynos of one release are made from. */
export interface ReleaseSpec {
  /** The release's version. */
  readonly version: number;
  /** What its dynos are started from; unset: a folder. */
  readonly slug?: string;
  readonly entries: readonly ProcfileEntry[];
  readonly counts: Readonly<Record<string, number>>;
  /** How many are wanted when its dynos are started: it may have waited for others. Unset, or rejected: as many as `counts` says. */
  readonly loadCounts?: () => Promise<Readonly<Record<string, number>>>;
  /** Of dynos that go on since an earlier server: those of this release take over next, and it says what is wanted. */
  readonly successor?: ReleaseSpec;
  /** The whole environment. */
  readonly env: Environment;
  readonly cwd: string;
  readonly createWorkspace?: SupervisorOptions['createWorkspace'];
  readonly profileScript?: string;
  /** Tells it from every other release that dynos may run: another config, slug or way to run them is another one. Unset: they aren't kept. */
  readonly fingerprint?: string;
}

/** How this server runs slugs. */
type SlugRuntime = Pick<
  ReleaseSpec,
  'cwd' | 'createWorkspace' | 'loadCounts' | 'profileScript' | 'fingerprint'
> & {
  /** The part of the environment that is the server's own: `PATH`, `TZ`. */
  readonly env: Environment;
};

/**
 * The dynos of a release that was built: the commands of its slug, the config vars of the release, and as many dynos as
 * the formation record says.
 * @param counts of the app's formation record; may name process types that this slug hasn't
 */
export function slugReleaseSpec(
  release: Pick<ReleaseRecord, 'version' | 'config'>,
  slug: Pick<SlugRecord, 'id' | 'processTypes'>,
  counts: Readonly<Record<string, number>>,
  runtime: SlugRuntime,
): ReleaseSpec {
  const entries = Object.entries(slug.processTypes).map(([type, command], i) => ({
    type,
    command,
    line: i + 1,
  }));
  return {
    ...runtime,
    version: release.version,
    slug: slug.id,
    entries,
    counts: formationCounts(entries, counts),
    env: { ...runtime.env, ...release.config },
  };
}
