import type { FastifyInstance } from 'fastify';
import {
  type ApiKeyRecord,
  type ApiKeys,
  generateApiKey,
  type KeyGrant,
  type KeyUse,
  scopesOf,
} from '../../apps/access/api-keys.ts';
import {
  coversScopes,
  GLOBAL_SCOPES,
  isGlobal,
  KEY_SCOPES,
  type KeyScope,
} from '../../apps/access/key-scopes.ts';
import type { LocalKey } from '../../apps/access/local-key.ts';
import type { People } from '../../apps/access/people.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { DURATION_FORMS, parseDuration } from '../../common/time-expression.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { FILTERED_ROUTE, isVisible } from './authorize.ts';
import { keyName, newKeyRecord, requireGrant, scopesToGive } from './new-key.ts';

interface NewAuthorizationRequest {
  readonly description?: string | null;
  readonly expires_in?: string | number | null;
  readonly scope?: readonly string[] | null;
  /** Names or ids of the apps that it is for; left out: all. */
  readonly apps?: readonly string[] | null;
}

/** What these routes work with. */
export interface AuthorizationRouteDependencies {
  readonly apiKeys: ApiKeys;
  readonly appRegistry: AppRegistry;
  readonly people: People;
  /** The key of clients on this machine. */
  readonly localKey: Pick<LocalKey, 'owns' | 'rotate'>;
}

const NEW_AUTHORIZATION_BODY = bodySchema({
  description: { type: ['string', 'null'], maxLength: 200 },
  expires_in: { type: ['string', 'integer', 'null'] },
  scope: { type: ['array', 'null'], items: { type: 'string' } },
  apps: { type: ['array', 'null'], items: { type: 'string' }, maxItems: 100 },
});

/**
 * `/oauth/authorizations`: API keys. A key is shown once, when it is made. People have to do with their own keys, whatever their role; admins
 * see and revoke all. Who may do what is looked at in the handlers: roles don't say it.
 */
export function authorizationRoutes(
  api: FastifyInstance,
  dependencies: AuthorizationRouteDependencies,
): void {
  readRoutes(api, dependencies);
  createRoute(api, dependencies);
  changeRoutes(api, dependencies);
  revokeRoute(api, dependencies);
}

function readRoutes(api: FastifyInstance, dependencies: AuthorizationRouteDependencies): void {
  const { apiKeys, appRegistry } = dependencies;
  api.get(
    '/oauth/authorizations',
    { ...routeSchema('List the API keys', 'Authorization', { many: true }), ...FILTERED_ROUTE },
    async (request, reply) => {
      const grant = requireGrant(request, 'read');
      const scene = {
        grant,
        appNames: await appRegistry.appNames(),
        lastUses: await apiKeys.lastUses(),
      };
      const known = (await apiKeys.list()).filter((key) => mayKnow(grant, key));
      const views = known.map((key) => authorizationView(key, scene));
      return paginate(request, reply, views, ['id', 'created_at']);
    },
  );
  api.get<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    { ...routeSchema('Look at an API key', 'Authorization'), ...FILTERED_ROUTE },
    async (request) => {
      const grant = requireGrant(request, 'read');
      return viewOf(dependencies, await getKey(apiKeys, grant, request.params.id), grant);
    },
  );
}

function createRoute(api: FastifyInstance, dependencies: AuthorizationRouteDependencies): void {
  const { apiKeys, appRegistry } = dependencies;
  api.post<{ Body: NewAuthorizationRequest | null }>(
    '/oauth/authorizations',
    {
      ...routeSchema('Make an API key; the answer is the only one that has it', 'Authorization', {
        status: 201,
        body: NEW_AUTHORIZATION_BODY,
      }),
      ...FILTERED_ROUTE,
    },
    async (request, reply) => {
      const { description, expires_in: expiresIn, scope, apps: names } = request.body ?? {};
      const grant = requireGrant(request, 'write', 'make others');
      const most = scopesToGive(grant);
      const scopes = scope ? parseScopes(scope) : most;
      requireAtLeast(most, scopes, 'make');
      const key = generateApiKey();
      const expiresAt =
        expiresIn == null
          ? undefined
          : new Date(Date.now() + parseExpirySeconds(expiresIn) * 1_000).toISOString();
      if (names?.length === 0)
        throw new TailraceError('invalid_params', 'The list of apps is empty: leave it out for all of them.');
      const apps = names && (await Promise.all(names.map((name) => getVisibleApp(appRegistry, grant, name))));
      const record = newKeyRecord(grant, {
        description: description ?? 'API key',
        scopes,
        apps: apps?.map(({ id }) => id),
        expiresAt,
        address: request.ip,
      });
      await apiKeys.add(key, record);
      reply.code(201);
      return viewOf(dependencies, record, grant, key);
    },
  );
}

