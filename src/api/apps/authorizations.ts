import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import {
  type ApiKeyRecord,
  type ApiKeys,
  generateApiKey,
  KEY_SCOPES,
  type KeyScope,
} from '../../apps/records/api-keys.ts';
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
}

/** `/oauth/authorizations`: API keys. A key is shown once, when it is made. */
export function authorizationRoutes(api: FastifyInstance, { apiKeys }: AuthorizationRouteDependencies): void {
  api.get(
    '/oauth/authorizations',
    routeSchema('List the API keys', 'Authorization', { many: true }),
    async (request, reply) =>
      paginate(
        request,
        reply,
        (await apiKeys.list()).map((key) => authorizationView(key)),
        ['id', 'created_at'],
      ),
  );
  api.get<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Look at an API key', 'Authorization'),
    async (request) => authorizationView(await apiKeys.get(request.params.id)),
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
      const now = Date.now();
      const key = generateApiKey();
      const record: ApiKeyRecord = {
        id: randomUUID(),
        description: description ?? 'API key',
        scopes: parseScopes(scope ?? ['global']),
        createdAt: new Date(now).toISOString(),
        expiresAt:
          expiresIn == null ? undefined : new Date(now + parseExpirySeconds(expiresIn) * 1_000).toISOString(),
      };
      await apiKeys.add(key, record);
      reply.code(201);
      return authorizationView(record, key);
    },
  );
  api.delete<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    routeSchema('Revoke an API key', 'Authorization'),
    async (request) => authorizationView(await apiKeys.remove(request.params.id)),
  );
}

/** Heroku's words for scopes are understood too. */
const SCOPES_BY_HEROKU_NAME: Readonly<Record<string, readonly KeyScope[]>> = {
  global: KEY_SCOPES,
  identity: ['read'],
  'read-protected': ['read'],
  'write-protected': ['read', 'write'],
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

function authorizationView(record: ApiKeyRecord, key?: string) {
  const { id, description, scopes, createdAt, expiresAt } = record;
  const expiresIn = expiresAt === undefined ? null : Math.round((Date.parse(expiresAt) - Date.now()) / 1_000);
  return {
    id,
    description: description ?? 'the key of this machine',
    scope: scopes.length === KEY_SCOPES.length ? ['global'] : scopes,
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
