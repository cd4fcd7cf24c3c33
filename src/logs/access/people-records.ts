/** What is stored of people and their browsers, in a scope of their own. Secrets are stored as their hashes. */
import type { PasswordHash } from './passwords.ts';

/** What somebody may do: a role everywhere (also in what is made later), and roles in single places, by their ids. */
export interface Rights<Role extends string> {
  readonly role?: Role;
  readonly groups: Readonly<Record<string, Role>>;
}

export interface UserRecord<Role extends string = string> extends Rights<Role> {
  readonly id: string;
  readonly email: string;
  readonly password: PasswordHash;
  /** Grows with every change of the password: sessions of an older one are over. */
  readonly passwordVersion: number;
  readonly createdAt: string;
}

export interface SessionRecord {
  readonly user: string;
  readonly passwordVersion: number;
  readonly createdAt: string;
  /** Moves on while it is used. */
  readonly expiresAt: string;
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
