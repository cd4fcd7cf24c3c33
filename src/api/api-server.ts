/** The HTTP API: Heroku Platform API v3 shapes, and what only tailrace has, beside `/logs` and the tails. */

import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { TailraceError } from '../common/errors.ts';
import { discardBody } from '../common/http/discard-body.ts';
import { assertJsonWithinLimits, type JsonLimits } from '../common/limits/json-scanner.ts';
import type { Log } from '../common/log.ts';
import { addonRoutes } from './addons/addons.ts';
import { attachmentRoutes } from './addons/attachments.ts';
import { BackupLinks } from './addons/backup-links.ts';
import { dataServiceRoutes } from './addons/data-services.ts';
import {
  backupFileRoutes,
  databaseTransferRoutes,
  type TransferRouteDependencies,
} from './addons/database-transfers.ts';
import { addonPageRoutes } from './addons/pages.ts';
import { authorizeKeyOrPartner } from './addons/partner-access.ts';
import { partnerRoutes, partnerTokenRoutes } from './addons/partners.ts';
import { SingleUseTickets } from './addons/single-use-tickets.ts';
import { accountRoutes } from './apps/account.ts';
import { type AppSetupRouteDependencies, appSetupRoutes } from './apps/app-setups.ts';
import { type AppRouteDependencies, appRoutes } from './apps/apps.ts';
import { type AuthorizationRouteDependencies, authorizationRoutes } from './apps/authorizations.ts';
import {
  type BuildpackRouteDependencies,
  buildpackRegistryRoutes,
  buildpackRoutes,
} from './apps/buildpack-installations.ts';
import { type BuildRouteDependencies, buildRoutes, SourceNames, sourceUploadRoutes } from './apps/builds.ts';
import { type ConfigVarRouteDependencies, configVarRoutes } from './apps/config-vars.ts';
import { type DomainRouteDependencies, domainRoutes } from './apps/domains.ts';
import { type DynoRouteDependencies, dynoRoutes } from './apps/dynos.ts';
import { type FeatureRouteDependencies, featureRoutes } from './apps/features.ts';
import { type FormationRouteDependencies, formationRoutes } from './apps/formation.ts';
import { type GitRouteDependencies, gitRoutes } from './apps/git.ts';
import { type OneOffDynoRouteDependencies, oneOffDynoRoutes } from './apps/one-off-dynos.ts';
import { type ReleaseRouteDependencies, releaseOutputRoutes, releaseRoutes } from './apps/releases.ts';
import { unsupportedRoutes } from './apps/unsupported.ts';
import { authorize, authorizedGrant } from './authorize.ts';
import { sendClientErrorResponse } from './client-error.ts';
import { addEtags } from './etag.ts';
import { lazySchemaCompilers } from './lazy-schema-compiler.ts';
import { type AddonDrainRouteDependencies, addonDrainRoutes } from './logs/addon-drains.ts';
import { type DrainActionRouteDependencies, drainActionRoutes } from './logs/drain-actions.ts';
import { type LogCountRouteDependencies, logCountRoutes } from './logs/log-counts.ts';
import { type LogDrainRouteDependencies, logDrainRoutes } from './logs/log-drains.ts';
import { LogSessionStore } from './logs/log-session-store.ts';
import { type LogSessionRouteDependencies, logSessionRoutes } from './logs/log-sessions.ts';
import { type MetricsRouteDependencies, metricsRoutes } from './logs/metrics.ts';
import { type SourceRuleRouteDependencies, sourceRuleRoutes } from './logs/source-rules.ts';
import { type StatusRouteDependencies, statusRoutes } from './logs/status.ts';
import { TailRegistry } from './logs/tail-registry.ts';
import { type TailWebSocketDependencies, tailWebSocketRoutes } from './logs/tail-websockets.ts';
import { type TelemetryDrainRouteDependencies, telemetryDrainRoutes } from './logs/telemetry-drains.ts';
import { type TokenRouteDependencies, tokenRoutes } from './logs/tokens.ts';
import { openApiRoutes } from './openapi.ts';
import { webUiRoutes } from './static-web-ui.ts';
import { isSlowUpload } from './upload-timeout.ts';

