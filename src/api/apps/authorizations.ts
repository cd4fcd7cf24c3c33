import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type KeyRecord, makeKey, SCOPES, type Scope } from '../../apps/records/keys.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Context } from '../context.ts';
import { onePage } from '../page-range.ts';
import { body, describe } from '../shapes.ts';

interface NewKey {
  readonly description?: string | null;
  /** Seconds; the official CLI sends what was typed. */
  readonly expires_in?: string | number | null;
  readonly scope?: readonly string[] | null;
}

/** `/oauth/authorizations`: API keys. A key is shown once, when it is made. */
export function authorizationRoutes(api: FastifyInstance, { keys }: Context): void {
  api.get(
    '/oauth/authorizations',
    describe('List the API keys', 'Authorization', { many: true }),
    async (request, reply) =>
      onePage(
        request,
        reply,
        (await keys.list()).map((key) => authorizationView(key)),
        ['id', 'created_at'],
      ),
  );
  api.get<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    describe('Look at an API key', 'Authorization'),
    async (request) => authorizationView(await keys.get(request.params.id)),
  );
  const wanted = body({
    description: { type: ['string', 'null'], maxLength: 200 },
    expires_in: { type: ['string', 'integer', 'null'] },
    scope: { type: ['array', 'null'], items: { type: 'string' } },
  });
  api.post<{ Body: NewKey | null }>(
    '/oauth/authorizations',
    describe('Make an API key; the answer is the only one that has it', 'Authorization', {
      status: 201,
      body: wanted,
    }),
    async (request, reply) => {
      const { description, expires_in: expiresIn, scope } = request.body ?? {};
      const now = Date.now();
      const key = makeKey();
      const record: KeyRecord = {
        id: randomUUID(),
        description: description ?? 'API key',
        scopes: readScopes(scope ?? ['global']),
        createdAt: new Date(now).toISOString(),
        expiresAt:
          expiresIn == null ? undefined : new Date(now + readSeconds(expiresIn) * 1_000).toISOString(),
      };
      await keys.add(key, record);
      reply.code(201);
      return authorizationView(record, key);
    },
  );
  api.delete<{ Params: { id: string } }>(
    '/oauth/authorizations/:id',
    describe('Revoke an API key', 'Authorization'),
    async (request) => authorizationView(await keys.remove(request.params.id)),
  );
}

/** Heroku's words for scopes are understood too. */
const HEROKU_SCOPES: Readonly<Record<string, readonly Scope[]>> = {
  global: SCOPES,
  identity: ['read'],
  'read-protected': ['read'],
  'write-protected': ['read', 'write'],
};

function readScopes(given: readonly string[]): Scope[] {
  const wanted = given.flatMap((word) => HEROKU_SCOPES[word] ?? SCOPES.filter((scope) => scope === word));
  const unknown = given.find((word) => !(word in HEROKU_SCOPES) && !SCOPES.some((scope) => scope === word));
  if (unknown !== undefined || wanted.length === 0)
    throw new TailraceError(
      'invalid_params',
      `There is no scope "${unknown ?? ''}": choose from ${SCOPES.join(', ')}, or global for all of them.`,
    );
  return SCOPES.filter((scope) => wanted.includes(scope));
}

function readSeconds(given: string | number): number {
  const seconds = Number(given);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 315_360_000)
    throw new TailraceError('invalid_params', `"${given}" is no time in seconds: choose 1 to 315360000.`);
  return seconds;
}

function authorizationView(record: KeyRecord, key?: string) {
  const { id, description, scopes, createdAt, expiresAt } = record;
  const expiresIn = expiresAt === undefined ? null : Math.round((Date.parse(expiresAt) - Date.now()) / 1_000);
  return {
    id,
    description: description ?? 'the key of this machine',
    scope: scopes.length === SCOPES.length ? ['global'] : scopes,
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
