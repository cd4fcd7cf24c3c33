import type { ReleaseRecord } from './release-record.ts';

/** A slug, under `slug/<id>` in its app's scope; its files are in `SlugFiles`. */
export interface SlugRecord {
  readonly id: string;
  /** Commands by process type, in the order of the Procfile. */
  readonly processTypes: Readonly<Record<string, string>>;
  readonly byteCount: number;
  /** The commit it was made from, '' if it wasn't made from a commit. */
  readonly commit: string;
  /** `Node.js` */
  readonly buildpack: string;
  readonly createdAt: string;
}

/** Key of a slug's record. */
export function slugRecordKey(id: string): string {
  return `slug/${id}`;
}

/** Releases of an app whose slugs are kept, the newest: they can be gone back to. */
const RELEASES_WITH_SLUG = 20;

/**
 * The slugs that nobody can go back to, and nothing is started from. Those that no release has yet are about to be released.
 * @param releases the oldest first
 * @param running of releases that have dynos: an old one, perhaps, as none after it came up
 */
export function unusedSlugs(
  slugs: readonly SlugRecord[],
  releases: readonly Pick<ReleaseRecord, 'slug' | 'status'>[],
  running: ReadonlySet<string>,
): SlugRecord[] {
  const released = new Set(releases.map(({ slug }) => slug));
  const current = releases.findLast(({ status }) => status === 'succeeded');
  const used = new Set(
    [...releases.slice(-RELEASES_WITH_SLUG), ...(current ? [current] : [])].map(({ slug }) => slug),
  );
  return slugs.filter(({ id }) => released.has(id) && !used.has(id) && !running.has(id));
}
