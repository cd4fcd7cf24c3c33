import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type ApiKeyRecord,
  type ApiKeys,
  generateApiKey,
  type KeyGrant,
  type KeyUse,
} from '../../apps/access/api-keys.ts';
import { permits } from '../../apps/access/grants.ts';
import {
  coversScopes,
  GLOBAL_SCOPES,
  isGlobal,
  KEY_SCOPES,
  type KeyScope,
} from '../../apps/access/key-scopes.ts';
import type { LocalKey } from '../../apps/access/local-key.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { DURATION_FORMS, parseDuration } from '../../common/time-expression.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { FILTERED_ROUTE } from './authorize.ts';

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
  /** The key of clients on this machine. */
  readonly localKey: Pick<LocalKey, 'owns' | 'rotate'>;
}

/** `/oauth/authorizations`: API keys. A key is shown once, when it is made. */
export function authorizationRoutes(
  api: FastifyInstance,
  { apiKeys, appRegistry, localKey }: AuthorizationRouteDependencies,
): void {
  const viewOf = async (record: ApiKeyRecord, grant: KeyGrant | undefined, key?: string) =>
    authorizationView(record, {
      grant,
      key,
      appNames: await appRegistry.appNames(),
      lastUses: await apiKeys.lastUses(),
    });

  api.get(
    '/oauth/authorizations',
    routeSchema('List the API keys', 'Authorization', { many: true }),
    async (request, reply) => {
      const scene = {
        grant: request.keyGrant,
        appNames: await appRegistry.appNames(),
        lastUses: await apiKeys.lastUses(),
      };
      const views = (await apiKeys.list()).map((key) => authorizationView(key, scene));
      return paginate(request, reply, views, ['id', 'created_at']);
    },
  );
  api.get<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Look at an API key', 'Authorization'),
    async (request) => viewOf(await apiKeys.get(request.params.id), request.keyGrant),
  );
  const requestBody = bodySchema({
    description: { type: ['string', 'null'], maxLength: 200 },
    expires_in: { type: ['string', 'integer', 'null'] },
    scope: { type: ['array', 'null'], items: { type: 'string' } },
    apps: { type: ['array', 'null'], items: { type: 'string' }, maxItems: 100 },
  });
  api.post<{ Body: NewAuthorizationRequest | null }>(
    '/oauth/authorizations',
    {
      ...routeSchema('Make an API key; the answer is the only one that has it', 'Authorization', {
        status: 201,
        body: requestBody,
      }),
      // What a key may make is looked at below; people make keys that are worth what they are.
      ...FILTERED_ROUTE,
    },
    async (request, reply) => {
      const { description, expires_in: expiresIn, scope, apps: names } = request.body ?? {};
      const grant = requireGrant(request);
      const scopes = scope ? parseScopes(scope) : grant.user ? GLOBAL_SCOPES : grant.scopes;
      // A person's key is never worth more than they are, whatever it was made for.
      if (!grant.user) {
        if (!permits(grant, 'write'))
          throw new TailraceError(
            'forbidden',
            'This API key may not make others: use one with the scope write.',
          );
        requireAtLeast(grant, scopes, 'make');
      }
      const now = Date.now();
      const key = generateApiKey();
      const expiresAt =
        expiresIn == null ? undefined : new Date(now + parseExpirySeconds(expiresIn) * 1_000).toISOString();
      if (names?.length === 0)
        throw new TailraceError('invalid_params', 'The list of apps is empty: leave it out for all of them.');
      const apps = names && (await Promise.all(names.map((name) => appRegistry.getApp(name))));
      const record: ApiKeyRecord = {
        id: randomUUID(),
        description: description ?? 'API key',
        scopes,
        ...(apps && { apps: [...new Set(apps.map(({ id }) => id))] }),
        madeFrom: { address: request.ip, key: keyName(grant) },
        ...(grant.user && { user: grant.user.id }),
        createdAt: new Date(now).toISOString(),
        expiresAt: earlierTime(expiresAt, grant.expiresAt),
      };
      await apiKeys.add(key, record);
      reply.code(201);
      return viewOf(record, grant, key);
    },
  );
  api.post<{ Params: { id: string } }>(
    '/oauth/authorizations/:id/actions/regenerate-tokens',
    routeSchema('Replace an API key by another; the answer is the only one that has it', 'Authorization', {
      body: bodySchema({}),
    }),
    async (request) => {
      const grant = requireGrant(request);
      const record = await apiKeys.get(request.params.id);
      requireAtLeast(grant, record.scopes, 'replace');
      if (localKey.owns(record)) {
        const key = await localKey.rotate();
        return viewOf(await apiKeys.get(record.id), grant, key);
      }
      const key = generateApiKey();
      return viewOf(await apiKeys.replace(record.id, key), grant, key);
    },
  );
  api.delete<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Revoke an API key', 'Authorization'),
    async (request) => {
      const grant = requireGrant(request);
      const record = await apiKeys.get(request.params.id);
      if (record.id !== grant.id) requireAtLeast(grant, record.scopes, 'revoke');
      const shown = await viewOf(record, grant);
      await apiKeys.remove(record.id);
      return shown;
    },
  );
}

function requireGrant({ keyGrant }: FastifyRequest): KeyGrant {
  if (!keyGrant) throw new TailraceError('unauthorized', 'Invalid credentials provided.');
  return keyGrant;
}

/** @throws TailraceError `forbidden` for scopes that the key itself doesn't have: with a weaker key nobody gets a stronger one. */
function requireAtLeast(grant: KeyGrant, scopes: readonly KeyScope[], verb: string): void {
  if (coversScopes(grant.scopes, scopes)) return;
  const missing = scopes.filter((scope) => !coversScopes(grant.scopes, [scope]));
  throw new TailraceError(
    'forbidden',
    `This API key may not ${verb} a key with the scope ${(missing.length > 0 ? missing : scopes).join(', ')}, which it doesn't have itself: use one that has it.`,
  );
}

/** The earlier of two times, of which one or both may be never. */
function earlierTime(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Date.parse(one) < Date.parse(other) ? one : other;
}

/** Heroku's words for scopes are understood too. */
const SCOPES_BY_HEROKU_NAME: Readonly<Record<string, readonly KeyScope[]>> = {
  global: GLOBAL_SCOPES,
  identity: ['read'],
  'read-protected': ['read', 'read-protected'],
  'write-protected': ['read', 'read-protected', 'write'],
};

function parseScopes(given: readonly string[]): KeyScope[] {
  const wanted = given.flatMap(
    (word) => SCOPES_BY_HEROKU_NAME[word] ?? KEY_SCOPES.filter((scope) => scope === word),
  );
  const unknown = given.find(
    (word) => !(word in SCOPES_BY_HEROKU_NAME) && !KEY_SCOPES.some((scope) => scope === word),
  );
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

/** What a key is called in lists and lines. */
export function keyName({ description }: Pick<ApiKeyRecord, 'description'>): string {
  return description ?? 'the key of this machine';
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
  const { id, scopes, createdAt, expiresAt, apps, madeFrom } = record;
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
