/** What is stored of people and their browsers, in a scope of their own. Secrets are stored as their hashes. */
import type { PasswordHash } from './passwords.ts';

/** What somebody may do: a role everywhere (also in what is made later), and roles in single places, by their ids. */
export interface Rights<Role extends string> {
  readonly role?: Role;
  readonly groups: Readonly<Record<string, Role>>;
}

/** Who somebody is at an identity provider: its address, and what names them there for good (OpenID Connect Core 1.0 section 2). */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
}

export interface UserRecord<Role extends string = string> extends Rights<Role> {
  readonly id: string;
  readonly email: string;
  /** Left out: they sign in with an identity provider alone. */
  readonly password?: PasswordHash;
  readonly identity?: Identity;
  /** Grows with every change of the password: sessions of an older one are over. */
  readonly passwordVersion: number;
  readonly createdAt: string;
}

export interface SessionRecord {
  readonly user: string;
  readonly passwordVersion: number;
  readonly createdAt: string;
  /** Moves on while it is used, unless it is fixed. */
  readonly expiresAt: string;
  readonly isFixed?: true;
}

export interface InviteRecord<Role extends string = string> extends Rights<Role> {
  readonly id: string;
  /** Whom it is for, as a note; whoever accepts it may give another address. */
  readonly email?: string;
  readonly createdAt: string;
  /** Address, or name of a key. */
  readonly createdBy: string;
  readonly expiresAt: string;
}

export const userKey = (id: string): string => `user/${id}`;
/** Leads to the user who has this address. */
export const emailKey = (email: string): string => `email/${email.toLowerCase()}`;
export const sessionKey = (hash: string): string => `session/${hash}`;
export const inviteKey = (hash: string): string => `invite/${hash}`;

/** Are these the same address, in whatever letters? */
export function isSameAddress(one: string | undefined, other: string): boolean {
  return one !== undefined && emailKey(one.trim()) === emailKey(other.trim());
}
