/** The HTTP API: Heroku Platform API v3 shapes, and what only tailrace has, beside `/logs` and the tails. */
import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { KeyScope } from '../apps/records/api-keys.ts';
import { readAuthorization } from '../common/authorization.ts';
import { TailraceError } from '../common/errors.ts';
import { discardRemainingBody } from '../logs/sources/http/read-body.ts';
import { accountRoutes } from './apps/account.ts';
import { addonRoutes } from './apps/addons.ts';
import { appRoutes } from './apps/apps.ts';
import { authorizationRoutes } from './apps/authorizations.ts';
import { buildRoutes, sourceUploadRoutes } from './apps/builds.ts';
import { configVarRoutes } from './apps/config-vars.ts';
import { domainRoutes, emptyListRoutes } from './apps/domains.ts';
import { dynoRoutes } from './apps/dynos.ts';
import { featureRoutes } from './apps/features.ts';
import { formationRoutes } from './apps/formation.ts';
import { gitRoutes } from './apps/git.ts';
import { oneOffDynoRoutes } from './apps/one-off-dynos.ts';
import { releaseRoutes } from './apps/releases.ts';
import { sendClientErrorResponse } from './client-error.ts';
import type { ApiContext } from './context.ts';
import { addEtags } from './etag.ts';
import { lazySchemaCompilers } from './lazy-schema-compiler.ts';
import { addonDrainRoutes } from './logs/addon-drains.ts';
import { drainActionRoutes } from './logs/drain-actions.ts';
import { logDrainRoutes } from './logs/log-drains.ts';
import { LogSessionStore } from './logs/log-session-store.ts';
import { logSessionRoutes } from './logs/log-sessions.ts';
import { metricsRoutes } from './logs/metrics.ts';
import { sourceRuleRoutes } from './logs/source-rules.ts';
import { statusRoutes } from './logs/status.ts';
import { TailRegistry } from './logs/tail-registry.ts';
import { tailWebSocketRoutes } from './logs/tail-websockets.ts';
import { telemetryDrainRoutes } from './logs/telemetry-drains.ts';
import { tokenRoutes } from './logs/tokens.ts';
import { openApiRoutes } from './openapi.ts';
import { webUiRoutes } from './static-web-ui.ts';
import { isSlowUpload } from './upload-timeout.ts';

/** A valid `Request-Id` of the client is kept. */
const REQUEST_ID = /^[A-Za-z0-9-]{20,200}$/;

/** A request has to be there in full after this time, and its header. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;

/** A Fastify that speaks the API's errors; nothing is served on it yet. */
export function createApiServer(
  warn: (fields: object, message: string) => void,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): FastifyInstance {
  const server = Fastify({
    // Who takes longer to say what they want is cut off: the answer (a tail, say) may take as long as it likes.
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
      // Nobody sees the id of a request that pushes lines, and there are thousands a second.
      if (request.url?.startsWith('/logs') || request.url?.startsWith('/v1/logs')) return '';
      const given = request.headers['request-id'] ?? request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // What is no text isn't made to be: a list as a name is a mistake. A number may come as text where a schema says so.
    ajv: { customOptions: { allowUnionTypes: true, coerceTypes: false } },
    schemaController: { compilersFactory: lazySchemaCompilers },
    forceCloseConnections: true,
  });
  // Clients say that they send JSON also where they send nothing (DELETE).
  const parse = server.getDefaultJsonParser('error', 'ignore');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, null);
    else parse(request, String(body), done);
  });
  server.setErrorHandler(
    (error: Error & { statusCode?: number; code?: string; validation?: unknown }, request, reply) => {
      if (error instanceof TailraceError) {
        if (error.code === 'too_large') discardRemainingBody(request.raw);
        if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
        // Senders of lines know Logplex's answers, which are plain words.
        if (request.routeOptions.url === '/logs' && !request.headers.accept?.includes('json'))
          return reply.code(error.status).type('text/plain').send(error.message);
        return reply.code(error.status).send({ id: error.code, message: error.message });
      }
      if (error.validation)
        return reply.code(422).send({ id: 'invalid_params', message: validationMessage(error.message) });
      const status = error.statusCode ?? 500;
      if (status < 500) return reply.code(status).send({ id: 'bad_request', message: error.message });
      warn(
        { err: error, method: request.method, url: request.routeOptions.url },
        'a request failed unexpectedly',
      );
      return reply.code(500).send({ id: 'internal_server_error', message: 'Internal server error.' });
    },
  );
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ id: 'not_found', message: 'The requested API endpoint was not found.' }),
  );
  return server;
}

/** Adds all resources to a server. */
export async function registerApiRoutes(server: FastifyInstance, context: ApiContext): Promise<void> {
  server.get('/health', async () => ({ status: 'ok' }));
  server.get('/healthcheck', async (_request, reply) => reply.type('text/plain').send('OK'));
  webUiRoutes(server);
  await server.register(async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      reply.header('Request-Id', request.id);
      await authorize(request, context).catch((error) => {
        reply.header('WWW-Authenticate', 'Bearer');
        throw error;
      });
    });
    addEtags(api);
    openApiRoutes(api, context.version);
    for (const registerRoutes of [
      accountRoutes,
      appRoutes,
      dynoRoutes,
      oneOffDynoRoutes,
      formationRoutes,
      featureRoutes,
      configVarRoutes,
      releaseRoutes,
      addonRoutes,
      buildRoutes,
      domainRoutes,
      emptyListRoutes,
      telemetryDrainRoutes,
      authorizationRoutes,
      logDrainRoutes,
      addonDrainRoutes,
      drainActionRoutes,
      tokenRoutes,
      sourceRuleRoutes,
      statusRoutes,
      metricsRoutes,
    ])
      registerRoutes(api, context);
  });
  const sessionStore = new LogSessionStore(context.store);
  const tailRegistry = new TailRegistry(context.store, context.appRegistry);
  // A log session is made with POST, but lets nobody do more than read.
  logSessionRoutes(server, context, sessionStore, tailRegistry, (request) =>
    authorize(request, context, 'read'),
  );
  sourceUploadRoutes(server, context);
  gitRoutes(server, context, (header) => isAuthorized(header, 'write', context));
  tailWebSocketRoutes(server, context, sessionStore, tailRegistry, (header) =>
    isAuthorized(header, 'read', context),
  );
}

/** What the schema's validator says: `body/updates/0 must have …`. */
function validationMessage(message: string): string {
  return `Invalid request: ${message}.`;
}

async function authorize(
  request: FastifyRequest,
  context: ApiContext,
  scope: KeyScope = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write',
): Promise<void> {
  if (await isAuthorized(request.headers.authorization, scope, context)) return;
  throw new TailraceError(
    'unauthorized',
    `Invalid credentials provided: an API key with the scope ${scope} is needed (print one with \`tailrace auth:token\`).`,
  );
}

async function isAuthorized(
  header: string | undefined,
  scope: KeyScope,
  { apiKeys }: ApiContext,
): Promise<boolean> {
  const credentials = readAuthorization(header);
  return credentials.kind === 'key' && (await apiKeys.allows(credentials.key, scope));
}
