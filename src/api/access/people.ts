/** `/people`: who may do what; `/apps/:app/collaborators`: who may do what in one app, as Heroku has it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import {
  invitationIsOpen,
  PERSON_ROLES,
  type PersonRights,
  type PersonRole,
} from '../../apps/access/grants.ts';
import type { People, Person } from '../../apps/access/people.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { type InviteRecord, isSameAddress } from '../../logs/access/people-records.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { needsScope } from './authorize.ts';
import { keyName } from './new-key.ts';

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
interface CollaboratorBody {
  readonly user?: string | { readonly email?: string; readonly id?: string };
  readonly permissions?: readonly (string | { readonly name?: string })[] | null;
  readonly role?: string;
}

const text = { type: 'string', maxLength: 300 };
const ADMIN = needsScope('admin');

/** Adds the routes. All but the list of an app's collaborators need the scope `admin`, and owners are made and changed by owners. */
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
      const person = await findPerson(which);
      if (person) {
        requireRank(request, person);
        await users.remove(person.id);
        return personView(person, names);
      }
      const invites = await findInvites(which);
      if (invites.length === 0) throw personNotFound(which);
      for (const invite of invites) requireRank(request, invite);
      await (invites[0].id === which ? users.removeInvite(which) : users.removeInvitesOf(which));
      return invitationView(invites[0], names);
    },
  );

  api.get<{ Params: { app: string } }>(
    '/apps/:app/collaborators',
    routeSchema('List who may work on an app', 'Collaborator', { many: true }),
    async (request) => listCollaborators(await appRegistry.getApp(request.params.app)),
  );

  api.get<{ Params: { app: string; person: string } }>(
    '/apps/:app/collaborators/:person',
    routeSchema('Look at somebody who may work on an app', 'Collaborator'),
    async (request) => {
      const { app: which, person } = request.params;
      const app = await appRegistry.getApp(which);
      const found = (await listCollaborators(app)).find(
        ({ user }) => user.id === person || isSameAddress(user.email, person),
      );
      if (!found) throw personNotFound(person);
      return found;
    },
  );

  const collaboratorBody = bodySchema({ user: {}, permissions: {}, role: text });
  api.post<{ Params: { app: string }; Body: CollaboratorBody | null }>(
    '/apps/:app/collaborators',
    {
      ...routeSchema('Let somebody who is known work on an app', 'Collaborator', {
        status: 201,
        body: collaboratorBody,
      }),
      ...ADMIN,
    },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { user } = request.body ?? {};
      const which = typeof user === 'string' ? user : (user?.email ?? user?.id);
      if (!which) throw new TailraceError('invalid_params', 'Whom? Send `user`.');
      const person = await findPerson(which);
      if (!person && (await findInvites(which)).length > 0) throw invitationIsOpen(which);
      if (!person)
        throw new TailraceError(
          'not_found',
          `Couldn't find that user. \`tailrace access:add ${which} -a ${app.name}\` invites them: it prints a link for them.`,
        );
      reply.code(201);
      return changeCollaborator(request, app, person, roleInBody(request.body));
    },
  );
  api.patch<{ Params: { app: string; person: string }; Body: CollaboratorBody | null }>(
    '/apps/:app/collaborators/:person',
    {
      ...routeSchema('Change what somebody may do in an app', 'Collaborator', { body: collaboratorBody }),
      ...ADMIN,
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return changeCollaborator(
        request,
        app,
        await getCollaborator(app, request.params.person),
        roleInBody(request.body),
      );
    },
  );
  api.delete<{ Params: { app: string; person: string } }>(
    '/apps/:app/collaborators/:person',
    { ...routeSchema('Let somebody no longer work on an app', 'Collaborator'), ...ADMIN },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const person = await getCollaborator(app, request.params.person);
      requireRank(request, person);
      if (person.role !== undefined)
        throw new TailraceError(
          'conflict',
          `${person.email} is ${person.role} of all apps: \`tailrace access:remove ${person.email}\` without an app takes that away.`,
        );
      const { [app.id]: own, ...groups } = person.groups;
      await users.setRights(person.id, { groups });
      return collaboratorView(app, person, own, person.createdAt);
    },
  );

  async function listCollaborators(app: AppRecord) {
    const all = (await users.list()).filter(
      ({ role, groups }) => role !== undefined || Object.hasOwn(groups, app.id),
    );
    if (all.length === 0) return [collaboratorView(app, OWNER, 'owner', app.createdAt)];
    return all.map((person) => collaboratorView(app, person, roleIn(person, app), person.createdAt));
  }

  async function give(request: FastifyRequest, email: string, role: PersonRole, app: AppRecord | undefined) {
    const person = await findPerson(email);
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

  async function changeCollaborator(
    request: FastifyRequest,
    app: AppRecord,
    person: Person,
    role: PersonRole,
  ) {
    requireRank(request, person);
    requireRank(request, { groups: { [app.id]: role } });
    const { role: everywhere, groups } = person;
    const changed = await users.setRights(person.id, {
      role: everywhere,
      groups: { ...groups, [app.id]: role },
    });
    return collaboratorView(app, changed, role, changed.createdAt);
  }

  /** By id or address. */
  async function findPerson(which: string): Promise<Person | undefined> {
    return (await users.list()).find(({ id, email }) => id === which || isSameAddress(email, which));
  }

  /** One by its id, or all that an address has: of somebody who may come yet. */
  async function findInvites(which: string): Promise<InviteRecord<PersonRole>[]> {
    return (await users.listInvites()).filter(({ id, email }) => id === which || isSameAddress(email, which));
  }

  async function getCollaborator(app: AppRecord, which: string): Promise<Person> {
    const person = await findPerson(which);
    if (!person && (await findInvites(which)).length > 0) throw invitationIsOpen(which);
    if (!person || (person.role === undefined && !Object.hasOwn(person.groups, app.id)))
      throw personNotFound(which);
    return person;
  }
}