/** Another key in the place of one, and another description. */
function changeRoutes(api: FastifyInstance, dependencies: AuthorizationRouteDependencies): void {
  const { apiKeys, localKey } = dependencies;
  api.post<{ Params: { id: string } }>(
    '/oauth/authorizations/:id/actions/regenerate-tokens',
    {
      ...routeSchema(
        'Replace an API key by another; the answer is the only one that has it',
        'Authorization',
        {
          body: bodySchema({}),
        },
      ),
      ...FILTERED_ROUTE,
    },
    async (request) => {
      const grant = requireGrant(request, 'write');
      const record = await getKey(apiKeys, grant, request.params.id);
      requireAtLeast(scopesToGive(grant), scopesOf(record), 'replace');
      requireOwnKey(grant, record);
      if (localKey.owns(record)) {
        const key = await localKey.rotate();
        return viewOf(dependencies, await apiKeys.get(record.id), grant, key);
      }
      const key = generateApiKey();
      return viewOf(dependencies, await apiKeys.replace(record.id, key), grant, key);
    },
  );
  api.patch<{ Params: { id: string }; Body: { description?: string | null } | null }>(
    '/oauth/authorizations/:id',
    {
      ...routeSchema('Describe an API key anew', 'Authorization', {
        body: bodySchema({ description: { type: ['string', 'null'], maxLength: 200 } }),
      }),
      ...FILTERED_ROUTE,
    },
    async (request) => {
      const grant = requireGrant(request, 'write');
      const record = await getKey(apiKeys, grant, request.params.id);
      requireOwnKey(grant, record);
      const description = request.body?.description ?? record.description ?? 'API key';
      return viewOf(dependencies, await apiKeys.describe(record.id, description), grant);
    },
  );
}

function revokeRoute(api: FastifyInstance, dependencies: AuthorizationRouteDependencies): void {
  const { apiKeys, people } = dependencies;
  api.delete<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    { ...routeSchema('Revoke an API key', 'Authorization'), ...FILTERED_ROUTE },
    async (request) => {
      const isOwn = request.keyGrant?.id === request.params.id;
      const grant = requireGrant(request, isOwn ? undefined : 'write');
      const record = isOwn
        ? await apiKeys.get(request.params.id)
        : await getKey(apiKeys, grant, request.params.id);
      if (!isOwn) await requireMayRevoke(people, grant, record);
      const shown = await viewOf(dependencies, record, grant);
      await apiKeys.remove(record.id);
      return shown;
    },
  );
}

async function viewOf(
  { apiKeys, appRegistry }: AuthorizationRouteDependencies,
  record: ApiKeyRecord,
  grant: KeyGrant | undefined,
  key?: string,
) {
  return authorizationView(record, {
    grant,
    key,
    appNames: await appRegistry.namesOf(record.apps ?? []),
    lastUses: await apiKeys.lastUses(),
  });
}

/** @throws TailraceError `not_found`, also for one of somebody else */
async function getKey(apiKeys: ApiKeys, grant: KeyGrant, id: string): Promise<ApiKeyRecord> {
  const record = await apiKeys.get(id);
  if (!mayKnow(grant, record)) throw new TailraceError('not_found', "Couldn't find that authorization.");
  return record;
}

/** @throws TailraceError `not_found`, also for one that the grant isn't for */
async function getVisibleApp(appRegistry: AppRegistry, grant: KeyGrant, name: string): Promise<AppRecord> {
  const app = await appRegistry.getApp(name);
  if (!isVisible(grant, app)) throw new TailraceError('not_found', "Couldn't find that app.");
  return app;
}

/** @throws TailraceError `forbidden` */
async function requireMayRevoke(people: People, grant: KeyGrant, record: ApiKeyRecord): Promise<void> {
  if (record.user !== undefined && record.user === grant.user?.id) return;
  requireAtLeast(grant.scopes, scopesOf(record), 'revoke');
  if (record.user === undefined) return;
  if (!isGlobal(grant.scopes))
    throw new TailraceError('forbidden', 'This is the key of a person: they revoke it, or an admin does.');
  const person = await people.users.find(record.user);
  if (person?.role === 'owner' && grant.user && grant.role !== 'owner')
    throw new TailraceError('forbidden', 'This is the key of an owner: only owners revoke it.');
}

