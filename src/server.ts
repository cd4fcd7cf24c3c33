/** The composition root: reads settings, wires the parts, starts them, stops them in the reverse order. */
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { createApiServer, registerApiRoutes } from './api/api-server.ts';
import { Builder } from './apps/host/builder.ts';
import { DynoManager } from './apps/host/dyno-manager.ts';
import { isolationFromSettings } from './apps/host/isolation-settings.ts';
import { RunningApps } from './apps/host/running-apps.ts';
import { type HttpRouter, startHttpRouter } from './apps/http-router/http-router.ts';
import { ApiKeys, generateApiKey, KEY_SCOPES } from './apps/records/api-keys.ts';
import { AppRegistry } from './apps/records/app-registry.ts';
import { OWNER } from './apps/records/owner.ts';
import { Releases } from './apps/records/release-history.ts';
import type { Settings } from './common/config/settings.ts';
import { makeDirectory } from './common/make-directory.ts';
import { VERSION } from './common/package-info.ts';
import { DrainSupervisor } from './logs/drains/drain-supervisor.ts';
import { TargetPolicy } from './logs/drains/options/target-policy.ts';
import { OutletFactory } from './logs/drains/sinks/outlet-factory.ts';
import { LogMetrics } from './logs/metrics/log-metrics.ts';
import { createRegistry } from './logs/metrics/registry.ts';
import { LogRouter } from './logs/router/log-router.ts';
import { PlatformLinePriority, PlatformLog } from './logs/router/platform-log.ts';
import { limitHttpConnections } from './logs/sources/http/http-connection-limiter.ts';
import { registerIngestRoutes } from './logs/sources/http/ingest-routes.ts';
import { listenError } from './logs/sources/listen.ts';
import { registerBatchMetrics, registerListenerMetrics } from './logs/sources/listener-metrics.ts';
import { startSyslogListeners } from './logs/sources/syslog/syslog-listeners.ts';
import type { Store } from './logs/store/contract.ts';
import { openStore } from './logs/store/open.ts';
import { StreamReaders } from './logs/store/stream-reader.ts';

/** How long drains may finish what is under way when the server stops. */
const GRACE_MS = 3_000;
/**
 * The HTTP router's lines gather for so long: requests that come at an even rate would each store a batch, which cost a
 * fifth of their processor time.
 */
const ROUTER_LINGER_MS = 10;
/** One warning about a failing store in this time. */
const WARN_INTERVAL_MS = 10_000;

/** A running server. */
export interface RunningServer {
  readonly url: string;
  readonly syslogPort: number;
  /** Undefined without a certificate. */
  readonly syslogTlsPort: number | undefined;
  readonly routerPort: number;
  /** An API key that may do everything, for clients on this machine. */
  readonly key: string;
  readonly store: Store;
  readonly readers: StreamReaders;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly runningApps: RunningApps;
  readonly dynoManager: DynoManager;
  readonly platformLog: PlatformLog;
  readonly log: Logger;
  webUrl(appName: string): string;
  /** Stops: takes no more lines, stores what was taken, lets drains finish what is under way. */
  close(): Promise<void>;
}

/**
 * Starts everything but apps.
 * @throws TailraceError when a port is taken or the data folder can't be used, with what to do.
 */
