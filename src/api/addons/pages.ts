/** The pages of add-ons: opened with a link that works once, and then served below `/addons/ID/page/`, wherever they are listening. */
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import replyFrom from '@fastify/reply-from';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKeys, KeyGrant } from '../../apps/access/api-keys.ts';
import { permits } from '../../apps/access/grants.ts';
import type { Addons } from '../../apps/host/addons/addons.ts';
import type { AddonRecord } from '../../apps/host/addons/model/addon-record.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { discardBody } from '../../common/http/discard-body.ts';
import { PAGE_SECURITY_HEADERS } from '../../common/http/static-files.ts';
import { cookieValue } from '../../logs/access/browser-requests.ts';
import { type AuditDependencies, writeAudit } from '../access/audit-requests.ts';
import { type AuthorizeDependencies, authorizedGrant } from '../access/authorize.ts';
import type { AddonRouteDependencies } from './addon-scene.ts';
import { PageSessions } from './page-sessions.ts';
import { sendSignOnPage } from './sign-on-page.ts';

export interface AddonPageRouteDependencies
  extends AddonRouteDependencies,
    AuditDependencies,
    AuthorizeDependencies {}

interface PageParams {
  Params: { addon: string };
}

const COOKIE = 'tailrace_page';
/** How long a service may think about an answer. Its end may take any time: events are sent as they come. */
const ANSWER_TIMEOUT_MS = 60_000;
/** Those that change something come from the page itself. */
const SAFE_METHODS = ['GET', 'HEAD'];
/** Of one connection alone (RFC 9110 section 7.6.1), and what this server says itself. */
const REQUEST_HEADERS_LEFT_OUT = [
  'cookie',
  'authorization',
  'connection',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** A service's cookies would be those of every page of this server; so would what it says about its whole origin. */
const RESPONSE_HEADERS_LEFT_OUT = [
  'set-cookie',
  'clear-site-data',
  'service-worker-allowed',
  'strict-transport-security',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
];

/**
 * `/addons/sign-on/:secret`, `/addons/:addon/page/*`. A page is for browsers that were signed on, and for programs with an API key: with the
 * scope `read-protected` to look, `write` to change.
 */
export async function addonPageRoutes(
  server: FastifyInstance,
  dependencies: AddonPageRouteDependencies,
): Promise<void> {
  const sessions = new PageSessions();
  signOnRoute(server, dependencies, sessions);
  await server.register(async (scope) => pageRoutes(scope, dependencies, sessions));
}

function signOnRoute(
  server: FastifyInstance,
  { apiKeys, appRegistry, addons, addonLinks, addresses }: AddonPageRouteDependencies,
  sessions: PageSessions,
): void {
  // Whoever has the link may open the page; it needs no key.
  server.get<{ Params: { secret: string } }>('/addons/sign-on/:secret', async (request, reply) => {
    const ticket = addonLinks.redeem(request.params.secret);
    const addon = await findAddon(addons, ticket?.addon);
    if (!ticket || !addon || !(await grantOfBrowser(apiKeys, ticket.by, addon, 'read-protected')))
      throw new TailraceError(
        'not_found',
        'This link was used already, or is too old: get another one with addons:open.',
      );
    reply.headers({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    if (addons.page(addon)) {
      const path = `/addons/${addon.id}/page`;
      // Lax: the browser may come from anywhere; what changes something asks for more.
      const isSecure = addresses.isSecure(request);
      const cookie = `${COOKIE}=${sessions.start(ticket)}; Path=${path}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
      return reply.header('Set-Cookie', cookie).redirect(`${path}/`, 303);
    }
    const app = await appRegistry.findApp(addon.app);
    const context = { appName: app?.name ?? '', email: OWNER.email };
    const form = await addons.signOnForm(addon, context);
    if (form) return sendSignOnPage(reply, form);
    const target = await addons.pageUrl(addon, context);
    if (target === undefined)
      throw new TailraceError('not_found', `${addon.name} has no page on this server.`);
    return reply.redirect(target, 303);
  });
}

async function pageRoutes(
  pages: FastifyInstance,
  dependencies: AddonPageRouteDependencies,
  sessions: PageSessions,
): Promise<void> {
  const { appRegistry, addons, auditLog } = dependencies;
  await pages.register(replyFrom, {
    disableCache: true,
    disableRequestLogging: true,
    undici: { headersTimeout: ANSWER_TIMEOUT_MS, bodyTimeout: 0 },
  });
  // Bodies go on as they come: the service limits them.
  pages.removeAllContentTypeParsers();
  pages.addContentTypeParser('*', (request, _payload, done) => done(null, detachedBody(request.raw)));
  pages.addHook('onError', async ({ body }) => discardDetached(body));
  // Nothing that is answered here may be made something else of: the live page, with its key, is of the same origin.
  pages.addHook('onRequest', async (_request, reply) => {
    reply.headers({ ...PAGE_SECURITY_HEADERS, 'Cache-Control': 'no-store' });
  });
  pages.get<PageParams>('/addons/:addon/page', async (request, reply) =>
    reply.redirect(`/addons/${encodeURIComponent(request.params.addon)}/page/`, 308),
  );
  pages.all<PageParams>('/addons/:addon/page/*', async (request, reply) => {
    const { addon: id } = request.params;
    const addon = await findAddon(addons, id);
    const grant = await grantToOpen(dependencies, sessions, request, addon);
    if (!grant)
      return refuse(
        request,
        reply,
        new TailraceError(
          'unauthorized',
          'Open this page with `tailrace addons:open`: its link signs a browser on.',
        ),
      );
    const page = addon && addons.page(addon);
    if (!page) return refuse(request, reply, new TailraceError('not_found', 'There is no such page here.'));
    if (!SAFE_METHODS.includes(request.method))
      writeAudit(auditLog, request, grant, {
        action: 'Change something on the page of an add-on',
        app: (await appRegistry.findApp(addon.app))?.name,
        fields: { addon: addon.name, method: request.method },
      });
    return proxyToPage(request, reply, { name: addon.name, ...page });
  });
}

/** Proxies a request to the service whose page it is. */
function proxyToPage(
  request: FastifyRequest,
  reply: FastifyReply,
  page: { readonly name: string; readonly port: number; readonly key: string },
): FastifyReply {
  return reply.from(`http://127.0.0.1:${page.port}${pathInPage(request.url)}`, {
    // The client sees that a service is busy, and decides itself.
    retryDelay: () => null,
    rewriteRequestHeaders: (_request, headers) => ({
      ...without(headers, REQUEST_HEADERS_LEFT_OUT),
      authorization: `Bearer ${page.key}`,
    }),
    rewriteHeaders: (headers) => without(headers, RESPONSE_HEADERS_LEFT_OUT),
    onResponse: (_request, answer, response) => {
      // Of a request that was refused before it was read, the browser gets the answer once it has sent everything.
      void endOf(request.raw).then(() => {
        answer.removeHeader('connection');
        answer.send((response as unknown as { stream: Readable }).stream);
      });
    },
    onError: () => {
      const sentence = `${page.name} doesn't answer: see its lines in the stream.`;
      refuse(request, reply, new TailraceError('unavailable', sentence));
    },
  });
}

async function findAddon(addons: Addons, id: string | undefined): Promise<AddonRecord | undefined> {
  const found = id === undefined ? undefined : await addons.find(id);
  return found?.id === id ? found : undefined;
}

/** Who opens a page, or changes something there: undefined for who may not. */
async function grantToOpen(
  dependencies: AddonPageRouteDependencies,
  sessions: PageSessions,
  request: FastifyRequest<PageParams>,
  addon: AddonRecord | undefined,
): Promise<KeyGrant | undefined> {
  const { apiKeys, appRegistry, addresses } = dependencies;
  const isSafe = SAFE_METHODS.includes(request.method);
  const scope = isSafe ? 'read-protected' : 'write';
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const app = addon && (await appRegistry.findApp(addon.app));
    return authorizedGrant(request, scope, app, dependencies);
  }
  if (!isSafe && !isFromOwnPage(request, addresses.publicUrl)) return undefined;
  const secret = cookieValue(request.headers, COOKIE);
  const hash = secret === undefined ? undefined : sessions.grantHash(secret, request.params.addon);
  if (hash === undefined) return undefined;
  // Who was signed on learns that it is gone.
  return addon ? grantOfBrowser(apiKeys, hash, addon, scope) : apiKeys.grantOfHash(hash);
}

/** A browser sees a page as long as whoever got the link for it may. */
async function grantOfBrowser(
  apiKeys: ApiKeys,
  hash: string,
  addon: AddonRecord,
  scope: 'read-protected' | 'write',
): Promise<KeyGrant | undefined> {
  const grant = await apiKeys.grantOfHash(hash);
  return grant && permits(grant, scope, addon.app) ? grant : undefined;
}

/**
 * A request's body for the service. When that doesn't take it, the connection to the browser stays; when the browser goes away in the
 * middle of it, the service learns that.
 */
function detachedBody(request: IncomingMessage): Readable {
  const body = new PassThrough();
  body.on('error', () => undefined);
  body.on('close', () => void discardBody(request));
  request.on('close', () => {
    if (!request.complete) body.destroy(new Error('The request ended in the middle of its body.'));
  });
  return request.pipe(body);
}

/** Reads what nobody wants. */
function discardDetached(body: unknown): void {
  if (body instanceof PassThrough) body.destroy();
}

function endOf(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    request.once('end', resolve);
    request.once('close', resolve);
  });
}

/** Somebody who has opened an address of the page reads a sentence; programs, and the page itself, get the error of the API. */
function refuse(
  { headers, body }: FastifyRequest,
  reply: FastifyReply,
  { status, code, message }: TailraceError,
): FastifyReply {
  discardDetached(body);
  reply.code(status);
  if (!headers.accept?.includes('text/html')) return reply.send({ id: code, message });
  return reply.type('text/plain; charset=utf-8').send(message);
}

/**
 * What follows `/addons/ID/page`, as it was sent, without the query.
 * @throws TailraceError `not_found` for what leads out of it
 */
function pathInPage(url: string): string {
  const path = /^(?:\/[^/?]*){3}(\/[^?]*)/.exec(url)?.[1] ?? '/';
  // Routes are matched decoded: what can't be decoded has come to none.
  if (/(^|[/\\])\.\.?([/\\]|$)/.test(decodeURIComponent(path)))
    throw new TailraceError('not_found', 'There is no such page here.');
  return path;
}

function without<Headers extends object>(headers: Headers, names: readonly string[]): Headers {
  const left = Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase()));
  return Object.fromEntries(left) as Headers;
}

/** Browsers say which page a request comes from, as Fetch Metadata and as `Origin` (RFC 6454 section 7): those of others are refused. */
function isFromOwnPage({ headers }: FastifyRequest, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin = '', host } = headers;
  // A proxy may have put its own name for this server in the place of `Host`.
  return URL.canParse(origin) && (new URL(origin).host === host || new URL(origin).origin === publicUrl);
}
