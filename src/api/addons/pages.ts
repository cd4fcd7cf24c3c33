/** The pages of add-ons: opened with a link that works once, and then served below `/addons/ID/page/`, wherever they are listening. */
import replyFrom from '@fastify/reply-from';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AddonRecord } from '../../apps/host/addons/model/addon-record.ts';
import type { ApiKeys } from '../../apps/records/api-keys.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { authorizedGrant } from '../authorize.ts';
import type { AddonRouteDependencies } from './addons.ts';
import { PageSessions } from './page-sessions.ts';

export interface AddonPageRouteDependencies extends AddonRouteDependencies {
  readonly apiKeys: ApiKeys;
}

const COOKIE = 'tailrace_page';
/** Mails and source maps are larger than what the API takes. */
const BODY_MAX = 32 * 1_048_576;
/** Those that change something come from the page itself. */
const SAFE_METHODS = ['GET', 'HEAD'];

/**
 * `/addons/sign-on/:secret`, `/addons/:addon/page/*`. A page is for browsers that were signed on, and for programs with an API key: with the
 * scope `read-protected` to look, `write` to change.
 */
export async function addonPageRoutes(
  server: FastifyInstance,
  dependencies: AddonPageRouteDependencies,
): Promise<void> {
  const { appRegistry, addons, addonLinks, apiKeys, url } = dependencies;
  const sessions = new PageSessions();
  const findAddon = async (id: string | undefined): Promise<AddonRecord | undefined> =>
    id === undefined ? undefined : (await addons.snapshot()).addons.find((addon) => addon.id === id);

  // Whoever has the link may open the page; it needs no key.
  server.get<{ Params: { secret: string } }>('/addons/sign-on/:secret', async (request, reply) => {
    const addon = await findAddon(addonLinks.redeem(request.params.secret));
    if (!addon)
      throw new TailraceError(
        'not_found',
        'This link was used already, or is too old: get another one with addons:open.',
      );
    reply.headers({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    if (addons.page(addon)) {
      const path = `/addons/${addon.id}/page`;
      // Lax: the browser may come from anywhere; what changes something asks for more.
      const cookie = `${COOKIE}=${sessions.start(addon.id)}; Path=${path}; HttpOnly; SameSite=Lax${url().startsWith('https:') ? '; Secure' : ''}`;
      return reply.header('Set-Cookie', cookie).redirect(`${path}/`, 303);
    }
    const app = await appRegistry.findApp(addon.app);
    const target = await addons.pageUrl(addon, { appName: app?.name ?? '', email: OWNER.email });
    if (target === undefined) throw new TailraceError('not_found', `${addon.name} has no page.`);
    return reply.redirect(target, 303);
  });

  await server.register(async (pages) => {
    await pages.register(replyFrom, { disableCache: true });
    // Bodies go on as they come.
    pages.removeAllContentTypeParsers();
    pages.addContentTypeParser('*', { bodyLimit: BODY_MAX }, (_request, payload, done) =>
      done(null, payload),
    );
    pages.all<{ Params: { addon: string; '*': string } }>(
      '/addons/:addon/page/*',
      { bodyLimit: BODY_MAX },
      async (request, reply) => {
        const addon = await findAddon(request.params.addon);
        const page = addon && addons.page(addon);
        if (!(await mayOpen(request, addon?.id)))
          throw new TailraceError(
            'unauthorized',
            'Open this page with tailrace addons:open: its link signs a browser on.',
          );
        if (!addon || !page) throw new TailraceError('not_found', 'There is no such page.');
        const query = request.url.indexOf('?');
        const path = request.url.slice(
          request.url.indexOf('/page/') + '/page'.length,
          query === -1 ? undefined : query,
        );
        return reply.from(`http://127.0.0.1:${page.port}${path}`, {
          rewriteRequestHeaders: (_request, { cookie: _cookie, ...headers }) => ({
            ...headers,
            authorization: `Bearer ${page.key}`,
          }),
          onError: (answer) => {
            answer.code(503).send({
              id: 'unavailable',
              message: `${addon.name} doesn't answer: see its lines in the stream.`,
            });
          },
        });
      },
    );
  });

  async function mayOpen(request: FastifyRequest, addon: string | undefined): Promise<boolean> {
    const isSafe = SAFE_METHODS.includes(request.method);
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) {
      const scope = isSafe ? 'read-protected' : 'write';
      return (await authorizedGrant(authorization, scope, apiKeys)) !== undefined;
    }
    if (!isSafe && !isFromOwnPage(request)) return false;
    const secret = cookieValue(cookie, COOKIE);
    return addon !== undefined && secret !== undefined && sessions.isValid(secret, addon);
  }
}

/** Browsers say which page a request comes from, as Fetch Metadata and as `Origin` (RFC 6454 section 7): those of others are refused. */
function isFromOwnPage({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin = '', host } = headers;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** RFC 6265 section 4.2.1. */
function cookieValue(header: string | undefined, name: string): string | undefined {
  const pair = header
    ?.split(';')
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
