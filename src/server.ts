/**
 * The composition root: the log router, what runs apps, and the API, each opened with what it needs of those before it, and closed in the
 * reverse order.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createApiServer, registerApiRoutes } from './api/api-server.ts';
import { randomAppName } from './api/apps/apps.ts';
import { removeAddonDrains, setAddonDrain } from './api/logs/addon-drains.ts';
import { addonLogInput } from './api/logs/addon-log-input.ts';
import { MetricAppNames } from './api/monitoring/app-names.ts';
import { ApiKeys } from './apps/access/api-keys.ts';
import { AuditLog } from './apps/access/audit-log.ts';
import { CommandLineLogins } from './apps/access/command-line-logins.ts';
import type { PersonRole } from './apps/access/grants.ts';
import { LocalKey } from './apps/access/local-key.ts';
import { OpenIdConnect } from './apps/access/openid-connect.ts';
import { PEOPLE_SCOPE, People } from './apps/access/people.ts';
import { addonFolder, findServerId } from './apps/host/addons/server-id.ts';
import { Builder } from './apps/host/builder.ts';
import { DynoManager } from './apps/host/dyno-manager.ts';
import { isolationFromSettings } from './apps/host/isolation-settings.ts';
import { Releaser } from './apps/host/release/releaser.ts';
import { RunningApps } from './apps/host/running-apps.ts';
import { AppSetup } from './apps/host/setup/app-setup.ts';
import { type HttpRouter, startHttpRouter } from './apps/http-router/http-router.ts';
import { AppRegistry } from './apps/records/app-registry.ts';
import { OWNER } from './apps/records/owner.ts';
import { Releases } from './apps/records/release-history.ts';
import { Closers } from './common/closers.ts';
import type { Settings } from './common/config/settings.ts';
import { type CreatedDataFolder, createDataFolder } from './common/files/data-folder.ts';
import { Addresses, LOCAL_DOMAIN } from './common/http/addresses.ts';
import { finishRequestsOnClose, REQUEST_GRACE_MS } from './common/http/finish-requests.ts';
import { parseNetworks, TrustedProxies } from './common/http/trusted-proxies.ts';
import type { Log } from './common/log.ts';
import { VERSION } from './common/package-info.ts';
import { noteListening, socketName, takeInheritedSocket } from './common/processes/passed-sockets.ts';
import { ownStartTicks } from './common/processes/process-identity.ts';
import { CertificateFiles } from './common/tls/certificate-files.ts';
import { hostOfPlainHttp, httpPemFiles } from './common/tls/certificate-settings.ts';
import { TlsIdentity } from './common/tls/tls-identity.ts';
import { waitWithTimeout } from './common/wait-with-timeout.ts';
import { type LogCore, openLogCore } from './logs/composition/open-log-core.ts';
import { openTlsPorts, type TlsPorts } from './logs/composition/tls-ports.ts';
import { DrainSupervisor } from './logs/drains/drain-supervisor.ts';
import { TargetPolicy } from './logs/drains/options/target-policy.ts';
import { OutletFactory } from './logs/drains/sinks/outlet-factory.ts';
import { registerCertificateMetrics } from './logs/metrics/certificate-metrics.ts';
import { registerStoreMetrics } from './logs/metrics/store-metrics.ts';
import { StreamSizes } from './logs/metrics/stream-sizes.ts';
import { PlatformLinePriority, type PlatformLog } from './logs/router/platform-log.ts';
import { limitHttpConnections } from './logs/sources/http/http-connection-limiter.ts';
import { registerIngestRoutes } from './logs/sources/http/ingest-routes.ts';
import { listenError } from './logs/sources/listen.ts';
import { registerListenerMetrics } from './logs/sources/listener-metrics.ts';
import { type SyslogListeners, startSyslogListeners } from './logs/sources/syslog/syslog-listeners.ts';
import type { AppId } from './logs/store/contract.ts';

/** How long drains may finish what is under way when the server stops. */
const GRACE_MS = 3_000;
/** The same when another server goes on at once: it sends what has failed again. */
const LEAVE_GRACE_MS = 300;
/** Requests of apps that are under way then may take so long, beside the other server: WebSockets are among them. */
const LEFT_REQUESTS_MS = 30_000;
/** Connections that are kept alive wait so long for a last request. */
const LEFT_IDLE_MS = 5_000;
/** Builds and releases that are aborted end within this. */
const TASKS_GRACE_MS = 5_000;
/** Connections to the HTTP router wait no longer than this for the apps to be there. */
const ROUTER_OPENS_AFTER_MS = 10_000;
/** The HTTP router's lines linger for so long: of requests that come at an even rate each would store a batch of its own. */
const ROUTER_LINGER_MS = 10;

