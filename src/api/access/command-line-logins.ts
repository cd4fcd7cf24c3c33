/** `/auth`: a command line logs in, and a browser says who that is. In the form that the official CLI asks for (`HEROKU_LOGIN_HOST`). */
import type { FastifyInstance } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import type { CommandLineLogins } from '../../apps/access/command-line-logins.ts';
import { TailraceError } from '../../common/errors.ts';
import { readAuthorization } from '../../common/http/authorization.ts';
import { onResponseClosed } from '../../common/http/response-closed.ts';
import { bodySchema } from '../schemas-heroku.ts';
import { type AuditDependencies, writeAudit } from './audit-requests.ts';
import { type AuthorizeDependencies, authenticate } from './authorize.ts';
import { newKeyRecord, requireGrant, scopesToGive } from './new-key.ts';

export interface CommandLineLoginDependencies extends AuthorizeDependencies, AuditDependencies {
  readonly logins: CommandLineLogins;
}

const BODY_BYTES_MAX = 4_096;
const DESCRIPTION_MAX = 200;

export function commandLineLoginRoutes(
  server: FastifyInstance,
  dependencies: CommandLineLoginDependencies,
): void {
  const { auditLog, logins, people } = dependencies;

  server.post<{ Body: { readonly description?: string } | null }>(
    '/auth',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: { body: bodySchema({ description: { type: 'string', maxLength: DESCRIPTION_MAX } }) },
    },
    async (request, reply) => {
      // Nobody is known yet: an address may begin only so many.
      people.attempts.begin(request.ip, undefined);
      const begun = await logins.begin(request.body?.description ?? 'a command line', request.ip);
      reply.code(201).header('Cache-Control', 'no-store');
      return {
        browser_url: `/#login=${begun.secret}`,
        cli_url: `/auth/cli/${begun.id}`,
        token: begun.token,
        code: begun.code,
      };
    },
  );

  server.get<{ Params: { id: string } }>('/auth/cli/:id', async (request, reply) => {
    const credentials = readAuthorization(request.headers.authorization ?? '');
    if (credentials.kind !== 'key')
      throw new TailraceError('unauthorized', 'Send the token of this login: Authorization: Bearer TOKEN.');
    const aborted = new AbortController();
    onResponseClosed(reply.raw, () => aborted.abort());
    reply.header('Cache-Control', 'no-store');
    const outcome = await logins.wait(request.params.id, credentials.key, aborted.signal);
    if (outcome === 'refused')
      return { error: 'The login was refused in the browser, or was fetched already.' };
    if (outcome === 'too late') return { error: 'Nobody confirmed the login in time: begin another one.' };
    return { access_token: outcome.key };
  });

  server.get<{ Params: { secret: string } }>('/auth/browser/:secret', async (request, reply) => {
    requireSignedIn(await authenticate(request, dependencies));
    reply.header('Cache-Control', 'no-store');
    return logins.question(request.params.secret);
  });

  server.post<{ Params: { secret: string }; Body: { readonly allow: boolean } }>(
    '/auth/browser/:secret',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        body: { ...bodySchema({ allow: { type: 'boolean' } }), type: 'object', required: ['allow'] },
      },
    },
    async (request) => {
      const { secret } = request.params;
      const grant = requireSignedIn(await authenticate(request, dependencies));
      const { description, address } = await logins.question(secret);
      if (request.body.allow) {
        request.keyGrant = grant;
        const maker = requireGrant(request, 'write', 'make others');
        const record = newKeyRecord(maker, { description, scopes: scopesToGive(maker), address });
        await logins.answer(secret, record);
      } else await logins.answer(secret, null);
      const action = request.body.allow ? 'Log a command line in' : 'Refuse a login of a command line';
      writeAudit(auditLog, request, grant, { action, app: undefined, fields: { login: description } });
      return {};
    },
  );
}

/** @throws TailraceError `unauthorized` */
function requireSignedIn(grant: KeyGrant | undefined): KeyGrant {
  if (!grant) throw new TailraceError('unauthorized', 'Sign in first: then you can allow the login.');
  return grant;
}
