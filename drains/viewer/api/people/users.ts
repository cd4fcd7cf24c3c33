/** `/api/users`, `/api/invites`, `/api/keys`: who may do what. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import {
  KEY_SCOPES,
  type KeyRecord,
  type ViewerInvite,
  type ViewerRights,
  type ViewerUser,
} from '../../access/access-records.ts';
import { type Grant, type GroupRoles, ROLES, type Role } from '../../access/grant.ts';
import type { ViewerParts } from '../../parts.ts';
import { readBody } from '../body.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';

/** Whoever owns a group gives rights in it; owners of all give any. */
export function registerUserRoutes(server: FastifyInstance, parts: ViewerParts): void {
  userRoutes(server, parts);
  inviteRoutes(server, parts);
  keyRoutes(server, parts);
}

function userRoutes(server: FastifyInstance, { access, groups }: ViewerParts): void {
  const { users } = access;

  server.get('/api/users', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    grant.requireOwner();
    return (await users.list()).map(userView);
  });

  server.patch<{ Params: { user: string } }>('/api/users/:user', async (request) => {
    const grant = grantOf(request);
    grant.requireOwner();
    return userView(await users.setRights(request.params.user, readRights(groups, request.body, grant)));
  });

  server.delete<{ Params: { user: string } }>('/api/users/:user', async (request, reply) => {
    grantOf(request).requireOwner();
    await users.remove(request.params.user);
    return reply.code(204).send();
  });
}

function inviteRoutes(server: FastifyInstance, { access, groups, publicUrl }: ViewerParts): void {
  const { users } = access;

  server.get('/api/invites', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    return (await users.listInvites()).filter((invite) => mayGive(invite, grant)).map(inviteView);
  });

  server.post('/api/invites', async (request, reply) => {
    const grant = grantOf(request);
    const { email, ...rights } = readBody(request, {
      email: 'string?',
      role: 'string?',
      groups: 'object?',
    });
    const { invite, secret } = await users.invite(readRights(groups, rights, grant), grant.name, email);
    return reply.code(201).send({ ...inviteView(invite), url: `${publicUrl()}/#invite=${secret}` });
  });

  server.delete<{ Params: { invite: string } }>('/api/invites/:invite', async (request, reply) => {
    const grant = grantOf(request);
    const invite = (await users.listInvites()).find(({ id }) => id === request.params.invite);
    if (!invite || !mayGive(invite, grant))
      throw new TailraceError('not_found', "Couldn't find that invitation.");
    await users.removeInvite(invite.id);
    return reply.code(204).send();
  });
}

function keyRoutes(server: FastifyInstance, { access, groups }: ViewerParts): void {
  const { keys } = access;

  server.get('/api/keys', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    return (await keys.list()).filter((key) => mayManage(key, grant)).map(keyView);
  });

  server.post('/api/keys', async (request, reply) => {
    const grant = grantOf(request);
    const body = readBody(request, { name: 'string', scope: 'string?', groups: 'strings?' });
    const scope = KEY_SCOPES.find((one) => one === (body.scope ?? 'read'));
    if (!scope) throw new TailraceError('invalid_params', `scope must be one of ${KEY_SCOPES.join(', ')}.`);
    const name = body.name.trim();
    if (name === '' || name.length > 100 || /\p{C}/u.test(name))
      throw new TailraceError(
        'invalid_params',
        'name must have 1 to 100 characters that can be seen: say what the key is for.',
      );
    if (body.groups === undefined) grant.requireOwner();
    const ofGroups = body.groups && [...new Set(body.groups)];
    for (const group of ofGroups ?? []) {
      groups.get(group);
      grant.require(group, 'owner');
    }
    if (ofGroups?.length === 0)
      throw new TailraceError('invalid_params', 'groups must name one: leave it out for all groups.');
    const { record, key } = await keys.create({
      name,
      scope,
      ...(ofGroups && { groups: ofGroups }),
      createdBy: grant.name,
    });
    return reply.code(201).send({ ...keyView(record), key });
  });

  server.delete<{ Params: { key: string } }>('/api/keys/:key', async (request, reply) => {
    const grant = grantOf(request);
    const key = (await keys.list()).find(({ id }) => id === request.params.key);
    if (!key || !mayManage(key, grant)) throw new TailraceError('not_found', "Couldn't find that key.");
    await keys.remove(key.id);
    return reply.code(204).send();
  });
}

/** @throws TailraceError `invalid_params`, `not_found`, `forbidden` for what whoever asks can't give */
function readRights(groups: ViewerParts['groups'], body: unknown, grant: Grant): ViewerRights {
  const { role, groups: given = {} } = readBody({ body }, { role: 'string?', groups: 'object?' });
  const roles: GroupRoles = Object.fromEntries(
    Object.entries(given).map(([group, text]) => {
      groups.get(group);
      grant.require(group, 'owner');
      return [group, readRole(text)];
    }),
  );
  if (role !== undefined) grant.requireOwner();
  if (role === undefined && Object.keys(roles).length === 0)
    throw new TailraceError(
      'invalid_params',
      'Give a role for all groups, or `groups` with a role for some.',
    );
  return { ...(role !== undefined && { role: readRole(role) }), groups: roles };
}

function readRole(text: unknown): Role {
  const role = ROLES.find((one) => one === text);
  if (!role) throw new TailraceError('invalid_params', `A role must be one of ${ROLES.join(', ')}.`);
  return role;
}

function mayGive({ role, groups }: ViewerRights, grant: Grant): boolean {
  if (grant.role === 'owner') return true;
  return role === undefined && Object.keys(groups).every((group) => grant.may(group, 'owner'));
}

function mayManage({ groups }: KeyRecord, grant: Grant): boolean {
  if (grant.role === 'owner') return true;
  return groups?.every((group) => grant.may(group, 'owner')) ?? false;
}

function userView({ id, email, role, groups, createdAt }: ViewerUser): object {
  return { id, email, role: role ?? null, groups, created_at: createdAt };
}

function inviteView({ id, email, role, groups, createdAt, createdBy, expiresAt }: ViewerInvite): object {
  return {
    id,
    email: email ?? null,
    role: role ?? null,
    groups,
    created_at: createdAt,
    created_by: createdBy,
    expires_at: expiresAt,
  };
}

function keyView({ id, name, scope, groups, createdAt, createdBy }: KeyRecord): object {
  return { id, name, scope, groups: groups ?? null, created_at: createdAt, created_by: createdBy };
}
