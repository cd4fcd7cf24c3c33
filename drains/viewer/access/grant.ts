import { TailraceError } from '../../../src/common/errors.ts';

/** What somebody may do in a group: read lines; besides, keep searches and alerts; besides, its streams, tokens and people. */
export const ROLES = ['reader', 'member', 'owner'] as const;
export type Role = (typeof ROLES)[number];
/** Roles by the ids of groups. */
export type GroupRoles = Readonly<Record<string, Role>>;

/** Who makes a request. */
export type Identity =
  | { readonly kind: 'user'; readonly id: string; readonly email: string; readonly session: string }
  /** `hash` names the key without being one; without it: the key that the viewer was started with. */
  | { readonly kind: 'key'; readonly name: string; readonly hash: string | undefined };

/** What whoever makes a request may do. */
export class Grant {
  readonly identity: Identity;
  /** In all groups, also those that are made later. */
  readonly role: Role | undefined;
  readonly groups: GroupRoles;

  constructor(identity: Identity, role: Role | undefined, groups: GroupRoles = {}) {
    this.identity = identity;
    this.role = role;
    this.groups = groups;
  }

  /** The higher one of the role in all groups and that in this one; undefined: none. */
  roleIn(group: string): Role | undefined {
    const own = Object.hasOwn(this.groups, group) ? this.groups[group] : undefined;
    return higher(this.role, own);
  }

  /** Is the role there at least this one? @param group its id; one that doesn't exist is no error */
  may(group: string, role: Role): boolean {
    const own = this.roleIn(group);
    return own !== undefined && ROLES.indexOf(own) >= ROLES.indexOf(role);
  }

  /**
   * @throws TailraceError `not_found` for a group that they must not know of, `forbidden` for one where they may not do that
   */
  require(group: string, role: Role): void {
    if (this.may(group, role)) return;
    if (!this.may(group, 'reader')) throw new TailraceError('not_found', "Couldn't find that group.");
    throw new TailraceError('forbidden', `This takes the role ${role} in the group: ask one of its owners.`);
  }

  /** @throws TailraceError `forbidden` for whoever doesn't own the whole viewer */
  requireOwner(): void {
    if (this.role !== 'owner')
      throw new TailraceError('forbidden', 'This takes an owner of all groups: ask one of them.');
  }

  /** For lists and the log: an address, or a key's name. */
  get name(): string {
    return this.identity.kind === 'user' ? this.identity.email : this.identity.name;
  }
}

function higher(a: Role | undefined, b: Role | undefined): Role | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return ROLES.indexOf(a) >= ROLES.indexOf(b) ? a : b;
}