function personNotFound(which: string): TailraceError {
  return new TailraceError('not_found', `Couldn't find that user: nobody here is ${which}.`);
}

/** @throws TailraceError `forbidden`: owners are made and changed by owners, or with a key that is nobody's in particular */
function requireRank({ keyGrant }: FastifyRequest, { role }: Partial<PersonRights>): void {
  if (role === 'owner' && keyGrant?.user && keyGrant.role !== 'owner')
    throw new TailraceError('forbidden', 'Only owners make and change owners: ask one of them.');
}

/** Who does something, in what is kept of it. */
export function nameOf(grant: KeyGrant | undefined): string {
  return grant ? (grant.user?.email ?? keyName(grant)) : OWNER.email;
}

function roleIn({ role, groups }: Person, app: AppRecord): PersonRole | undefined {
  return Object.hasOwn(groups, app.id) ? groups[app.id] : role;
}

/** Heroku's permissions are roles here: `view`; `deploy` and `operate`; `manage`. */
function roleInBody(body: CollaboratorBody | null): PersonRole {
  const { role, permissions } = body ?? {};
  if (role !== undefined) return parseRole(role);
  const names = (permissions ?? []).map((one) => (typeof one === 'string' ? one : one.name));
  if (names.includes('manage')) return 'admin';
  return names.length > 0 && names.every((name) => name === 'view') ? 'viewer' : 'member';
}

function parseRole(given: string): PersonRole {
  const role = PERSON_ROLES.find((one) => one === given);
  if (!role)
    throw new TailraceError(
      'invalid_params',
      `There is no role "${given}": choose from ${PERSON_ROLES.join(', ')}.`,
    );
  return role;
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

function collaboratorView(
  app: AppRecord,
  { id, email }: Pick<Person, 'id' | 'email'>,
  role: PersonRole | undefined,
  createdAt: string,
) {
  return {
    id,
    app: { id: app.id, name: app.name },
    user: { id, email, federated: false },
    role: role ?? 'member',
    permissions: [],
    created_at: createdAt,
    updated_at: createdAt,
  };
}
