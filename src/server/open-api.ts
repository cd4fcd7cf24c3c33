import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createApiServer, registerApiRoutes } from '../api/api-server.ts';
import { allowOrigins } from '../api/cross-origin.ts';
import { MetricAppNames } from '../api/monitoring/app-names.ts';
import { AuditLog } from '../apps/access/audit-log.ts';
import { CommandLineLogins } from '../apps/access/command-line-logins.ts';
import type { PersonRole } from '../apps/access/grants.ts';
import { OpenIdConnect } from '../apps/access/openid-connect.ts';
import { PEOPLE_SCOPE } from '../apps/access/people.ts';
import type { Settings } from '../common/config/settings.ts';
import { TailraceError } from '../common/errors.ts';
import { finishRequestsOnClose, REQUEST_GRACE_MS } from '../common/http/finish-requests.ts';
import { VERSION } from '../common/package-info.ts';
import { noteListening, socketName, takeInheritedSocket } from '../common/processes/passed-sockets.ts';
import { localUrlHost } from '../common/text/url-host.ts';
import { hostOfPlainHttp, plainHttpHostSetting } from '../common/tls/certificate-settings.ts';
import { registerCertificateMetrics } from '../logs/metrics/certificate-metrics.ts';
import { registerStoreMetrics } from '../logs/metrics/store-metrics.ts';
import { StreamSizes } from '../logs/metrics/stream-sizes.ts';
import { limitHttpConnections } from '../logs/sources/http/http-connection-limiter.ts';
import { registerIngestRoutes } from '../logs/sources/http/ingest-routes.ts';
import { listenError } from '../logs/sources/listen.ts';
import { registerListenerMetrics } from '../logs/sources/listener-metrics.ts';
import { StoreHealth } from '../logs/store/store-health.ts';
import type { Apps } from './open-apps.ts';
import type { Logs } from './open-logs.ts';
import type { ServerContext } from './server-context.ts';
import { HANDOVER_GRACE_MS } from './shutdown.ts';
import { trustedProxiesOf } from './trusted-proxies.ts';