/** A running server. */
export interface RunningServer
  extends Pick<Logs, 'store' | 'readers' | 'appRegistry' | 'platformLog'>,
    Pick<Apps, 'ingestKey' | 'releases' | 'runningApps' | 'dynoManager' | 'routerPort'> {
  /** An API key that may do everything, for clients on this machine; it may change. */
  readonly key: string;
  /** What this start has made of it: for a start that fails after all. */
  readonly dataFolder: CreatedDataFolder;
  /** Where it listens. */
  readonly url: string;
  /** Where others find it, and its apps. */
  readonly addresses: Addresses;
  readonly syslogPort: number;
  /** Undefined without a certificate. */
  readonly syslogTlsPort: number | undefined;
  /** Of the API and the HTTP router; undefined without a certificate. */
  readonly tlsPorts: Pick<TlsPorts, 'http' | 'router'> | undefined;
  /** Reads anew what is in files: certificates. */
  reload(): void;
  readonly log: Logger;
  /** Stops: takes no more lines, stores what was taken, lets drains finish what is under way. */
  close(): Promise<void>;
  /**
   * The same, but leaves the dynos to the next server, running, and is quick. Resolves when that one may start. Requests to apps are still
   * served.
   * @param routerLine takes the lines about them from now on
   */
  leave(routerLine: RouterLineSink): Promise<LeftServer>;
  /** Writes such a line of the server before. @param app its id */
  writeRouterLine: RouterLineSink;
  /** Says where clients of this machine look that another server was to follow, and couldn't start. */
  noteFailedRestart(): void;
}

/** A server that only serves requests to apps any more. */
export interface LeftServer {
  /** The next one serves: takes no more requests. Resolves when those under way have ended. */
  finishRequests(): Promise<void>;
}

type RouterLineSink = (app: string, message: string) => void;

/** Set when another server is about to follow at once. */
interface Leaving {
  routerLine: RouterLineSink | undefined;
}

/**
 * Starts everything but apps: the log router, what runs apps, and the HTTP API over both.
 * @param startsMore whoever starts it does more, and then calls the store's `onServerStarted`.
 * @throws TailraceError when a port is taken or the data folder can't be used, with what to do.
 */
