import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type ApiKeyRecord,
  type ApiKeys,
  generateApiKey,
  includesScope,
  KEY_SCOPES,
  type KeyGrant,
  type KeyScope,
} from '../../apps/records/api-keys.ts';
import type { LocalKey } from '../../apps/records/local-key.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { DURATION_FORMS, parseDuration } from '../../common/time-expression.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface NewAuthorizationRequest {
  readonly description?: string | null;
  readonly expires_in?: string | number | null;
  readonly scope?: readonly string[] | null;
}

/** What these routes work with. */
export interface AuthorizationRouteDependencies {
  readonly apiKeys: ApiKeys;
  /** The key of clients on this machine. */
  readonly localKey: Pick<LocalKey, 'owns' | 'rotate'>;
}

/** `/oauth/authorizations`: API keys. A key is shown once, when it is made. */
export function authorizationRoutes(
  api: FastifyInstance,
  { apiKeys, localKey }: AuthorizationRouteDependencies,
): void {
  api.get(
    '/oauth/authorizations',
    routeSchema('List the API keys', 'Authorization', { many: true }),
    async (request, reply) =>
      paginate(
        request,
        reply,
        (await apiKeys.list()).map((key) => authorizationView(key, request.keyGrant)),
        ['id', 'created_at'],
      ),
  );
  api.get<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Look at an API key', 'Authorization'),
    async (request) => authorizationView(await apiKeys.get(request.params.id), request.keyGrant),
  );
  const requestBody = bodySchema({
    description: { type: ['string', 'null'], maxLength: 200 },
    expires_in: { type: ['string', 'integer', 'null'] },
    scope: { type: ['array', 'null'], items: { type: 'string' } },
  });
  api.post<{ Body: NewAuthorizationRequest | null }>(
    '/oauth/authorizations',
    routeSchema('Make an API key; the answer is the only one that has it', 'Authorization', {
      status: 201,
      body: requestBody,
    }),
    async (request, reply) => {
      const { description, expires_in: expiresIn, scope } = request.body ?? {};
      const grant = requireGrant(request);
      const scopes = scope ? parseScopes(scope) : grant.scopes;
      requireAtLeast(grant, scopes, 'make');
      const now = Date.now();
      const key = generateApiKey();
      const expiresAt =
        expiresIn == null ? undefined : new Date(now + parseExpirySeconds(expiresIn) * 1_000).toISOString();
      const record: ApiKeyRecord = {
        id: randomUUID(),
        description: description ?? 'API key',
        scopes,
        createdAt: new Date(now).toISOString(),
        expiresAt: earlierTime(expiresAt, grant.expiresAt),
      };
      await apiKeys.add(key, record);
      reply.code(201);
      return authorizationView(record, grant, key);
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
        return authorizationView(await apiKeys.get(record.id), grant, key);
      }
      const key = generateApiKey();
      return authorizationView(await apiKeys.replace(record.id, key), grant, key);
    },
  );
  api.delete<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Revoke an API key', 'Authorization'),
    async (request) => {
      const grant = requireGrant(request);
      const record = await apiKeys.get(request.params.id);
      if (record.id !== grant.id) requireAtLeast(grant, record.scopes, 'revoke');
      return authorizationView(await apiKeys.remove(record.id), grant);
    },
  );
}

function requireGrant({ keyGrant }: FastifyRequest): KeyGrant {
  if (!keyGrant) throw new TailraceError('unauthorized', 'Invalid credentials provided.');
  return keyGrant;
}

/** @throws TailraceError `forbidden` for scopes that the key itself doesn't have: with a weaker key nobody gets a stronger one. */
function requireAtLeast(grant: KeyGrant, scopes: readonly KeyScope[], verb: string): void {
  const missing = scopes.filter((scope) => !includesScope(grant.scopes, scope));
  if (missing.length > 0)
    throw new TailraceError(
      'forbidden',
      `This API key may not ${verb} a key with the scope ${missing.join(', ')}, which it doesn't have itself: use one that has it.`,
    );
}

/** The earlier of two times, of which one or both may be never. */
function earlierTime(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Date.parse(one) < Date.parse(other) ? one : other;
}

/** Heroku's words for scopes are understood too. */
const SCOPES_BY_HEROKU_NAME: Readonly<Record<string, readonly KeyScope[]>> = {
  global: KEY_SCOPES,
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

/** @param grant of the request: the client is told which key is its own. */
function authorizationView(record: ApiKeyRecord, grant: KeyGrant | undefined, key?: string) {
  const { id, description, scopes, createdAt, expiresAt } = record;
  const expiresIn = expiresAt === undefined ? null : Math.round((Date.parse(expiresAt) - Date.now()) / 1_000);
  return {
    id,
    description: description ?? 'the key of this machine',
    scope: KEY_SCOPES.every((scope) => includesScope(scopes, scope)) ? ['global'] : scopes,
    current: id === grant?.id,
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
