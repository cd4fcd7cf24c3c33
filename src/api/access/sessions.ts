/** `/session`: signing browsers in and out; `/invitations/accept`: how people become known. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import { isGlobal } from '../../apps/access/key-scopes.ts';
import type { OpenIdConnect } from '../../apps/access/openid-connect.ts';
import type { People, Person } from '../../apps/access/people.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import {
  cookieValue,
  csrfToken,
  requireOwnOrigin,
  sessionCookie,
} from '../../logs/access/browser-requests.ts';
import { hashOfSecret } from '../../logs/access/secrets.ts';
import { SESSION_LIFETIME_MS } from '../../logs/access/sessions.ts';
import { bodySchema } from '../schemas-heroku.ts';
import { type AuditDependencies, writeAudit } from './audit-requests.ts';
import { type AuthorizeDependencies, authenticate, SESSION_COOKIE } from './authorize.ts';

/** What these routes work with. */
export interface SessionRouteDependencies extends AuthorizeDependencies, AuditDependencies {
  readonly people: People;
  /** With which people may sign in, besides. */
  readonly openIdConnect: Pick<OpenIdConnect, 'name'> | undefined;
  readonly log: Log;
}

interface SignInBody {
  readonly email?: string;
  readonly password?: string;
  /** Of an invitation. */
  readonly token?: string;
  /** Stays signed in when the browser is closed; left out: no. */
  readonly remember?: boolean;
}

/** How a browser's session begins. */
interface NewSession {
  readonly isRemembered: boolean;
  /** In the audit stream's words. */
  readonly action: string;
}

/** A body with an address and a password isn't large. */
const BODY_BYTES_MAX = 16_384;
const text = { type: 'string', maxLength: 2_000 };
const SIGN_IN_BODY = bodySchema({ email: text, password: text, token: text, remember: { type: 'boolean' } });
const SIGN_IN_OPTIONS = { bodyLimit: BODY_BYTES_MAX, schema: { body: SIGN_IN_BODY } };

export function sessionRoutes(server: FastifyInstance, dependencies: SessionRouteDependencies): void {
  sessionRoute(server, dependencies);
  signInRoute(server, dependencies);
  signOutRoute(server, dependencies);
  invitationRoute(server, dependencies);
  passwordRoute(server, dependencies);
}

function sessionRoute(server: FastifyInstance, dependencies: SessionRouteDependencies): void {
  const { users } = dependencies.people;
  // Also for those who aren't signed in: pages ask what to ask for.
  server.get('/session', async (request, reply) => {
    reply.header('Cache-Control', 'no-store');
    const grant = await authenticate(request, dependencies);
    const hasPeople = (await users.list()).length > 0;
    const provider = dependencies.openIdConnect ? { name: dependencies.openIdConnect.name } : null;
    if (!grant) return { signedIn: false, hasPeople, provider, user: null, admin: false, csrf: null };
    return { hasPeople, provider, ...sessionView(grant, cookieValue(request.headers, SESSION_COOKIE)) };
  });
}

function signInRoute(server: FastifyInstance, dependencies: SessionRouteDependencies): void {
  const { addresses, people, log } = dependencies;
  const { users, attempts } = people;
  // With an address and a password, or with an API key.
  server.post<{ Body: SignInBody | null }>('/session', SIGN_IN_OPTIONS, async (request, reply) => {
    requireOwnOrigin(request.headers, addresses.publicUrl);
    const { email, password, remember = false } = request.body ?? {};
    if (request.headers.authorization !== undefined) {
      const wasRight = attempts.begin(request.ip, undefined);
      const grant = await authenticate(request, dependencies);
      if (!grant) throw new TailraceError('unauthorized', "This key isn't valid.");
      wasRight();
      return startSession(dependencies, request, reply, await people.startKeySession(grant.hash), {
        isRemembered: remember,
        action: 'Sign in with a key',
      });
    }
    if (!email || !password)
      throw new TailraceError(
        'invalid_params',
        'Send `email` and `password`, or an API key as Authorization.',
      );
    const wasRight = attempts.begin(request.ip, email);
    const person = await users.withPassword(email, password);
    if (!person) {
      log.warn({ address: request.ip }, 'somebody tried to sign in, and could not');
      throw new TailraceError('unauthorized', "The address or the password isn't right.");
    }
    wasRight();
    return signIn(dependencies, request, reply, person, { isRemembered: remember, action: 'Sign in' });
  });
}