export async function startServer(
  settings: Settings,
  log: Logger,
  startsMore = false,
): Promise<RunningServer> {
  let url = '';
  let routerPort = settings.routerPort;
  const { publicUrl, appsUrl } = settings;
  const addresses = new Addresses({ publicUrl, appsUrl, local: () => url, routerPort: () => routerPort });
  const leaving: Leaving = { routerLine: undefined };
  const closers = new Closers();
  const folder = createDataFolder(settings.data);
  try {
    const certificates = new CertificateFiles(areaLog(log, 'tls'));
    closers.add(() => certificates.close());
    const pemFiles = httpPemFiles(settings);
    const identity = pemFiles && new TlsIdentity(certificates, pemFiles);
    const logs = await openLogs(settings, log, certificates, leaving);
    closers.add(logs.close);
    const apps = await openApps(settings, logs, log, addresses);
    routerPort = apps.routerPort;
    closers.add(async () => {
      if (leaving.routerLine) apps.leaveHttpRouter(leaving.routerLine);
      else await apps.closeHttpRouter();
    });
    const api = await openApi(settings, logs, apps, log, addresses, certificates, leaving);
    url = api.url;
    closers.add(api.close);
    const tlsPorts =
      identity &&
      (await openTlsPorts({
        settings,
        identity,
        acceptForApi: api.accept,
        acceptForApps: apps.acceptForRouter,
        log: areaLog(log, 'tls'),
      }));
    if (tlsPorts) closers.add(() => tlsPorts.close(leaving.routerLine !== undefined));
    // At once: whoever sees the server answer may look for it there.
    const serverFile = new ServerFile(settings.data, { url, publicUrl: publicUrl || undefined });
    serverFile.write({ takesRestart: false, isStarting: !startsMore });
    // The next server writes its own over it.
    closers.add(() => {
      if (!leaving.routerLine) serverFile.remove();
    });
    // The last lines of dynos come over the API's server.
    closers.add(() => (leaving.routerLine ? apps.leave() : apps.close()));
    const opensLate = setTimeout(apps.openHttpRouter, ROUTER_OPENS_AFTER_MS);
    await apps.dynoManager.open().finally(() => clearTimeout(opensLate));
    apps.openHttpRouter();
    if (!startsMore) serverFile.write({ takesRestart: true });
    if (!startsMore) logs.store.onServerStarted();
    log.info({ version: VERSION, pid: process.pid }, 'server started');
    const close = async (): Promise<void> => {
      log.info({ pid: process.pid }, 'server is stopping');
      await closers.close();
      log.info({ pid: process.pid }, 'server stopped');
    };
    const leave: RunningServer['leave'] = async (sink) => {
      leaving.routerLine = sink;
      await close();
      return { finishRequests: apps.finishRequests };
    };
    const { port: syslogPort, tlsPort: syslogTlsPort } = logs.syslog;
    return {
      ...logs,
      ...apps,
      dataFolder: folder,
      get key() {
        return apps.localKey.key;
      },
      url,
      addresses,
      syslogPort: syslogPort ?? settings.syslogPort,
      syslogTlsPort,
      tlsPorts,
      reload: () => certificates.refresh(),
      log,
      close,
      leave,
      writeRouterLine: routerLineSink(logs.platformLog),
      noteFailedRestart: () => serverFile.write({ takesRestart: true, restartFailed: randomUUID() }),
    };
  } catch (error) {
    await closers.close();
    folder.removeIfNew();
    throw error;
  }
}

/** The log router: store, sources over syslog, drains. */
interface Logs extends LogCore {
  readonly drains: DrainSupervisor;
  readonly targetPolicy: TargetPolicy;
  readonly outlets: OutletFactory;
  readonly syslog: SyslogListeners;
  readonly appRegistry: AppRegistry;
  close(): Promise<void>;
}

