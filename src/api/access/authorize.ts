/** Who may make a request: API keys, their scopes, and the apps that they are for. */
import type { FastifyRequest } from 'fastify';
import type { ApiKeys, KeyGrant } from '../../apps/access/api-keys.ts';
import { AUDIT_APP } from '../../apps/access/audit-log.ts';
import { includesScope, isGlobal, type NeededScope, scopesGiving } from '../../apps/access/key-scopes.ts';
import type { Addons } from '../../apps/host/addons/addons.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { readAuthorization } from '../../common/http/authorization.ts';
import type { AppId } from '../../logs/store/contract.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scope that the route's requests need; left out: `read` for GET and HEAD, else `write`. */
    keyScope?: NeededScope;
    /** Does its handler show a key that is for some apps alone only what is theirs? Left out: such a key may not use it. */
    isFilteredByApp?: boolean;
  }
  interface FastifyRequest {
    /** What the request's key may do, once {@link authorize} has accepted it. */
    keyGrant?: KeyGrant;
  }
}

/** Options of a route whose requests need a scope that isn't the one of its method. */
export function needsScope(keyScope: NeededScope): { readonly config: { readonly keyScope: NeededScope } } {
  return { config: { keyScope } };
}

/** Options of a route that shows secrets. */
export const PROTECTED_ROUTE = needsScope('read-protected');

/** Options of a route without an app that keys of some apps may use: it tells them nothing of others. */
export const FILTERED_ROUTE: {
  readonly config: { readonly keyScope: NeededScope; readonly isFilteredByApp: true };
} = { config: { keyScope: 'apps', isFilteredByApp: true } };

/** The scope that a route's requests need. */
export function scopeOfRoute(method: string, config: { readonly keyScope?: NeededScope } = {}): NeededScope {
  return config.keyScope ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

/**
 * Checks a request's key, and leaves its grant in the request.
 * @throws TailraceError `unauthorized` without a key that has the scope
 */
export async function authorize(
  request: FastifyRequest,
  apiKeys: ApiKeys,
  scope: NeededScope = scopeOfRoute(request.method, request.routeOptions.config),
): Promise<void> {
  const grant = await authorizedGrant(callerOf(request), scope, apiKeys);
  if (!grant)
    throw new TailraceError(
      'unauthorized',
      `Invalid credentials provided: an API key with the scope ${scopesGiving(scope)} is needed (print one with \`tailrace auth:token\`).`,
    );
  request.keyGrant = grant;
}

/** Who makes a request: its `Authorization` header, and the address that it comes from. */
export interface Caller {
  readonly authorization: string | undefined;
  readonly address: string;
}

export function callerOf({ headers, ip }: Pick<FastifyRequest, 'headers' | 'ip'>): Caller {
  return { authorization: headers.authorization, address: ip };
}

/** The grant of the key that somebody shows, if it has the scope. */
export async function authorizedGrant(
  { authorization, address }: Caller,
  scope: NeededScope,
  apiKeys: ApiKeys,
): Promise<KeyGrant | undefined> {
  const credentials = readAuthorization(authorization);
  if (credentials.kind !== 'key') return undefined;
  const grant = await apiKeys.grantOf(credentials.key);
  if (!grant || !includesScope(grant.scopes, scope)) return undefined;
  apiKeys.noteUse(grant, address);
  return grant;
}

/** Is this app one of those that the key is for? */
export function isForApp({ apps }: Pick<KeyGrant, 'apps'>, app: AppId): boolean {
  return apps === undefined || apps.includes(app);
}

/**
 * @throws TailraceError `not_found` for an app that the key isn't for: it must not even know that there is one. What everybody did is for
 * those who may do everything.
 */
export function requireApp(grant: KeyGrant, { id, name }: Pick<AppRecord, 'id' | 'name'>): void {
  if (!isForApp(grant, id) || (name === AUDIT_APP && !isGlobal(grant.scopes)))
    throw new TailraceError('not_found', "Couldn't find that app.");
}

/**
 * What the path of a request names has to be of an app that its key is for.
 * @throws TailraceError `not_found`; `forbidden` for what concerns all apps
 */
export async function requireOwnApp(
  request: FastifyRequest<{ Params?: unknown }>,
  { appRegistry, addons }: { readonly appRegistry: AppRegistry; readonly addons: Pick<Addons, 'snapshot'> },
): Promise<void> {
  const { keyGrant: grant } = request;
  if (!grant || (grant.apps === undefined && isGlobal(grant.scopes))) return;
  const { app, addon } = (request.params ?? {}) as { app?: string; addon?: string };
  if (app !== undefined) return requireApp(grant, await appRegistry.getApp(app));
  if (grant.apps === undefined) return;
  if (addon !== undefined) {
    const all = (await addons.snapshot()).addons;
    const found = all.find(({ id, name }) => id === addon || name === addon);
    if (!found || !isForApp(grant, found.app))
      throw new TailraceError('not_found', "Couldn't find that add-on.");
    return;
  }
  if (!request.routeOptions.config.isFilteredByApp)
    throw new TailraceError(
      'forbidden',
      'This API key is for some apps alone, and this concerns all of them: use a key without --app.',
    );
}
