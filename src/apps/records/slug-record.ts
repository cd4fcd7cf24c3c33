/** What is known of a slug, under `slug/<id>` in its app's scope; its files are with the runner. */
export interface SlugRecord {
  readonly id: string;
  /** Commands by process type, in the order of the Procfile. */
  readonly processTypes: Readonly<Record<string, string>>;
  readonly byteCount: number;
  /** The commit it was made from, '' when it was no commit. */
  readonly commit: string;
  /** `Node.js` */
  readonly buildpack: string;
  readonly createdAt: string;
}

/** Key of a slug's record. */
export function slugRecordKey(id: string): string {
  return `slug/${id}`;
}