async function openLogs(
  settings: Settings,
  log: Logger,
  certificates: CertificateFiles,
  leaving: Leaving,
): Promise<Logs> {
  const closers = new Closers();
  const close = (): Promise<void> => closers.close();
  try {
    const core = await openLogCore(settings, log, (store) => {
      const appRegistry = new AppRegistry(store);
      return { appRegistry, appName: async (app) => (await appRegistry.findApp(app))?.name };
    });
    closers.add(core.close);
    const { store, readers, router, platformLog, metrics, appName, appRegistry } = core;
    const targetPolicy = new TargetPolicy(settings.allowPrivateDrains);
    const outlets = new OutletFactory(targetPolicy, VERSION);
    const drains = new DrainSupervisor({
      store,
      readers,
      outlets,
      version: VERSION,
      serverId: () => findServerId(addonFolder(settings.data)),
      logToApp: (app, kind, message) =>
        platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority[kind], message),
      log: areaLog(log, 'drains'),
    });
    closers.add(() => drains.close(leaving.routerLine ? LEAVE_GRACE_MS : GRACE_MS));
    await drains.reconcile();
    const syslog = await startSyslogListeners({
      settings,
      store,
      router,
      appName,
      logToApp: (app, message) =>
        platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority.loss, message),
      certificates,
      log: areaLog(log, 'sources'),
    });
    closers.add(() => syslog.close());
    return {
      store,
      readers,
      router,
      platformLog,
      metrics,
      drains,
      targetPolicy,
      outlets,
      syslog,
      appRegistry,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What runs apps on this machine: their records, their dynos, the HTTP router in front of them. */
interface Apps {
  readonly releases: Releases;
  readonly apiKeys: ApiKeys;
  readonly people: People;
  /** An API key that may do everything, for clients on this machine. */
  readonly localKey: LocalKey;
  /** A key for the lines of this process's own dynos. */
  readonly ingestKey: string;
  readonly runningApps: RunningApps;
  readonly dynoManager: DynoManager;
  readonly builder: Builder;
  readonly releaser: Releaser;
  readonly appSetup: AppSetup;
  readonly routerPort: number;
  /** Stops builds and dynos. */
  close(): Promise<void>;
  /** Stops builds, and leaves dynos to the next server. */
  leave(): Promise<void>;
  /** The apps are there: requests may come. */
  openHttpRouter(): void;
  closeHttpRouter(): Promise<void>;
  /** @param sink takes the lines about requests from now on */
  leaveHttpRouter(sink: RouterLineSink): void;
  finishRequests: LeftServer['finishRequests'];
  acceptForRouter: HttpRouter['accept'];
}

async function openApps(
  settings: Settings,
  { store, appRegistry, platformLog, targetPolicy, drains: deliveries }: Logs,
  log: Logger,
  addresses: Addresses,
): Promise<Apps> {
  const releases = new Releases(store);
  const people = new People(store);
  const apiKeys = new ApiKeys(store, people);
  const localKey = await LocalKey.open({
    folder: settings.data,
    apiKeys,
    isShared: settings.redisUrl !== '',
    log: areaLog(log, 'api'),
  });
  store.watchEmptied(() => void localKey.renew());
  // Not the machine's: that one may be revoked while dynos write.
  const ingestKey = apiKeys.addProcessKey(['ingest']);
  let writeRouterLine = routerLineSink(platformLog);
  const runningApps = new RunningApps(
    (app, message) => writeRouterLine(app, message),
    [LOCAL_DOMAIN, addresses.appsDomain],
  );
  const isolation = await isolationFromSettings(settings);
  const httpRouter = await listenHttpRouter(runningApps, settings, areaLog(log, 'http-router'));
  const logToApp = (app: AppId, message: string): void =>
    platformLog.write(app, 'app', 'api', PlatformLinePriority.api, message);
  const dynoManager: DynoManager = new DynoManager({
    store,
    appRegistry,
    releases,
    runningApps,
    folder: settings.data,
    url: () => addresses.local,
    key: ingestKey,
    waitForInFlight: httpRouter.waitForInFlight,
    rendezvous: { host: settings.host, port: settings.rendezvousPort },
    addons: {
      randomName: randomAppName,
      backupPolicy: new TargetPolicy(settings.allowPrivateDrains, 'backups may not be fetched from'),
      release: (app, change, options) => releaser.release(app, change, options),
      logToApp,
      setLogDrain: (addon, url, token) =>
        setAddonDrain({ appRegistry, deliveries, targetPolicy }, addon, url, {
          server: addon.provider === 'local' ? addon.server : undefined,
          token,
        }),
      onRemoved: ({ app, id }) => removeAddonDrains({ appRegistry, deliveries }, app, id),
      logInput: addonLogInput(appRegistry),
      publicUrl: () => addresses.outside,
      policy: new TargetPolicy(settings.allowPrivateDrains, 'partners of add-ons may not be at'),
      provisionMs: settings.addonProvisionMs,
      version: VERSION,
    },
    isolation,
    releaser: () => releaser,
    handoverMs: settings.dynoHandoverMs,
    beforeRemoval: (app) => appSetup.runPredestroy(app),
    memory: { quota: settings.dynoMemory, everyMs: settings.dynoSampleMs },
    log: areaLog(log, 'apps'),
  });
  const releaser = new Releaser({
    store,
    appRegistry,
    releases,
    dynoManager,
    server: () => dynoManager.serverId,
    logToApp,
    owner: OWNER.email,
    log: areaLog(log, 'apps'),
  });
  const appSetup = new AppSetup({ store, releases, releaser, dynoManager, log: areaLog(log, 'apps') });
  const builder = new Builder({
    appSetup,
    store,
    releases,
    dynoManager,
    releaser,
    cacheFolder: join(settings.data, 'caches'),
    outputFolder: join(settings.data, 'builds'),
    targetPolicy,
    webUrl: (name) => addresses.app(name),
    logToApp: (app, priority, message) => platformLog.write(app, 'app', 'api', priority, message),
    owner: OWNER.email,
    log: areaLog(log, 'builds'),
  });
  /** Builds and releases are aborted: resolves when they have ended. */
  const stopTasks = (): Promise<void> => {
    localKey.close();
    people.close();
    builder.close();
    return waitWithTimeout(TASKS_GRACE_MS, Promise.all([builder.ended(), releaser.ended()]));
  };
  return {
    releases,
    apiKeys,
    people,
    localKey,
    ingestKey,
    runningApps,
    dynoManager,
    builder,
    appSetup,
    releaser,
    routerPort: httpRouter.port,
    close: () => dynoManager.close(stopTasks()),
    leave: () => dynoManager.leave(stopTasks()),
    openHttpRouter: httpRouter.open,
    closeHttpRouter: () => httpRouter.close(GRACE_MS),
    leaveHttpRouter: (sink) => {
      writeRouterLine = sink;
    },
    finishRequests: () => httpRouter.close(LEFT_REQUESTS_MS, LEFT_IDLE_MS),
    acceptForRouter: httpRouter.accept,
  };
}

/** The HTTP server: lines in over HTTP, tails out, the API's resources, the web page. */
async function openApi(
  settings: Settings,
  logs: Logs,
  apps: Apps,
  log: Logger,
  addresses: Addresses,
  certificates: CertificateFiles,
  leaving: Leaving,
): Promise<{ url: string; accept: (socket: Socket) => void; close: () => Promise<void> }> {
  const { httpPort } = settings;
  const host = hostOfPlainHttp(settings);
  const { router, syslog, metrics, appRegistry } = logs;
  const { apiKeys, dynoManager } = apps;
  const apiLog = areaLog(log, 'api');
  const trustedProxies = trustedProxiesOf(settings);
  const http = createApiServer(apiLog, settings.frameTimeoutMs, trustedProxies);
  const finishRequests = finishRequestsOnClose(http, () =>
    leaving.routerLine ? LEAVE_GRACE_MS : REQUEST_GRACE_MS,
  );
  const httpCounters = await registerIngestRoutes(http, {
    router,
    rateLimiter: syslog.rateLimiter,
    mayWrite: (credentials) => apiKeys.writableApps(credentials),
    holdMs: settings.holdMs,
    trustedProxies,
    log: areaLog(log, 'sources'),
  });
  const accept = limitHttpConnections(http.server, {
    connectionsMax: settings.connections,
    counters: httpCounters[0],
    log: areaLog(log, 'sources'),
  });
  const counters = [...syslog.counters, ...httpCounters];
  const appNames = new MetricAppNames(appRegistry);
  const streamSizes = new StreamSizes({
    store: logs.store,
    listApps: () => appRegistry.listApps(),
    largestMax: settings.metricsApps,
  });
  registerStoreMetrics(metrics, { store: logs.store, folder: settings.data, sizes: streamSizes });
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
    openIdDomains: settings.oidcDomains
      .split(',')
      .map((domain) => domain.trim().toLowerCase())
      .filter(Boolean),
    openIdRole: settings.oidcRole as PersonRole,
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
  const socket = socketName('TAILRACE_HTTP_PORT', httpPort);
  // Node takes a handle there; the framework passes on what it doesn't know.
  const options = { host, port: httpPort, ...takeInheritedSocket(socket) };
  await http.listen(options).catch((error: unknown) => {
    throw listenError(error, host, httpPort, 'HTTP', 'TAILRACE_HTTP_PORT');
  });
  noteListening(socket, http.server);
  const address = http.server.address();
  const port = typeof address === 'object' && address ? address.port : httpPort;
  apiLog.info({ host, port }, 'listening for HTTP');
  return {
    url: `http://${urlHost(host)}:${port}`,
    accept,
    close: async () => {
      await http.close();
      await auditLog.close();
    },
  };
}

/** @throws TailraceError `settings` */
function openIdConnectOf(settings: Settings): OpenIdConnect | undefined {
  if (settings.oidcIssuer === '') return undefined;
  return new OpenIdConnect({
    issuer: settings.oidcIssuer,
    clientId: settings.oidcClientId,
    clientSecret: settings.oidcClientSecret,
    name: settings.oidcName,
    trustsAddresses: settings.oidcTrustsAddresses,
  });
}

/** Writes the HTTP router's lines to the streams of their apps. */
function routerLineSink(platformLog: PlatformLog): RouterLineSink {
  return (app, message) =>
    platformLog.write(
      app as AppId,
      'heroku',
      'router',
      PlatformLinePriority.router,
      message,
      ROUTER_LINGER_MS,
    );
}

/** What happens in one area of the server. */
function areaLog(log: Logger, area: string): Log {
  return log.child({ area });
}

async function listenHttpRouter(apps: RunningApps, settings: Settings, log: Log): Promise<HttpRouter> {
  const { routerPort, routerConnections, routerConnectionsPerPeer } = settings;
  const host = hostOfPlainHttp(settings);
  const connections = { max: routerConnections, maxPerPeer: routerConnectionsPerPeer };
  const trustedProxies = trustedProxiesOf(settings);
  return startHttpRouter({
    host,
    port: routerPort,
    apps,
    connections,
    trustedProxies,
    log,
    startsClosed: true,
  }).catch((error: unknown) => {
    throw listenError(error, host, routerPort, 'the HTTP router', 'TAILRACE_ROUTER_PORT');
  });
}

/** A note in the data folder, where clients on this machine find the server. */
class ServerFile {
  private readonly file: string;
  private readonly urls: { readonly url: string; readonly publicUrl: string | undefined };
  private note = '';

  constructor(folder: string, urls: ServerFile['urls']) {
    this.file = join(folder, 'server.json');
    this.urls = urls;
  }

  /**
   * @param state `takesRestart`: does it restart at SIGUSR2? `isStarting`: it will soon. `restartFailed`: another value each time that it
   * couldn't
   */
  write(state: {
    readonly takesRestart: boolean;
    readonly isStarting?: boolean;
    readonly restartFailed?: string;
  }): void {
    this.note = `${JSON.stringify({ ...this.urls, pid: process.pid, startTicks: ownStartTicks(), ...state })}\n`;
    writeFileSync(this.file, this.note, { mode: 0o600 });
  }

  remove(): void {
    // Another folder may be in this one's place by now, with the note of another server.
    if (existsSync(this.file) && readFileSync(this.file, 'utf8') === this.note)
      rmSync(this.file, { force: true });
  }
}

/** A server that has an address of its own has a proxy in front, which is on this machine unless it is said where. */
function trustedProxiesOf({ trustedProxies, publicUrl, appsUrl }: Settings): TrustedProxies {
  const local = publicUrl || appsUrl ? parseNetworks('loopback') : [];
  return new TrustedProxies(trustedProxies ?? local ?? []);
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