/** The HTTP server: lines in over HTTP, tails out, the API's resources, the web page. */
export async function openApi(
  { settings, log, addresses, certificates, handover }: ServerContext,
  logs: Logs,
  apps: Apps,
): Promise<{ url: string; accept: (socket: Socket) => void; close: () => Promise<void> }> {
  const { router, syslog, metrics, appRegistry } = logs;
  const { apiKeys, dynoManager } = apps;
  const apiLog = log.child({ area: 'api' });
  const trustedProxies = trustedProxiesOf(settings);
  const http = createApiServer(apiLog, settings.frameTimeoutMs, trustedProxies);
  allowOrigins(http, settings.corsOrigins);
  const finishRequests = finishRequestsOnClose(http, () =>
    handover.routerLine ? HANDOVER_GRACE_MS : REQUEST_GRACE_MS,
  );
  const httpCounters = await registerIngestRoutes(http, {
    router,
    rateLimiter: syslog.rateLimiter,
    mayWrite: (credentials) => apiKeys.writableApps(credentials),
    holdMs: settings.holdMs,
    trustedProxies,
    log: log.child({ area: 'sources' }),
  });
  const accept = limitHttpConnections(http.server, {
    connectionsMax: settings.connections,
    counters: httpCounters[0],
    log: log.child({ area: 'sources' }),
  });
  const counters = [...syslog.counters, ...httpCounters];
  const appNames = new MetricAppNames(appRegistry);
  const streamSizes = new StreamSizes({
    store: logs.store,
    listApps: () => appRegistry.listApps(),
    largestMax: settings.metricsApps,
  });
  const storeHealth = new StoreHealth(logs.store);
  registerStoreMetrics(metrics, {
    store: logs.store,
    health: storeHealth,
    folder: settings.data,
    sizes: streamSizes,
  });
  registerListenerMetrics(metrics, {
    counters,
    router,
    udpPort: syslog.port,
    appNames: (ids) => appNames.of(ids),
    appsMax: settings.metricsApps,
  });
  registerCertificateMetrics(metrics, certificates);
  const { releases } = apps;
  const auditLog = new AuditLog({ appRegistry, releases, platformLog: logs.platformLog, log: apiLog });
  await registerApiRoutes(http, {
    store: logs.store,
    storeHealth,
    holdMs: settings.holdMs,
    appRegistry,
    apiKeys,
    people: apps.people,
    auditLog,
    localKey: apps.localKey,
    releases,
    releaser: apps.releaser,
    appSetup: apps.appSetup,
    readers: logs.readers,
    deliveries: logs.drains,
    targetPolicy: logs.targetPolicy,
    outlets: logs.outlets,
    metrics,
    platformLog: logs.platformLog,
    dynoRunner: dynoManager,
    addons: dynoManager.addons,
    builds: apps.builder,
    dataFolder: settings.data,
    uploadFolder: join(settings.data, 'uploads'),
    sourceBytesMax: settings.sourceBytes,
    repositoryFolder: join(settings.data, 'repositories'),
    addresses,
    trustedProxies,
    logins: new CommandLineLogins(logs.store, PEOPLE_SCOPE, apiKeys),
    openIdConnect: openIdConnectOf(settings),
    openIdDomains: settings.oidcDomains,
    openIdRole: settings.oidcRole as PersonRole,
    hasSlug: (id) => dynoManager.slugFiles.has(id),
    requireSlug: (app, id) => dynoManager.requireSlug(app, id),
    adoptSlug: (app, id) => dynoManager.adoptSlug(app, id),
    counters,
    certificates,
    appNames,
    streamSizes,
    metricSeriesMax: settings.metricsApps,
    appRate: { lines: settings.appLines, bytes: settings.appBytes },
    requirePort: syslog.requirePort,
    log: apiLog,
    version: VERSION,
  });
  http.addHook('preClose', finishRequests);
  const { host, port } = await listenForHttp(http, settings);
  apiLog.info({ host, port }, 'listening for HTTP');
  return {
    url: `http://${localUrlHost(host)}:${port}`,
    accept,
    close: async () => {
      await http.close();
      await auditLog.close();
    },
  };
}

/** @throws TailraceError when the address is taken, or isn't this machine's */
async function listenForHttp(
  http: FastifyInstance,
  settings: Settings,
): Promise<{ host: string; port: number }> {
  const { httpPort } = settings;
  const host = hostOfPlainHttp(settings);
  const socket = socketName('TAILRACE_HTTP_PORT', httpPort);
  // Node takes a handle there; the framework passes on what it doesn't know.
  const options = { host, port: httpPort, ...takeInheritedSocket(socket) };
  await http.listen(options).catch((error: unknown) => {
    throw listenError(
      error,
      { host, port: httpPort },
      'HTTP',
      'TAILRACE_HTTP_PORT',
      plainHttpHostSetting(settings),
    );
  });
  noteListening(socket, http.server);
  const address = http.server.address();
  return { host, port: typeof address === 'object' && address ? address.port : httpPort };
}

/** @throws TailraceError `settings` */
function openIdConnectOf(settings: Settings): OpenIdConnect | undefined {
  if (settings.oidcIssuer === '') {
    const { oidcClientId, oidcClientSecret, oidcDomains } = settings;
    if (oidcClientId !== '' || oidcClientSecret !== '' || oidcDomains.length > 0)
      throw new TailraceError(
        'settings',
        "TAILRACE_OIDC_… is set, but TAILRACE_OIDC_ISSUER isn't: it is the identity provider's address, such as https://login.example.com/realms/team, and nobody is sent there without it.",
      );
    return undefined;
  }
  return new OpenIdConnect({
    issuer: settings.oidcIssuer,
    clientId: settings.oidcClientId,
    clientSecret: settings.oidcClientSecret,
    name: settings.oidcName,
    trustsAddresses: settings.oidcTrustsAddresses,
  });
}