/** A valid `Request-Id` of the client is kept. */
const REQUEST_ID = /^[A-Za-z0-9-]{20,200}$/;

/** What the JSON of a request may have: more than any resource needs. */
const REQUEST_LIMITS: JsonLimits = { depth: 32, keys: 5_000, containers: 20_000 };

/** A request has to be complete after this time, and its header after that. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;

/** A link to an add-on's page: from the answer that gave it until it is opened. */
const ADDON_LINK_MS = 5 * 60_000;

/** A Fastify server that responds with the API's errors; without routes. */
export function createApiServer(log: Log, requestTimeoutMs = REQUEST_TIMEOUT_MS): FastifyInstance {
  const server = Fastify({
    // Of the request alone: a response (a tail) may take any time.
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: Math.min(requestTimeoutMs, HEADERS_TIMEOUT_MS),
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
    },
    clientErrorHandler: (error, socket) => {
      if (!isSlowUpload(error, socket)) sendClientErrorResponse(error, socket);
    },
    logger: false,
    trustProxy: false,
    bodyLimit: 1_048_576,
    genReqId: (request) => {
      // Requests that push lines need no id, and there are thousands a second.
      if (request.url?.startsWith('/logs') || request.url?.startsWith('/v1/logs')) return '';
      const given = request.headers['request-id'] ?? request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // No coercion: a list as a name is a mistake. Where a number may come as text, the schema allows both.
    ajv: { customOptions: { allowUnionTypes: true, coerceTypes: false } },
    schemaController: { compilersFactory: lazySchemaCompilers },
    // Requests that come while it closes are answered, as the last ones of their connections.
    return503OnClosing: false,
    forceCloseConnections: true,
  });
  // Clients name JSON as the content type also without a body (DELETE).
  const parse = server.getDefaultJsonParser('error', 'ignore');
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) {
      done(null, null);
      return;
    }
    try {
      assertJsonWithinLimits(body, REQUEST_LIMITS);
      parse(request, body.toString(), done);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
  server.setErrorHandler(
    (error: Error & { statusCode?: number; code?: string; validation?: unknown }, request, reply) => {
      if (error instanceof TailraceError) {
        if (error.code === 'too_large' || error.status === 503) void discardBody(request.raw);
        if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
        // Senders of lines expect Logplex's responses, which are plain text.
        if (request.routeOptions.url === '/logs' && !request.headers.accept?.includes('json'))
          return reply.code(error.status).type('text/plain').send(error.message);
        return reply.code(error.status).send({ id: error.code, message: error.message });
      }
      if (error.validation)
        return reply.code(422).send({ id: 'invalid_params', message: validationMessage(error.message) });
      const status = error.statusCode ?? 500;
      if (status < 500) return reply.code(status).send({ id: 'bad_request', message: error.message });
      log.warn(
        { err: error, method: request.method, url: request.routeOptions.url },
        'a request failed unexpectedly',
      );
      return reply.code(500).send({ id: 'internal_server_error', message: 'Internal server error.' });
    },
  );
  server.decorateRequest('keyGrant', undefined);
  server.decorateRequest('partnerAddon', undefined);
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ id: 'not_found', message: 'The requested API endpoint was not found.' }),
  );
  return server;
}

/** What all resources together work with: each file of routes declares its own. */
export interface ApiDependencies
  extends AddonDrainRouteDependencies,
    Omit<TransferRouteDependencies, 'addonLinks' | 'backupLinks'>,
    AppRouteDependencies,
    AppSetupRouteDependencies,
    AuthorizationRouteDependencies,
    BuildpackRouteDependencies,
    Omit<BuildRouteDependencies, 'sourceNames'>,
    ConfigVarRouteDependencies,
    DomainRouteDependencies,
    DrainActionRouteDependencies,
    DynoRouteDependencies,
    FeatureRouteDependencies,
    FormationRouteDependencies,
    GitRouteDependencies,
    LogCountRouteDependencies,
    LogDrainRouteDependencies,
    LogSessionRouteDependencies,
    MetricsRouteDependencies,
    OneOffDynoRouteDependencies,
    ReleaseRouteDependencies,
    SourceRuleRouteDependencies,
    StatusRouteDependencies,
    TailWebSocketDependencies,
    TelemetryDrainRouteDependencies,
    TokenRouteDependencies {}

