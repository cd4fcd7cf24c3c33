/** What API keys may do: the scopes that keys have, and those that requests need. */

/**
 * Scopes of keys. By what is reached: `logs:read` lines; `logs:write` (also `ingest`) sends them; `config` reads and changes config vars;
 * `dynos` scales, restarts and stops; `admin` everything. Wider ones: `read` all but secrets; `read-protected` these too; `write` changes
 * anything but people.
 */
export const KEY_SCOPES = [
  'read',
  'read-protected',
  'write',
  'ingest',
  'logs:read',
  'logs:write',
  'config',
  'dynos',
  'admin',
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** The scopes of a key that may do everything. */
export const GLOBAL_SCOPES: readonly KeyScope[] = ['read', 'read-protected', 'write', 'ingest', 'admin'];

/** Those that were all before there was `admin`. */
export const FORMERLY_GLOBAL: readonly KeyScope[] = ['read', 'read-protected', 'write', 'ingest'];

/**
 * What a request needs, and the scopes that give it: one of them, or all of a list. What runs in a dyno sees the config vars of its app:
 * `run` needs both.
 */
const GIVEN_BY = {
  /** That an app exists, and what it is called. */
  apps: ['read', 'read-protected', 'write', 'logs:read', 'config', 'dynos'],
  read: ['read', 'read-protected'],
  'read-protected': ['read-protected', ['read', 'write']],
  write: ['write'],
  ingest: ['ingest', 'logs:write'],
  'logs:read': ['logs:read', 'read', 'read-protected'],
  'config:read': ['config', 'read-protected', ['read', 'write']],
  'config:write': ['config', 'write'],
  'dynos:read': ['dynos', 'read', 'read-protected'],
  'dynos:write': ['dynos', 'write'],
  run: ['write', ['dynos', 'config']],
  admin: [],
} as const satisfies Readonly<Record<string, readonly (KeyScope | readonly KeyScope[])[]>>;

/** What a request needs. */
export type NeededScope = keyof typeof GIVEN_BY;
const NEEDED_SCOPES = Object.keys(GIVEN_BY) as NeededScope[];

/** Do these scopes of a key give what a request needs? */
export function includesScope(scopes: readonly KeyScope[], needed: NeededScope): boolean {
  if (isGlobal(scopes)) return true;
  const ways: readonly (KeyScope | readonly KeyScope[])[] = GIVEN_BY[needed];
  return ways.some((way) =>
    typeof way === 'string' ? scopes.includes(way) : way.every((scope) => scopes.includes(scope)),
  );
}

/** Is there nothing that `wanted` give and `held` don't? */
export function coversScopes(held: readonly KeyScope[], wanted: readonly KeyScope[]): boolean {
  return NEEDED_SCOPES.every((needed) => !includesScope(wanted, needed) || includesScope(held, needed));
}

/** May they who have these scopes do everything? */
export function isGlobal(scopes: readonly KeyScope[]): boolean {
  return scopes.includes('admin');
}

/** The scopes of keys that give what a request needs, as a sentence names them. */
export function scopesGiving(needed: NeededScope): string {
  const ways: readonly (KeyScope | readonly KeyScope[])[] = [...GIVEN_BY[needed], 'admin'];
  return ways.map((way) => (typeof way === 'string' ? way : way.join(' with '))).join(' or ');
}
