/** The HTTP API: Heroku Platform API v3 shapes, and what only tailrace has, beside `/logs` and the tails. */

import type { FastifyInstance } from 'fastify';
import { permits, permitsSomewhere } from '../apps/access/grants.ts';
import { unsupportedPath } from '../apps/host/unsupported-features.ts';
import { TailraceError } from '../common/errors.ts';
import { createHttpServer } from '../common/http/create-server.ts';
import type { TrustedProxies } from '../common/http/trusted-proxies.ts';
import type { Log } from '../common/log.ts';
import { accountRoutes } from './access/account.ts';
import { type AuditDependencies, auditRequests } from './access/audit-requests.ts';
import { type AuthorizationRouteDependencies, authorizationRoutes } from './access/authorizations.ts';
import { authenticate, authorize, authorizedGrant, isVisible, requireOwnApp } from './access/authorize.ts';
import { collaboratorRoutes } from './access/collaborators.ts';
import { type CommandLineLoginDependencies, commandLineLoginRoutes } from './access/command-line-logins.ts';
import { type OpenIdRouteDependencies, openIdRoutes } from './access/openid-connect.ts';
import { type PeopleRouteDependencies, peopleRoutes } from './access/people.ts';
import { sessionRoutes } from './access/sessions.ts';
import type { AddonTicket } from './addons/addon-scene.ts';
import { addonServiceRoutes } from './addons/addon-services.ts';
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
import { type AppSetupRouteDependencies, appSetupRoutes } from './apps/app-setups.ts';
import { type AppRouteDependencies, appRoutes } from './apps/apps.ts';
import {
  type BuildpackRouteDependencies,
  buildpackRegistryRoutes,
  buildpackRoutes,
} from './apps/buildpack-installations.ts';
import { type BuildRouteDependencies, buildRoutes, SourceNames, sourceUploadRoutes } from './apps/builds.ts';
import { type CertificateNameRouteDependencies, certificateNameRoutes } from './apps/certificate-names.ts';
import { type ConfigVarRouteDependencies, configVarRoutes } from './apps/config-vars.ts';
import { type DomainRouteDependencies, domainRoutes } from './apps/domains.ts';
import { type DynoRouteDependencies, dynoRoutes } from './apps/dynos.ts';
import { type FeatureRouteDependencies, featureRoutes } from './apps/features.ts';
import { type FormationRouteDependencies, formationRoutes } from './apps/formation.ts';
import { type GitRouteDependencies, gitRoutes } from './apps/git.ts';
import { type LogLimitRouteDependencies, logLimitRoutes } from './apps/log-limits.ts';
import { type OneOffDynoRouteDependencies, oneOffDynoRoutes } from './apps/one-off-dynos.ts';
import { type ReleaseRouteDependencies, releaseOutputRoutes, releaseRoutes } from './apps/releases.ts';
import { unsupportedRoutes } from './apps/unsupported.ts';
import { addEtags } from './etag.ts';
import { type AddonDrainRouteDependencies, addonDrainRoutes } from './logs/addon-drains.ts';
import { type DrainActionRouteDependencies, drainActionRoutes } from './logs/drain-actions.ts';
import { type LogCountRouteDependencies, logCountRoutes } from './logs/log-counts.ts';
import { type LogDrainRouteDependencies, logDrainRoutes } from './logs/log-drains.ts';
import { LogSessionStore } from './logs/log-session-store.ts';
import { type LogSessionRouteDependencies, logSessionRoutes } from './logs/log-sessions.ts';
import { type SourceRuleRouteDependencies, sourceRuleRoutes } from './logs/source-rules.ts';
import { TailRegistry } from './logs/tail-registry.ts';
import { type TailWebSocketDependencies, tailWebSocketRoutes } from './logs/tail-websockets.ts';
import { type TelemetryDrainRouteDependencies, telemetryDrainRoutes } from './logs/telemetry-drains.ts';
import { type TokenRouteDependencies, tokenRoutes } from './logs/tokens.ts';
import { type HealthRouteDependencies, healthRoutes } from './monitoring/health.ts';
import { type MetricsRouteDependencies, metricsRoutes } from './monitoring/metrics.ts';
import { type StatusRouteDependencies, statusRoutes } from './monitoring/status.ts';
import { openApiRoutes } from './openapi.ts';
import { webUiRoutes } from './static-web-ui.ts';
import { type BackupRouteDependencies, backupRoutes } from './upkeep/backups.ts';
import { type LineDeletionRouteDependencies, lineDeletionRoutes } from './upkeep/line-deletions.ts';

/** A link to an add-on's page: from the answer that gave it until it is opened. */
const ADDON_LINK_MS = 5 * 60_000;

/**
 * A Fastify server that responds with the API's errors; without routes.
 * @param trustedProxies whose word counts on where requests come from
 */
