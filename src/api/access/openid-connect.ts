/** `/session/oidc`: browsers that sign in with an identity provider. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PersonRole } from '../../apps/access/grants.ts';
import type { OpenIdChecks, OpenIdConnect } from '../../apps/access/openid-connect.ts';
import { TailraceError } from '../../common/errors.ts';
import { escapeHtml } from '../../common/text/escape-html.ts';
import { cookieValue, sessionCookie } from '../../logs/access/browser-requests.ts';
import type { Rights } from '../../logs/access/people-records.ts';
import { writeAudit } from './audit-requests.ts';
import { SESSION_COOKIE } from './authorize.ts';
import type { SessionRouteDependencies } from './sessions.ts';

export interface OpenIdRouteDependencies extends SessionRouteDependencies {
  /** undefined: none is set. */
  readonly openIdConnect: OpenIdConnect | undefined;
  /** Those who come with an address of one of these domains need no invitation. */
  readonly openIdDomains: readonly string[];
  /** What they may do. */
  readonly openIdRole: PersonRole;
}

const PATH = '/session/oidc';
/** For the way to the provider and back. */
const CHECKS_COOKIE = 'tailrace_oidc';
const CHECKS_S = 600;
/** Then the provider is asked again whether somebody still belongs to the team. */
const SESSION_MS = { remembered: 7 * 86_400_000, other: 86_400_000 };

interface PendingSignIn extends OpenIdChecks {
  readonly isRemembered: boolean;
  /** Where to go then: what follows `/`, such as `#login=…`. */
  readonly to: string;
}

export function openIdRoutes(server: FastifyInstance, dependencies: OpenIdRouteDependencies): void {
  const { addresses, auditLog, openIdDomains, openIdRole, people, log } = dependencies;

  server.get<{ Querystring: { remember?: string; to?: string } }>(PATH, (request, reply) =>
    orSentence(reply, async () => {
      const { url, checks } = await provider().begin(callbackUrl(request));
      const { remember, to = '' } = request.query;
      const pending: PendingSignIn = { ...checks, isRemembered: remember === '1', to };
      const value = Buffer.from(JSON.stringify(pending)).toString('base64url');
      reply.header('Set-Cookie', checksCookie(request, value, CHECKS_S));
      return reply.redirect(url, 302);
    }),
  );

  server.get(`${PATH}/callback`, (request, reply) =>
    orSentence(reply, async () => {
      const pending = readPending(cookieValue(request.headers, CHECKS_COOKIE));
      reply.header('Set-Cookie', checksCookie(request, '', 0));
      if (!pending)
        throw new TailraceError(
          'unauthorized',
          'That took too long, or began in another browser: sign in again.',
        );
      const query = request.url.slice(request.url.indexOf('?'));
      const { email, identity } = await provider().finish(new URL(callbackUrl(request) + query), pending);
      const person = await people.users.withIdentity(identity, email, rightsOf(email));
      const fixedMs = pending.isRemembered ? SESSION_MS.remembered : SESSION_MS.other;
      const secret = await people.sessions.start(person, fixedMs);
      const grant = await dependencies.apiKeys.grantOfSession(secret);
      const action = 'Sign in with the identity provider';
      writeAudit(auditLog, request, grant, { action, app: undefined, fields: {} });
      const maxAgeMs = pending.isRemembered ? fixedMs : undefined;
      reply.header(
        'Set-Cookie',
        sessionCookie(SESSION_COOKIE, secret, addresses.isSecure(request), maxAgeMs),
      );
      // A page of ours, so that it comes with the cookie: this request was another site's.
      return reply.redirect(`/${pending.to}`, 303);
    }),
  );

  function provider(): OpenIdConnect {
    if (dependencies.openIdConnect) return dependencies.openIdConnect;
    throw new TailraceError(
      'not_found',
      'No identity provider is set here (TAILRACE_OIDC_ISSUER): sign in with your password or a key.',
    );
  }

  /** What somebody may do whom nobody has invited; undefined: nothing. */
  function rightsOf(email: string): Rights<PersonRole> | undefined {
    const domain = email.slice(email.lastIndexOf('@') + 1).toLowerCase();
    return openIdDomains.includes(domain) ? { role: openIdRole, groups: {} } : undefined;
  }

  function callbackUrl(request: FastifyRequest): string {
    return `${addresses.forClient(request)}${PATH}/callback`;
  }

  /** Lax: it has to come back from another site. */
  function checksCookie(request: FastifyRequest, value: string, maxAgeS: number): string {
    return `${CHECKS_COOKIE}=${value}; Path=${PATH}; HttpOnly; SameSite=Lax; Max-Age=${maxAgeS}${addresses.isSecure(request) ? '; Secure' : ''}`;
  }

  /** A browser is here, not a program: what went wrong is shown to whoever sits in front of it. */
  async function orSentence(reply: FastifyReply, run: () => Promise<FastifyReply>): Promise<FastifyReply> {
    reply.headers({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      log.warn({ err: error }, 'somebody could not sign in with the identity provider');
      return reply
        .code(error.status)
        .header(
          'Content-Security-Policy',
          "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )
        .type('text/html; charset=utf-8')
        .send(sentencePage(error.message));
    }
  }
}

/** @returns undefined for what isn't there, or isn't ours */
function readPending(cookie: string | undefined): PendingSignIn | undefined {
  if (cookie === undefined) return undefined;
  let json: Partial<Record<keyof PendingSignIn, unknown>>;
  try {
    json = JSON.parse(Buffer.from(cookie, 'base64url').toString('utf8')) ?? {};
  } catch {
    return undefined;
  }
  const { state, nonce, verifier, isRemembered, to } = json;
  if (typeof state !== 'string' || typeof nonce !== 'string' || typeof verifier !== 'string')
    return undefined;
  return { state, nonce, verifier, isRemembered: isRemembered === true, to: ownTarget(to) };
}

/** What may follow `/`: nothing that leads to another host. */
function ownTarget(to: unknown): string {
  return typeof to === 'string' && /^[?#][\w%&=.~:,*+-]*$/.test(to) ? to : '';
}

function sentencePage(sentence: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not signed in</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1.5rem}:root{color-scheme:light dark}</style>
<h1>Not signed in</h1><p>${escapeHtml(sentence)}</p><p><a href="/">Back</a></p></html>
`;
}