function signOutRoute(server: FastifyInstance, { addresses, people }: SessionRouteDependencies): void {
  server.delete('/session', async (request, reply) => {
    const secret = cookieValue(request.headers, SESSION_COOKIE);
    requireOwnOrigin(request.headers, addresses.publicUrl);
    if (secret !== undefined) await people.sessions.end(hashOfSecret(secret));
    reply.header('Set-Cookie', sessionCookie(SESSION_COOKIE, '', addresses.isSecure(request)));
    return {};
  });
}

function invitationRoute(server: FastifyInstance, dependencies: SessionRouteDependencies): void {
  const { users, attempts } = dependencies.people;
  server.post<{ Body: SignInBody | null }>('/invitations/accept', SIGN_IN_OPTIONS, async (request, reply) => {
    requireOwnOrigin(request.headers, dependencies.addresses.publicUrl);
    const { token, email, password, remember = false } = request.body ?? {};
    if (!token || !email || !password)
      throw new TailraceError('invalid_params', 'Send `token` (of the link), `email` and `password`.');
    const wasRight = attempts.begin(request.ip, undefined);
    const person = await users.accept(token, email, password);
    wasRight();
    return signIn(dependencies, request, reply.code(201), person, {
      isRemembered: remember,
      action: 'Accept an invitation',
    });
  });
}

function passwordRoute(server: FastifyInstance, dependencies: SessionRouteDependencies): void {
  const { users, attempts } = dependencies.people;
  server.post<{ Body: { readonly current?: string; readonly password?: string } | null }>(
    '/session/password',
    { bodyLimit: BODY_BYTES_MAX, schema: { body: bodySchema({ current: text, password: text }) } },
    async (request, reply) => {
      const grant = await authenticate(request, dependencies);
      if (!grant?.user) throw new TailraceError('forbidden', 'Sign in first: a key has no password.');
      const { current, password } = request.body ?? {};
      if (!current || !password)
        throw new TailraceError(
          'invalid_params',
          'Send `current`, the password that you have, and `password`.',
        );
      const wasRight = attempts.begin(request.ip, grant.user.email);
      const person = await users.changePassword(grant.user.id, current, password);
      wasRight();
      return signIn(dependencies, request, reply, person, {
        isRemembered: true,
        action: 'Change the password',
      });
    },
  );
}

async function signIn(
  dependencies: SessionRouteDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  person: Person,
  how: NewSession,
): Promise<object> {
  return startSession(dependencies, request, reply, await dependencies.people.sessions.start(person), how);
}

async function startSession(
  { addresses, apiKeys, auditLog }: SessionRouteDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  secret: string,
  { isRemembered, action }: NewSession,
): Promise<object> {
  const maxAgeMs = isRemembered ? SESSION_LIFETIME_MS : undefined;
  reply.header('Set-Cookie', sessionCookie(SESSION_COOKIE, secret, addresses.isSecure(request), maxAgeMs));
  reply.header('Cache-Control', 'no-store');
  const grant = await apiKeys.grantOfSession(secret);
  if (!grant) throw new TailraceError('unauthorized', 'That ended just now: sign in again.');
  writeAudit(auditLog, request, grant, { action, app: undefined, fields: {} });
  return sessionView(grant, secret);
}

/** @param secret of the session's cookie; undefined: a key was shown */
function sessionView(grant: KeyGrant, secret: string | undefined): object {
  return {
    signedIn: true,
    user: grant.user ?? null,
    admin: grant.apps === undefined && isGlobal(grant.scopes),
    csrf: secret === undefined ? null : csrfToken(secret),
  };
}
