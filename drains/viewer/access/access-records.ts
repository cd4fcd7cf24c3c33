/** What is stored of the viewer's people and keys, in a scope of its own. */
import type { InviteRecord, Rights, UserRecord } from '../../../src/logs/access/people-records.ts';
import type { Role } from './grant.ts';

export const ACCESS_SCOPE = 'viewer-access';

export type ViewerRights = Rights<Role>;
export type ViewerUser = UserRecord<Role>;
export type ViewerInvite = InviteRecord<Role>;

/** What a key may do is named as in APIs; it stands for a role. */
export const KEY_SCOPES = ['read', 'write', 'admin'] as const;
export type ViewerKeyScope = (typeof KEY_SCOPES)[number];
export const ROLE_OF_SCOPE: Readonly<Record<ViewerKeyScope, Role>> = {
  read: 'reader',
  write: 'member',
  admin: 'owner',
};

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly scope: ViewerKeyScope;
  /** Left out: in all groups. */
  readonly groups?: readonly string[];
  readonly createdAt: string;
  readonly createdBy: string;
}

export const keyKey = (hash: string): string => `key/${hash}`;
