/** Who may make a request: API keys, their scopes, and the apps that they are for. */
import type { FastifyRequest } from 'fastify';
import { type ApiKeys, type KeyGrant, passwordGrant } from '../../apps/access/api-keys.ts';
import { AUDIT_APP } from '../../apps/access/audit-log.ts';
import { permits, permitsSomewhere } from '../../apps/access/grants.ts';
import { isGlobal, type NeededScope, scopesGiving } from '../../apps/access/key-scopes.ts';
import type { People } from '../../apps/access/people.ts';
import type { Addons } from '../../apps/host/addons/addons.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { readAuthorization, readPassword } from '../../common/http/authorization.ts';
import { cookieValue, requireOwnOrigin, requireOwnPage } from '../../logs/access/browser-requests.ts';

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

/** Whose name stands in an app's stream for what is done. */
export function actorOf({ keyGrant }: Pick<FastifyRequest, 'keyGrant'>): string {
  return keyGrant?.user?.email ?? OWNER.email;
}

/** Of a request, what says who makes it. */
export type Caller = Pick<FastifyRequest, 'headers' | 'ip' | 'method'>;

/** The cookie of browsers that are signed in. */
export const SESSION_COOKIE = 'tailrace_session';

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD'];

/** Who may make requests, and where browsers reach this server. */
export interface AuthorizeDependencies {
  readonly apiKeys: ApiKeys;
  readonly people: People;
  readonly addresses: Addresses;
}

/**
 * Checks who makes a request, and leaves what they may do in it. Whether they may do that in the app that it names is
 * {@link requireOwnApp}'s to say.
 * @throws TailraceError `unauthorized` without a key that has the scope
 */
export async function authorize(
  request: FastifyRequest,
  dependencies: AuthorizeDependencies,
  scope: NeededScope = scopeOfRoute(request.method, request.routeOptions.config),
): Promise<void> {
  const grant = await authenticate(request, dependencies);
  if (!grant || !permitsSomewhere(grant, scope)) throw missingScope(scope, grant);
  request.keyGrant = grant;
}

/**
 * Who makes a request: whoever has the key in its `Authorization` header (or signs in there, with address and password), else a browser's session. What changes something, in a session, has
 * to come from our own page.
 * @throws TailraceError `forbidden` for what another site's page makes
 */
export async function authenticate(
  caller: Caller,
  dependencies: AuthorizeDependencies,
): Promise<KeyGrant | undefined> {
  const { headers, ip, method } = caller;
  const { guesses } = dependencies.people;
  if (headers.authorization !== undefined) {
    const grant = await grantOfHeader(headers.authorization, ip, dependencies);
    if (!grant) await guesses.pace(ip);
    return grant;
  }
  const { publicUrl } = dependencies.addresses;
  const secret = cookieValue(headers, SESSION_COOKIE);
  if (secret === undefined) return undefined;
  const grant = await dependencies.apiKeys.grantOfSession(secret);
  if (!grant) {
    await guesses.pace(ip);
    return undefined;
  }
  if (SAFE_METHODS.includes(method)) requireOwnOrigin(headers, publicUrl);
  else requireOwnPage(headers, secret, publicUrl);
  return grant;
}

/** @throws TailraceError `rate_limited` after many wrong passwords */
async function grantOfHeader(
  authorization: string,
  ip: string,
  { apiKeys, people }: AuthorizeDependencies,
): Promise<KeyGrant | undefined> {
  const signIn = readPassword(authorization);
  if (signIn) {
    const wasRight = await beginAttempt(people, ip, signIn.email);
    const person = await people.users.withPassword(signIn.email, signIn.password);
    if (person) wasRight();
    return person && passwordGrant(person);
  }
  const credentials = readAuthorization(authorization);
  if (credentials.kind !== 'key') return undefined;
  const grant = await apiKeys.grantOf(credentials.key);
  if (grant) apiKeys.noteUse(grant, ip);
  return grant;
}

/** Whoever goes on after too many attempts waits for that answer, too. */
async function beginAttempt({ attempts, guesses }: People, ip: string, email: string): Promise<() => void> {
  try {
    return attempts.begin(ip, email);
  } catch (error) {
    await guesses.pace(ip);
    throw error;
  }
}