export function createApiServer(
  log: Log,
  requestTimeoutMs?: number,
  trustedProxies?: TrustedProxies,
): FastifyInstance {
  const server = createHttpServer(log, {
    requestTimeoutMs,
    trustedProxies,
    describeMissing: unsupportedPath,
  });
  server.decorateRequest('keyGrant', undefined);
  server.decorateRequest('partnerAddon', undefined);
  server.decorateRequest('auditedApp', undefined);
  server.decorateRequest('auditedMore', undefined);
  return server;
}

/** What all resources together work with: each file of routes declares its own. */
export interface ApiDependencies
  extends AddonDrainRouteDependencies,
    Omit<TransferRouteDependencies, 'addonLinks' | 'backupLinks'>,
    AppRouteDependencies,
    AppSetupRouteDependencies,
    AuditDependencies,
    AuthorizationRouteDependencies,
    BackupRouteDependencies,
    PeopleRouteDependencies,
    OpenIdRouteDependencies,
    CommandLineLoginDependencies,
    BuildpackRouteDependencies,
    CertificateNameRouteDependencies,
    Omit<BuildRouteDependencies, 'sourceNames'>,
    ConfigVarRouteDependencies,
    DomainRouteDependencies,
    DrainActionRouteDependencies,
    DynoRouteDependencies,
    FeatureRouteDependencies,
    FormationRouteDependencies,
    HealthRouteDependencies,
    LineDeletionRouteDependencies,
    GitRouteDependencies,
    LogCountRouteDependencies,
    LogDrainRouteDependencies,
    LogLimitRouteDependencies,
    LogSessionRouteDependencies,
    Omit<MetricsRouteDependencies, 'tailRegistry'>,
    OneOffDynoRouteDependencies,
    ReleaseRouteDependencies,
    SourceRuleRouteDependencies,
    Omit<StatusRouteDependencies, 'tailRegistry'>,
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
    tailRegistry: new TailRegistry(apiDependencies),
    backupLinks: new BackupLinks(),
    addonLinks: new SingleUseTickets<AddonTicket>({ lifetimeMs: ADDON_LINK_MS }),
  };
  const { addons, apiKeys, store, version, log, tailRegistry } = dependencies;
  healthRoutes(server, dependencies);
  certificateNameRoutes(server, dependencies);
  webUiRoutes(server);
  await server.register(async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      reply.header('Request-Id', request.id);
      await authorizeKeyOrPartner(request, dependencies, addons.partners.tokens).catch((error) => {
        reply.header('WWW-Authenticate', 'Bearer');
        throw error;
      });
      await requireOwnApp(request, dependencies);
    });
    api.addHook('onResponse', async ({ method, routeOptions, id }, { statusCode, elapsedTime }) => {
      const ms = Math.round(elapsedTime);
      log.debug({ method, route: routeOptions.url, status: statusCode, request: id, ms }, 'request answered');
    });
    auditRequests(api, dependencies);
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
      addonServiceRoutes,
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
      peopleRoutes,
      collaboratorRoutes,
      logCountRoutes,
      logDrainRoutes,
      logLimitRoutes,
      addonDrainRoutes,
      drainActionRoutes,
      tokenRoutes,
      sourceRuleRoutes,
      statusRoutes,
      metricsRoutes,
      backupRoutes,
      lineDeletionRoutes,
    ])
      registerRoutes(api, dependencies);
  });
  const sessionStore = new LogSessionStore(store, apiKeys);
  // A log session is made with POST, but gives only the right to read.
  logSessionRoutes(server, dependencies, sessionStore, tailRegistry, async (request) => {
    await authorize(request, dependencies, 'logs:read');
    await requireOwnApp(request, dependencies, 'logs:read');
  });
  buildpackRegistryRoutes(server);
  sessionRoutes(server, dependencies);
  openIdRoutes(server, dependencies);
  commandLineLoginRoutes(server, dependencies);
  await addonPageRoutes(server, dependencies);
  await partnerTokenRoutes(server, dependencies);
  backupFileRoutes(server, dependencies);
  sourceUploadRoutes(server, dependencies);
  releaseOutputRoutes(server, dependencies);
  gitRoutes(server, dependencies, (caller, app) => authorizedGrant(caller, 'write', app, dependencies));
  tailWebSocketRoutes(server, dependencies, sessionStore, tailRegistry, async (caller, app) => {
    const grant = await authenticate(caller, dependencies);
    if (grant && app && !isVisible(grant, app))
      throw new TailraceError('not_found', "Couldn't find that app.");
    return grant && permitsSomewhere(grant, 'logs:read') && (!app || permits(grant, 'logs:read', app.id))
      ? grant
      : undefined;
  });
}