/** People know of their own keys, admins of all; so does who has a key that is nobody's. */
function mayKnow({ user, apps, scopes }: KeyGrant, record: ApiKeyRecord): boolean {
  return user === undefined || record.user === user.id || (apps === undefined && isGlobal(scopes));
}

/**
 * Whoever replaces a key has it afterwards, and acts in the name of whoever it belongs to.
 * @throws TailraceError `forbidden`
 */
function requireOwnKey(grant: KeyGrant, record: ApiKeyRecord): void {
  if (record.user !== undefined && record.user !== grant.user?.id)
    throw new TailraceError(
      'forbidden',
      'This is the key of a person, and only they replace it: revoke it instead.',
    );
  // With a key that is nobody's one is as good as an owner.
  if (record.user === undefined && isGlobal(scopesOf(record)) && grant.user && grant.role !== 'owner')
    throw new TailraceError(
      'forbidden',
      'Only owners replace a key that may do everything: ask one of them.',
    );
}

/** @throws TailraceError `forbidden` for scopes that the key itself doesn't have: with a weaker key nobody gets a stronger one. */
function requireAtLeast(held: readonly KeyScope[], scopes: readonly KeyScope[], verb: string): void {
  if (coversScopes(held, scopes)) return;
  const missing = scopes.filter((scope) => !coversScopes(held, [scope]));
  throw new TailraceError(
    'forbidden',
    `This API key may not ${verb} a key with the scope ${(missing.length > 0 ? missing : scopes).join(', ')}, which it doesn't have itself: use one that has it.`,
  );
}

/** Heroku's words for scopes are understood too. */
const SCOPES_BY_HEROKU_NAME: Readonly<Record<string, readonly KeyScope[]>> = {
  global: GLOBAL_SCOPES,
  identity: ['read'],
  'read-protected': ['read', 'read-protected'],
  'write-protected': ['read', 'read-protected', 'write'],
};

function parseScopes(given: readonly string[]): KeyScope[] {
  const scopesNamed = (word: string): readonly KeyScope[] =>
    Object.hasOwn(SCOPES_BY_HEROKU_NAME, word)
      ? SCOPES_BY_HEROKU_NAME[word]
      : KEY_SCOPES.filter((scope) => scope === word);
  const wanted = given.flatMap(scopesNamed);
  const unknown = given.find((word) => scopesNamed(word).length === 0);
  if (unknown !== undefined || wanted.length === 0)
    throw new TailraceError(
      'invalid_params',
      `There is no scope "${unknown ?? ''}": choose from ${KEY_SCOPES.join(', ')}, or global for all of them.`,
    );
  return KEY_SCOPES.filter((scope) => wanted.includes(scope));
}

/** Heroku's number of seconds (also as text: the official CLI sends what was typed), or a duration. */
function parseExpirySeconds(given: string | number): number {
  const durationMs = parseDuration(String(given));
  const seconds = durationMs === undefined ? Number(given) : Math.ceil(durationMs / 1_000);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 315_360_000)
    throw new TailraceError(
      'invalid_params',
      `"${given}" is no time in seconds: choose 1 to 315360000, or write ${DURATION_FORMS}.`,
    );
  return seconds;
}

/** What views of keys are made with. */
interface AuthorizationScene {
  /** Of the request: the client is told which key is its own. */
  readonly grant: KeyGrant | undefined;
  /** The key itself, in the answer that makes it. */
  readonly key?: string;
  readonly appNames: ReadonlyMap<string, string>;
  readonly lastUses: ReadonlyMap<string, KeyUse>;
}

function authorizationView(record: ApiKeyRecord, { grant, key, appNames, lastUses }: AuthorizationScene) {
  const { id, createdAt, expiresAt, apps, madeFrom } = record;
  const scopes = scopesOf(record);
  const expiresIn = expiresAt === undefined ? null : Math.round((Date.parse(expiresAt) - Date.now()) / 1_000);
  const lastUse = lastUses.get(id);
  return {
    id,
    description: keyName(record),
    scope: isGlobal(scopes) ? ['global'] : scopes,
    current: id === grant?.id,
    // One that is for apps which are gone is for none.
    apps: apps?.flatMap((app) => appNames.get(app) ?? []) ?? null,
    last_used_at: lastUse?.at ?? null,
    last_used_from: lastUse?.address ?? null,
    made_from: madeFrom?.address ?? null,
    made_with: madeFrom?.key ?? null,
    access_token: { id, token: key ?? '', expires_in: expiresIn },
    client: null,
    grant: null,
    refresh_token: null,
    session: null,
    created_at: createdAt,
    updated_at: createdAt,
    user: { ...OWNER, full_name: 'Owner' },
  };
}
