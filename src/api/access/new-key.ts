/** Keys that are made by who has one, or is signed in: what they may be made for, and what is noted of them. */
import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { ApiKeyRecord, KeyGrant } from '../../apps/access/api-keys.ts';
import { GLOBAL_SCOPES, includesScope, type KeyScope } from '../../apps/access/key-scopes.ts';
import { TailraceError } from '../../common/errors.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { requireEverywhere } from './authorize.ts';

/** What a new key is for. */
export interface NewKey {
  readonly description: string;
  readonly scopes: readonly KeyScope[];
  /** For these apps alone; undefined: for all. */
  readonly apps?: readonly AppId[];
  /** Left out: as long as what it was made with. */
  readonly expiresAt?: string;
  /** Where it is made. */
  readonly address: string;
}

/** The record of a key that is made by whoever has this grant. */
export function newKeyRecord(
  grant: KeyGrant,
  { description, scopes, apps, expiresAt, address }: NewKey,
): ApiKeyRecord {
  return {
    id: randomUUID(),
    description,
    scopes,
    ...(apps && { apps: [...new Set(apps)] }),
    madeFrom: { address, key: keyName(grant) },
    ...(grant.user && { user: grant.user.id }),
    createdAt: new Date().toISOString(),
    expiresAt: earlierTime(expiresAt, grant.expiresAt),
  };
}

/**
 * Whoever makes a request about keys: a person about their own (with a key if it was made for that), or somebody who may do that everywhere.
 * @param scope undefined: whoever it is
 * @throws TailraceError `unauthorized`, `forbidden`
 */
export function requireGrant(
  { keyGrant }: FastifyRequest,
  scope?: 'read' | 'write',
  what?: string,
): KeyGrant {
  if (!keyGrant) throw new TailraceError('unauthorized', 'Invalid credentials provided.');
  if (scope === undefined) return keyGrant;
  const { scopes, apps } = keyGrant.madeFor ?? keyGrant;
  const mayDo = apps === undefined && includesScope(scopes, scope);
  if (what !== undefined && !mayDo && (!keyGrant.user || keyGrant.madeFor))
    throw new TailraceError('forbidden', `This API key may not ${what}: use one with the scope ${scope}.`);
  if (!keyGrant.user) requireEverywhere(keyGrant, scope);
  else if (keyGrant.madeFor && !mayDo)
    throw new TailraceError(
      'forbidden',
      "This API key wasn't made for that: log in to look after your keys.",
    );
  return keyGrant;
}

/** What a new key may be made for. A person's is never worth more than they are, but what they made a key for limits those made with it. */
export function scopesToGive(grant: KeyGrant): readonly KeyScope[] {
  if (grant.madeFor) return grant.madeFor.scopes;
  return grant.user ? GLOBAL_SCOPES : grant.scopes;
}

/** What a key is called in lists and lines. */
export function keyName({ description }: Pick<ApiKeyRecord, 'description'>): string {
  return description ?? 'the key of this machine';
}

/** The earlier of two times, of which one or both may be never. */
function earlierTime(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Date.parse(one) < Date.parse(other) ? one : other;
}
