/** The viewer's HTTP server: what every answer has, who may ask for what, and the page. */
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import {
  loadStaticFiles,
  PAGE_SECURITY_HEADERS,
  sendStaticFile,
} from '../../../src/common/http/static-files.ts';
import { PACKAGE_ROOT } from '../../../src/common/package-info.ts';
import type { ListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import type { ViewerFeature } from '../parts.ts';
import { type BackupRouteParts, registerBackupRoute } from './backups.ts';
import { type GroupRouteParts, registerGroupRoutes } from './groups.ts';
import { registerDeletionRoute } from './lines/deletions.ts';
import { registerDownloadRoute } from './lines/download.ts';
import { registerSearchRoutes } from './lines/search.ts';
import { registerSummaryRoutes } from './lines/summaries.ts';
import { Parameters } from './parameters.ts';
import { registerSessionRoutes } from './people/session.ts';
import { registerUserRoutes } from './people/users.ts';
import { registerRuleRoutes } from './rules.ts';
import { registerHealthRoute, registerStatusRoutes } from './status.ts';
import { registerTailRoutes } from './tail/tail-routes.ts';

/** An address, a password, a token. */
const SIGN_IN_BYTES_MAX = 16_384;

/** Registers the page and the API. */
export async function registerViewerRoutes(
  server: FastifyInstance,
  parts: GroupRouteParts & BackupRouteParts,
  counters: readonly ListenerCounters[],
  features: readonly ViewerFeature[],
): Promise<void> {
  const { access } = parts;
  registerHealthRoute(server, parts);
  registerPage(server);
  await server.register(async (open) => {
    addApiHeaders(open);
    // Nobody is known yet: their requests are read for what they can need alone.
    open.addHook('onRoute', (route) => {
      route.bodyLimit = SIGN_IN_BYTES_MAX;
    });
    registerSessionRoutes(open, parts);
  });
  await server.register(async (api) => {
    addApiHeaders(api);
    api.addHook('onRequest', async (request, reply) => {
      request.viewerGrant = await access.authenticate(request).catch((error: unknown) => {
        if (error instanceof TailraceError && error.code === 'unauthorized')
          reply.header('WWW-Authenticate', 'Bearer');
        throw error;
      });
    });
    // What changes something is said in its body, where nothing else may stand either.
    api.addHook('preHandler', async ({ method, query, routeOptions }) => {
      if (method !== 'GET' && method !== 'HEAD' && routeOptions.url?.endsWith('/uploads/:upload') !== true)
        new Parameters(query, []);
    });
    registerSearchRoutes(api, parts);
    registerSummaryRoutes(api, parts);
    registerDownloadRoute(api, parts);
    registerDeletionRoute(api, parts);
    registerTailRoutes(api, parts);
    registerGroupRoutes(api, parts);
    registerRuleRoutes(api, parts, parts.requirePort);
    registerUserRoutes(api, parts);
    registerStatusRoutes(api, parts, counters, features);
    await registerBackupRoute(api, parts);
    for (const feature of features) feature.registerRoutes?.(api);
  });
}

/** Headers of every answer, also of errors. */
export function addSecurityHeaders(server: FastifyInstance): void {
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers(PAGE_SECURITY_HEADERS);
  });
}

function addApiHeaders(server: FastifyInstance): void {
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('Cache-Control', 'no-store');
  });
  server.decorateRequest('viewerGrant', undefined);
}

function registerPage(server: FastifyInstance): void {
  const files = loadStaticFiles(join(PACKAGE_ROOT, 'dist', 'viewer-page'));
  for (const [path, file] of files)
    server.get(path, { exposeHeadRoute: true }, async (request, reply) =>
      sendStaticFile(file, request, reply),
    );
  if (!files.has('/'))
    server.get('/', async () => {
      throw new TailraceError('not_found', 'The page was not built: run `npm run build`.');
    });
}