export async function startServer(
  settings: Settings,
  log: Logger = createLogger(settings),
): Promise<RunningServer> {
  const warn = (fields: object, message: string): void => log.warn(fields, message);
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await wire();
  } catch (error) {
    await close();
    throw error;
  }

  async function wire(): Promise<RunningServer> {
    const { host } = settings;
    const store = await openStore(settings, warn);
    closers.push(() => store.close());
    const readers = new StreamReaders(store);
    let warnedMs = 0;
    const appRegistry = new AppRegistry(store);
    const metrics = createRegistry();
    const appName = async (app: string): Promise<string | undefined> =>
      (await appRegistry.findApp(app))?.name;
    const logMetrics = new LogMetrics(metrics, appName);
    const observeBatch = registerBatchMetrics(metrics);
    const router = new LogRouter(store, {
      pendingBytesMax: settings.pendingBytes,
      onAppendFailed: (app, error) => {
        if (Date.now() - warnedMs < WARN_INTERVAL_MS) return;
        warnedMs = Date.now();
        warn({ app, err: error }, 'lines can not be stored for now; senders are asked to wait');
      },
      onBatchStored: (app, batch, afterMs) => {
        observeBatch(batch.count, batch.bytes.length, afterMs);
        logMetrics.recordBatch(app, batch.bytes);
      },
    });
    closers.push(async () => {
      const lost = await router.close(GRACE_MS);
      if (lost > 0)
        warn({ lost }, `${lost} lines could not be stored before the end; they were not acknowledged`);
    });
    const platformLog = new PlatformLog(router);
    const releases = new Releases(store);
    const keys = new ApiKeys(store);
    const key = await loadLocalKey(settings.data, keys);

    const logToApp = platformLog.write.bind(platformLog);
    const targets = new TargetPolicy(settings.allowPrivateDrains);
    const outlets = new OutletFactory(targets, VERSION);
    const deliveries = new DrainSupervisor({
      store,
      readers,
      outlets,
      version: VERSION,
      logToApp: (app, kind, message) =>
        logToApp(app, 'heroku', 'logplex', PlatformLinePriority[kind], message),
      warn,
    });
    closers.push(() => deliveries.close(GRACE_MS));
    await deliveries.reconcile();

    const syslog = await startSyslogListeners({
      settings,
      store,
      router,
      appName,
      logToApp: (app, message) => logToApp(app, 'heroku', 'logplex', PlatformLinePriority.loss, message),
      warn,
    });
    closers.push(() => syslog.close());

    const runningApps = new RunningApps((app, message) =>
      logToApp(app, 'heroku', 'router', PlatformLinePriority.router, message, ROUTER_LINGER_MS),
    );
    const httpRouter = await listenHttpRouter(runningApps, settings);
    closers.push(() => httpRouter.close(GRACE_MS));
    const webUrl = (name: string): string => `http://${name}.localhost:${httpRouter.port}/`;

    let url = '';
    const dynoManager = new DynoManager({
      store,
      appRegistry,
      releases,
      runningApps,
      folder: settings.data,
      url: () => url,
      key,
      waitForInFlight: httpRouter.waitForInFlight,
      rendezvous: { host, port: settings.rendezvousPort },
      isolation: await isolationFromSettings(settings),
      memory: { quota: settings.dynoMemory, everyMs: settings.dynoSampleMs },
      warn,
    });

    const builder = new Builder({
      store,
      releases,
      dynoManager,
      cacheFolder: join(settings.data, 'caches'),
      webUrl,
      logToApp: (app, priority, message) => logToApp(app, 'app', 'api', priority, message),
      owner: OWNER.email,
      warn,
    });

    const http = createApiServer(warn, settings.frameTimeoutMs);
    const counters = await registerIngestRoutes(http, {
      router,
      rateLimiter: syslog.rateLimiter,
      mayWrite: (shown) => keys.allows(shown, 'ingest'),
      warn,
    });
    limitHttpConnections(http.server, { connectionsMax: settings.connections, counters: counters[0], warn });
    const allCounters = [...syslog.counters, ...counters];
    registerListenerMetrics(metrics, {
      counters: allCounters,
      router,
      udpPort: syslog.port,
      appNames: () => appRegistry.appNames(),
    });
    await registerApiRoutes(http, {
      store,
      appRegistry,
      apiKeys: keys,
      releases,
      readers,
      deliveries,
      targetPolicy: targets,
      outlets,
      metrics,
      platformLog,
      dynoRunner: dynoManager,
      addonServices: dynoManager.addons,
      builds: builder,
      uploadFolder: join(settings.data, 'uploads'),
      sourceBytesMax: settings.sourceBytes,
      repositoryFolder: join(settings.data, 'repositories'),
      url: () => url,
      requireSlug: (app, id) => dynoManager.requireSlug(app, id),
      counters: allCounters,
      requirePort: syslog.requirePort,
      webUrl,
      gitUrl: (name) => `${url}/${name}.git`,
      warn,
      version: VERSION,
      startedAtMs: Date.now(),
    });
    await http.listen({ host, port: settings.httpPort }).catch((error: unknown) => {
      throw listenError(error, host, settings.httpPort, 'HTTP', 'TAILRACE_HTTP_PORT');
    });
    closers.push(() => http.close());
    const address = http.server.address();
    const httpPort = typeof address === 'object' && address ? address.port : settings.httpPort;
    url = `http://${urlHost(host)}:${httpPort}`;
    closers.push(() => dynoManager.close());
    closers.push(() => builder.close());
    await dynoManager.open();
    closers.push(writeServerFile(settings.data, url));
    return {
      url,
      syslogPort: syslog.port,
      syslogTlsPort: syslog.tlsPort,
      routerPort: httpRouter.port,
      key,
      store,
      readers,
      appRegistry,
      releases,
      runningApps,
      dynoManager,
      platformLog,
      log,
      webUrl,
      close,
    };
  }
}

/** The server's own log: JSON lines on stderr, so that stdout stays the stream's. */
export function createLogger(settings: Pick<Settings, 'logLevel'>): Logger {
  return pino(
    { level: settings.logLevel, base: null, redact: ['url', '*.url', 'key', 'token'] },
    pino.destination({ dest: 2, sync: true }),
  );
}

async function listenHttpRouter(apps: RunningApps, { host, routerPort }: Settings): Promise<HttpRouter> {
  return startHttpRouter({ host, port: routerPort, apps }).catch((error: unknown) => {
    throw listenError(error, host, routerPort, 'the HTTP router', 'TAILRACE_ROUTER_PORT');
  });
}

/** The key of clients on this machine: in the data folder, readable only by its owner. */
async function loadLocalKey(folder: string, keys: ApiKeys): Promise<string> {
  // The embedded store has made the folder already; with another store there is only this in it.
  makeDirectory(folder, 0o700);
  const file = join(folder, 'key');
  if (!existsSync(file)) writeFileSync(file, `${generateApiKey()}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  const key = readFileSync(file, 'utf8').trim();
  if (!(await keys.allows(key, 'write')))
    await keys.add(key, { id: randomUUID(), scopes: KEY_SCOPES, createdAt: new Date().toISOString() });
  return key;
}

/** Leaves a note in the data folder where clients on this machine find the server; returns how to take it away. */
function writeServerFile(folder: string, url: string): () => void {
  const file = join(folder, 'server.json');
  writeFileSync(file, `${JSON.stringify({ url, pid: process.pid })}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
