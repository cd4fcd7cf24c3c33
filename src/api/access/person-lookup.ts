/** Finds people and invitations for routes, and says which role somebody may give. */
import type { FastifyRequest } from 'fastify';
import { PERSON_ROLES, type PersonRights, type PersonRole } from '../../apps/access/grants.ts';
import type { People, Person } from '../../apps/access/people.ts';
import { TailraceError } from '../../common/errors.ts';
import { type InviteRecord, isSameAddress } from '../../logs/access/people-records.ts';

type Users = People['users'];

/** Somebody by id or address; undefined when nobody is that. */
export async function findPerson(users: Users, which: string): Promise<Person | undefined> {
  return (await users.list()).find(({ id, email }) => id === which || isSameAddress(email, which));
}

/** Invitations: one by its id, or all that an address has: of somebody who may come yet. */
export async function findInvites(users: Users, which: string): Promise<InviteRecord<PersonRole>[]> {
  return (await users.listInvites()).filter(({ id, email }) => id === which || isSameAddress(email, which));
}

/** The refusal where nobody was found. */
export function personNotFound(which: string): TailraceError {
  return new TailraceError('not_found', `Couldn't find that user: nobody here is ${which}.`);
}

/** @throws TailraceError `forbidden`: owners are made and changed by owners, or with a key that is nobody's in particular */
export function requireRank({ keyGrant }: FastifyRequest, { role }: Partial<PersonRights>): void {
  if (role === 'owner' && keyGrant?.user && keyGrant.role !== 'owner')
    throw new TailraceError('forbidden', 'Only owners make and change owners: ask one of them.');
}

/** @throws TailraceError `invalid_params` for a word that is no role */
export function parseRole(given: string): PersonRole {
  const role = PERSON_ROLES.find((one) => one === given);
  if (!role)
    throw new TailraceError(
      'invalid_params',
      `There is no role "${given}": choose from ${PERSON_ROLES.join(', ')}.`,
    );
  return role;
}
