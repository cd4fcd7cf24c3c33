/** `/apps/:app/collaborators`: who may do what in one app, as Heroku has it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invitationIsOpen, type PersonRole } from '../../apps/access/grants.ts';
import type { People, Person } from '../../apps/access/people.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { isSameAddress } from '../../logs/access/people-records.ts';
import { stringOrNull } from '../schema-builder.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { needsScope } from './authorize.ts';
import { findInvites, findPerson, parseRole, personNotFound, requireRank } from './person-lookup.ts';

/** What these routes work with. */
export interface CollaboratorRouteDependencies {
  readonly people: People;
  readonly appRegistry: AppRegistry;
}

interface CollaboratorBody {
  readonly user?: string | { readonly email?: string | null; readonly id?: string | null } | null;
  readonly permissions?: readonly (string | { readonly name?: string })[] | null;
  readonly role?: string;
}

const ADMIN = needsScope('admin');

/** Adds the routes. All but looking need the scope `admin`, and owners are changed by owners. */
export function collaboratorRoutes(api: FastifyInstance, dependencies: CollaboratorRouteDependencies): void {
  const { people, appRegistry } = dependencies;
  const { users } = people;

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

  const collaboratorBody = bodySchema({
    user: {
      type: ['string', 'object', 'null'],
      properties: { email: stringOrNull, id: stringOrNull },
    },
    permissions: { type: ['array', 'null'], items: { type: ['string', 'object'] } },
    role: { type: 'string', maxLength: 300 },
  });
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
      const person = await findPerson(users, which);
      if (!person && (await findInvites(users, which)).length > 0) throw invitationIsOpen(which);
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

  async function getCollaborator(app: AppRecord, which: string): Promise<Person> {
    const person = await findPerson(users, which);
    if (!person && (await findInvites(users, which)).length > 0) throw invitationIsOpen(which);
    if (!person || (person.role === undefined && !Object.hasOwn(person.groups, app.id)))
      throw personNotFound(which);
    return person;
  }
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
