/** What is stored of people, keys and sessions, in a scope of its own. Secrets are stored as their hashes. */
import { createHash, randomBytes } from 'node:crypto';
import type { GroupRoles, Role } from './grant.ts';
import type { PasswordHash } from './passwords.ts';

export const ACCESS_SCOPE = 'viewer-access';

export interface UserRecord {
  readonly id: string;
  readonly email: string;
  readonly password: PasswordHash;
  /** Grows with every change of the password: sessions of an older one are over. */
  readonly passwordVersion: number;
  /** In all groups; left out: in `groups` alone. */
  readonly role?: Role;
  readonly groups: GroupRoles;
  readonly createdAt: string;
}

export interface SessionRecord {
  readonly user: string;
  readonly passwordVersion: number;
  readonly createdAt: string;
  /** Moves on while it is used. */
  readonly expiresAt: string;
}

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

export interface InviteRecord {
  readonly id: string;
  /** Whom it is for, as a note; whoever accepts it may give another address. */
  readonly email?: string;
  readonly role?: Role;
  readonly groups: GroupRoles;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string;
}

export const userKey = (id: string): string => `user/${id}`;
/** Leads to the user who has this address. */
export const emailKey = (email: string): string => `email/${email.toLowerCase()}`;
export const sessionKey = (hash: string): string => `session/${hash}`;
export const keyKey = (hash: string): string => `key/${hash}`;
export const inviteKey = (hash: string): string => `invite/${hash}`;

/** 32 random bytes. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
