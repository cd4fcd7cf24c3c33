/** Who may make a request: API keys and their scopes. */
import type { FastifyRequest } from 'fastify';
import { type ApiKeys, includesScope, type KeyGrant, type KeyScope } from '../apps/records/api-keys.ts';
import { TailraceError } from '../common/errors.ts';
import { readAuthorization } from '../common/http/authorization.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scope that the route's requests need; left out: `read` for GET and HEAD, else `write`. */
    keyScope?: KeyScope;
  }
  interface FastifyRequest {
    /** What the request's key may do, once {@link authorize} has accepted it. */
    keyGrant?: KeyGrant;
  }
}

/** Options of a route that shows secrets. */
export const PROTECTED_ROUTE: { readonly config: { readonly keyScope: KeyScope } } = {
  config: { keyScope: 'read-protected' },
};

/**
 * Checks a request's key, and leaves its grant in the request.
 * @throws TailraceError `unauthorized` without a key that has the scope
 */
export async function authorize(
  request: FastifyRequest,
  apiKeys: ApiKeys,
  scope: KeyScope = request.routeOptions.config.keyScope ?? scopeOfMethod(request.method),
): Promise<void> {
  const grant = await authorizedGrant(request.headers.authorization, scope, apiKeys);
  if (!grant)
    throw new TailraceError(
      'unauthorized',
      `Invalid credentials provided: an API key with the scope ${scope} is needed (print one with \`tailrace auth:token\`).`,
    );
  request.keyGrant = grant;
}

/** The grant of the key in an `Authorization` header, if it has the scope. */
export async function authorizedGrant(
  header: string | undefined,
  scope: KeyScope,
  apiKeys: ApiKeys,
): Promise<KeyGrant | undefined> {
  const credentials = readAuthorization(header);
  if (credentials.kind !== 'key') return undefined;
  const grant = await apiKeys.grantOf(credentials.key);
  return grant && includesScope(grant.scopes, scope) ? grant : undefined;
}

function scopeOfMethod(method: string): KeyScope {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write';
}