/** What whoever makes a request may do, if they may do that in this app; undefined: an app that isn't there. */
export async function authorizedGrant(
  caller: Caller,
  scope: NeededScope,
  app: Pick<AppRecord, 'id' | 'name'> | undefined,
  dependencies: AuthorizeDependencies,
): Promise<KeyGrant | undefined> {
  const grant = await authenticate(caller, dependencies);
  const isAllowed = (held: KeyGrant): boolean =>
    app === undefined ? permits(held, scope) : isVisible(held, app) && permits(held, scope, app.id);
  return grant && isAllowed(grant) ? grant : undefined;
}

/** May this be read, of an app that may be seen? Everything that everybody did is for those who may do everything. */
export function isVisible(grant: KeyGrant, { id, name }: Pick<AppRecord, 'id' | 'name'>): boolean {
  return (
    permits(grant, name === AUDIT_APP ? 'admin' : 'apps', id) &&
    (name !== AUDIT_APP || grant.apps === undefined)
  );
}

/**
 * What the path of a request names has to be of an app where its key may do that.
 * @throws TailraceError `not_found` for what it must not even know of; `unauthorized` for what it may not do there; `forbidden` for what
 *   concerns all apps
 */
export async function requireOwnApp(
  request: FastifyRequest<{ Params?: unknown }>,
  { appRegistry, addons }: { readonly appRegistry: AppRegistry; readonly addons: Pick<Addons, 'find'> },
  scope: NeededScope = scopeOfRoute(request.method, request.routeOptions.config),
): Promise<void> {
  const { keyGrant: grant } = request;
  if (!grant || (grant.apps === undefined && isGlobal(grant.scopes))) return;
  const { app, addon } = (request.params ?? {}) as { app?: string; addon?: string };
  if (app !== undefined) {
    await getNamedApp(request, appRegistry, app, scope);
    return;
  }
  if (addon !== undefined) {
    const found = await addons.find(addon);
    if (found && permits(grant, scope, found.app)) return;
    if (grant.apps !== undefined) throw new TailraceError('not_found', "Couldn't find that add-on.");
  }
  if (request.routeOptions.config.isFilteredByApp) return;
  requireEverywhere(grant, scope);
}

/** @throws TailraceError `forbidden`, `unauthorized` for who may not do that in all apps, and in what is of none */
export function requireEverywhere(grant: KeyGrant, scope: NeededScope): void {
  if (grant.apps !== undefined)
    throw new TailraceError(
      'forbidden',
      `${grant.user ? 'You have rights in some apps alone' : 'This API key is for some apps alone'}, and this concerns all of them: ${grant.user ? 'ask an admin' : 'use a key without --app'}.`,
    );
  if (!permits(grant, scope)) throw missingScope(scope, grant);
}

/**
 * The app that a request names, in its path, its query or its body, where its key may do that.
 * @throws TailraceError `not_found` for what it must not even know of; `unauthorized` for what it may not do there
 */
export async function getNamedApp(
  request: FastifyRequest<{ Params?: unknown }>,
  appRegistry: AppRegistry,
  which: string,
  scope: NeededScope = scopeOfRoute(request.method, request.routeOptions.config),
): Promise<AppRecord> {
  const { keyGrant: grant } = request;
  const found = await appRegistry.getApp(which);
  if (!grant) return found;
  if (!isVisible(grant, found)) throw new TailraceError('not_found', "Couldn't find that app.");
  if (!permits(grant, scope, found.id)) throw missingScope(scope, grant);
  return found;
}

/** May these lines be read, by whoever has this grant now? */
export function mayReadLines(grant: KeyGrant, app: Pick<AppRecord, 'id' | 'name'>): boolean {
  return isVisible(grant, app) && permits(grant, 'logs:read', app.id);
}

function missingScope(scope: NeededScope, grant: KeyGrant | undefined): TailraceError {
  if (grant?.user)
    return new TailraceError(
      'forbidden',
      `Your role doesn't give that (${scopesGiving(scope)}): ask an admin, who can change it with \`tailrace access:update\`.`,
    );
  return new TailraceError(
    'unauthorized',
    `Invalid credentials provided: an API key with the scope ${scopesGiving(scope)} is needed (print one with \`tailrace auth:token\`).`,
  );
}
