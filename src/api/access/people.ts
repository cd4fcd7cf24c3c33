/** `/people`: who may do what. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import type { PersonRights, PersonRole } from '../../apps/access/grants.ts';
import type { People, Person } from '../../apps/access/people.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import type { InviteRecord } from '../../logs/access/people-records.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { needsScope } from './authorize.ts';
import { keyName } from './new-key.ts';
import { findInvites, findPerson, parseRole, personNotFound, requireRank } from './person-lookup.ts';

/** What these routes work with. */
export interface PeopleRouteDependencies {
  readonly people: People;
  readonly appRegistry: AppRegistry;
  readonly addresses: Addresses;
}

interface RightsBody {
  readonly email?: string;
  readonly role?: string;
  /** Name or id of the app that the role is for; left out: all. */
  readonly app?: string | null;
}
const text = { type: 'string', maxLength: 300 };
const ADMIN = needsScope('admin');

/** Adds the routes. They need the scope `admin`, and owners are made and changed by owners. */
export function peopleRoutes(api: FastifyInstance, dependencies: PeopleRouteDependencies): void {
  const { people, appRegistry } = dependencies;
  const { users } = people;
  const rightsBody = bodySchema({ email: text, role: text, app: { type: ['string', 'null'] } });

  api.get(
    '/people',
    { ...routeSchema('List the people', 'Person', { many: true }), ...ADMIN },
    async (request, reply) => {
      const names = await appRegistry.appNames();
      const known = (await users.list()).map((person) => personView(person, names));
      const invited = (await users.listInvites()).map((invite) => invitationView(invite, names));
      return paginate(request, reply, [...known, ...invited], ['email', 'id']);
    },
  );

  // Whoever is known gets the role at once; others get a link.
  api.post<{ Body: RightsBody | null }>(
    '/people',
    {
      ...routeSchema("Give somebody a role; who isn't known is invited", 'Person', {
        status: 201,
        body: rightsBody,
      }),
      ...ADMIN,
    },
    async (request, reply) => {
      const { email, role: wanted, app: which } = request.body ?? {};
      if (!email) throw new TailraceError('invalid_params', 'Whom? Send `email`.');
      const role = parseRole(wanted ?? 'member');
      const app = which ? await appRegistry.getApp(which) : undefined;
      reply.code(201);
      return give(request, email, role, app);
    },
  );

  api.delete<{ Params: { person: string } }>(
    '/people/:person',
    { ...routeSchema('Take all rights from somebody, or an invitation back', 'Person'), ...ADMIN },
    async (request) => {
      const names = await appRegistry.appNames();
      const { person: which } = request.params;
      const person = await findPerson(users, which);
      if (person) {
        requireRank(request, person);
        await users.remove(person.id);
        return personView(person, names);
      }
      const invites = await findInvites(users, which);
      if (invites.length === 0) throw personNotFound(which);
      for (const invite of invites) requireRank(request, invite);
      await (invites[0].id === which ? users.removeInvite(which) : users.removeInvitesOf(which));
      return invitationView(invites[0], names);
    },
  );

  async function give(request: FastifyRequest, email: string, role: PersonRole, app: AppRecord | undefined) {
    const person = await findPerson(users, email);
    requireRank(request, { role: app ? undefined : role, groups: app ? { [app.id]: role } : {} });
    if (person) {
      requireRank(request, person);
      const rights = app
        ? { role: person.role, groups: { ...person.groups, [app.id]: role } }
        : { role, groups: person.groups };
      return personView(await users.setRights(person.id, rights), await namesOf(rights));
    }
    const rights: PersonRights = app ? { groups: { [app.id]: role } } : { role, groups: {} };
    const { invite, secret } = await users.invite(rights, nameOf(request.keyGrant), email);
    return {
      ...invitationView(invite, await namesOf(rights)),
      invitation_url: `${dependencies.addresses.forClient(request)}/#invite=${secret}`,
    };
  }

  function namesOf({ groups }: Pick<PersonRights, 'groups'>): Promise<ReadonlyMap<AppId, string>> {
    return appRegistry.namesOf(Object.keys(groups) as AppId[]);
  }
}

/** Who does something, in what is kept of it. */
export function nameOf(grant: KeyGrant | undefined): string {
  return grant ? (grant.user?.email ?? keyName(grant)) : OWNER.email;
}

function appRoles(groups: PersonRights['groups'], names: ReadonlyMap<string, string>) {
  return Object.entries(groups).flatMap(([id, role]) => {
    const name = names.get(id);
    return name === undefined ? [] : [{ app: { id, name }, role }];
  });
}

function personView({ id, email, role, groups, createdAt }: Person, names: ReadonlyMap<string, string>) {
  return {
    id,
    email,
    state: 'active',
    role: role ?? null,
    apps: appRoles(groups, names),
    invitation_url: null,
    created_at: createdAt,
    expires_at: null,
  };
}

function invitationView(
  { id, email, role, groups, createdAt, expiresAt }: InviteRecord<PersonRole>,
  names: ReadonlyMap<string, string>,
) {
  return {
    id,
    email: email ?? '',
    state: 'invited',
    role: role ?? null,
    apps: appRoles(groups, names),
    invitation_url: null as string | null,
    created_at: createdAt,
    expires_at: expiresAt,
  };
}
