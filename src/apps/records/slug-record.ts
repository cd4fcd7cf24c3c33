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

/** The slugs that none of the `newest` newest releases has. @param releases the oldest first */
export function unusedSlugs(
  slugs: readonly SlugRecord[],
  releases: readonly Pick<ReleaseRecord, 'slug'>[],
  newest: number,
): SlugRecord[] {
  const used = new Set(releases.slice(-newest).map(({ slug }) => slug));
  return slugs.filter(({ id }) => !used.has(id));
}
