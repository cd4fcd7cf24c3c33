/** Kinds of entries that a database is whole without: what another server has in its own way, or this one hasn't at all. */
const DISPENSABLE =
  /^(?:EXTENSION|COMMENT|ACL|DEFAULT ACL|EVENT TRIGGER|SECURITY LABEL|PUBLICATION|SUBSCRIPTION)\b/;

/** What pg_restore has said, told apart by what it was about. */
export interface RestoreErrors {
  /** Without these the database is as it was all the same. */
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

/** @param stderr of pg_restore, in English: `pg_restore: from TOC entry 2; 3079 16385 EXTENSION hstore`, then `pg_restore: error: …` */
export function readRestoreErrors(stderr: string): RestoreErrors {
  const warnings: string[] = [];
  const errors: string[] = [];
  let kind = '';
  for (const line of stderr.split('\n')) {
    kind = /^pg_restore: from TOC entry \d+; \d+ \d+ (.*)$/.exec(line)?.[1] ?? kind;
    const error = /^pg_restore: error: (.*)$/.exec(line)?.[1];
    if (error !== undefined) (DISPENSABLE.test(kind) ? warnings : errors).push(error);
  }
  return { warnings, errors };
}