/** Adds all resources to a server. */
export async function registerApiRoutes(
  server: FastifyInstance,
  apiDependencies: ApiDependencies,
): Promise<void> {
  const dependencies = {
    ...apiDependencies,
    sourceNames: new SourceNames(),
    backupLinks: new BackupLinks(),
    addonLinks: new SingleUseTickets<string>({ lifetimeMs: ADDON_LINK_MS }),
  };
  const { addons, apiKeys, appRegistry, store, version, log } = dependencies;
  server.get('/health', async (_request, reply) => {
    const { trouble } = store;
    return trouble === undefined
      ? { status: 'ok' }
      : reply.code(503).send({ status: 'trouble', message: trouble });
  });
  server.get('/healthcheck', async (_request, reply) => {
    const { trouble } = store;
    reply.code(trouble === undefined ? 200 : 503).type('text/plain');
    return reply.send(trouble ?? 'OK');
  });
  webUiRoutes(server);
  await server.register(async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      reply.header('Request-Id', request.id);
      await authorizeKeyOrPartner(request, apiKeys, addons.partners.tokens).catch((error) => {
        reply.header('WWW-Authenticate', 'Bearer');
        throw error;
      });
    });
    api.addHook('onResponse', async ({ method, routeOptions, id }, { statusCode, elapsedTime }) => {
      const ms = Math.round(elapsedTime);
      log.debug({ method, route: routeOptions.url, status: statusCode, request: id, ms }, 'request answered');
    });
    addEtags(api);
    openApiRoutes(api, version);
    for (const registerRoutes of [
      accountRoutes,
      appRoutes,
      appSetupRoutes,
      dynoRoutes,
      oneOffDynoRoutes,
      formationRoutes,
      featureRoutes,
      configVarRoutes,
      releaseRoutes,
      addonRoutes,
      partnerRoutes,
      attachmentRoutes,
      dataServiceRoutes,
      databaseTransferRoutes,
      buildRoutes,
      buildpackRoutes,
      domainRoutes,
      unsupportedRoutes,
      telemetryDrainRoutes,
      authorizationRoutes,
      logCountRoutes,
      logDrainRoutes,
      addonDrainRoutes,
      drainActionRoutes,
      tokenRoutes,
      sourceRuleRoutes,
      statusRoutes,
      metricsRoutes,
    ])
      registerRoutes(api, dependencies);
  });
  const sessionStore = new LogSessionStore(store, apiKeys);
  const tailRegistry = new TailRegistry(store, appRegistry, log);
  // A log session is made with POST, but gives only the right to read.
  logSessionRoutes(server, dependencies, sessionStore, tailRegistry, (request) =>
    authorize(request, apiKeys, 'read'),
  );
  buildpackRegistryRoutes(server);
  await addonPageRoutes(server, dependencies);
  await partnerTokenRoutes(server, dependencies);
  backupFileRoutes(server, dependencies);
  sourceUploadRoutes(server, dependencies);
  releaseOutputRoutes(server, dependencies);
  gitRoutes(
    server,
    dependencies,
    async (header) => (await authorizedGrant(header, 'write', apiKeys)) !== undefined,
  );
  tailWebSocketRoutes(server, dependencies, sessionStore, tailRegistry, (header) =>
    authorizedGrant(header, 'read', apiKeys),
  );
}

/** @param message of the schema validator: `body/updates/0 must have …` */
function validationMessage(message: string): string {
  return `Invalid request: ${message}.`;
}
