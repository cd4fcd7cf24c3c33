/** What whoever makes a request may do: by the scopes of a key, or the roles of a person. */
import { TailraceError } from '../../common/errors.ts';
import type { Rights } from '../../logs/access/people-records.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { coversScopes, includesScope, type KeyScope, type NeededScope } from './key-scopes.ts';

/**
 * Roles of people, each with what those before may: `viewer` reads all but secrets; `member` reads these and changes anything but who may do
 * what; `admin` that as well; `owner` is an admin whom only owners change.
 */
export const PERSON_ROLES = ['viewer', 'member', 'admin', 'owner'] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];
export type PersonRights = Rights<PersonRole>;

const SCOPES_OF_ROLE: Readonly<Record<PersonRole, readonly KeyScope[]>> = {
  viewer: ['read'],
  member: ['read', 'read-protected', 'write', 'ingest'],
  admin: ['admin'],
  owner: ['admin'],
};

/** Refuses another role for somebody who was invited and hasn't come yet: an open invitation can only be taken back. */
export function invitationIsOpen(email: string): TailraceError {
  return new TailraceError(
    'not_found',
    `${email} is invited and hasn't accepted yet: take the invitation back (\`tailrace access:remove ${email}\`), and invite them with another role (\`tailrace access:add\`).`,
  );
}

/** What may be done, where. */
export interface Permissions {
  /** In all apps, and in what is of none; with `apps`: in those alone. */
  readonly scopes: readonly KeyScope[];
  /** For these apps alone; undefined: for all, and for what is of none. */
  readonly apps?: readonly AppId[];
  /** In place of `scopes`, in these apps. */
  readonly scopesByApp?: ReadonlyMap<AppId, readonly KeyScope[]>;
}

/** What a person may do. */
export function permissionsOf({ role, groups }: PersonRights): Permissions {
  const byApp = new Map(
    Object.entries(groups).map(
      ([app, own]) => [app as AppId, SCOPES_OF_ROLE[higherRole(role, own)]] as const,
    ),
  );
  if (role !== undefined) return { scopes: SCOPES_OF_ROLE[role], scopesByApp: byApp };
  return { scopes: [], apps: [...byApp.keys()], scopesByApp: byApp };
}

/** What is left of a person's permissions for a key of theirs that was made for less. */
export function narrowed(
  held: Permissions,
  scopes: readonly KeyScope[],
  apps: readonly AppId[] | undefined,
): Permissions {
  const within = (own: readonly KeyScope[]): readonly KeyScope[] =>
    scopes.filter((scope) => coversScopes(own, [scope]));
  const scopesByApp =
    held.scopesByApp && new Map([...held.scopesByApp].map(([app, own]) => [app, within(own)]));
  const both = apps && held.apps ? apps.filter((app) => held.apps?.includes(app)) : (apps ?? held.apps);
  return { scopes: within(held.scopes), apps: both, scopesByApp };
}

/** May it be done in this app; without one: in what is of none? */
export function permits(
  { scopes, apps, scopesByApp }: Permissions,
  needed: NeededScope,
  app?: AppId,
): boolean {
  if (app === undefined) return apps === undefined && includesScope(scopes, needed);
  if (apps !== undefined && !apps.includes(app)) return false;
  return includesScope(scopesByApp?.get(app) ?? scopes, needed);
}

/** May it be done anywhere? */
export function permitsSomewhere(held: Permissions, needed: NeededScope): boolean {
  const everywhere = held.apps === undefined ? permits(held, needed) : includesScope(held.scopes, needed);
  return everywhere || [...(held.scopesByApp?.keys() ?? [])].some((app) => permits(held, needed, app));
}

function higherRole(a: PersonRole | undefined, b: PersonRole): PersonRole {
  return a !== undefined && PERSON_ROLES.indexOf(a) > PERSON_ROLES.indexOf(b) ? a : b;
}
