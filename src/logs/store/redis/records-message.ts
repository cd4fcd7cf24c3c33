/**
 * Notifications of changed records: `<origin>[/<key>,<key>…] <revision> <scope>`, the keys percent-encoded. Routers of versions that know no keys
 * take them for a part of the origin, which is another one than theirs.
 */
import type { RecordChange } from '../contract.ts';

/** With more than that, in characters, listeners look at all of the scope's records. */
const KEYS_LENGTH_MAX = 4_000;

export interface RecordsMessage {
  readonly origin: string;
  readonly revision: number;
  readonly scope: string;
  /** Undefined when it isn't said which. */
  readonly keys: readonly string[] | undefined;
}

/** The beginning of a message. @param origin identifies the process, without a slash */
export function originWithKeys(origin: string, changes: readonly RecordChange[]): string {
  const keys = changes.map(({ key }) => encodeURIComponent(key)).join(',');
  return changes.length === 0 || keys.length > KEYS_LENGTH_MAX ? origin : `${origin}/${keys}`;
}

/** Undefined when it is none. */
export function parseRecordsMessage(message: string): RecordsMessage | undefined {
  const [, origin, , keys, revision, scope] = /^([^\s/]+)(\/(\S*))? (\d+) (.*)$/s.exec(message) ?? [];
  if (origin === undefined) return undefined;
  return {
    origin,
    revision: Number(revision),
    scope,
    keys: keys === undefined ? undefined : decodeKeys(keys),
  };
}

function decodeKeys(text: string): readonly string[] | undefined {
  try {
    return text.split(',').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
