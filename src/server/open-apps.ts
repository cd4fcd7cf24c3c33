import { join } from 'node:path';
import { randomAppName } from '../api/apps/apps.ts';
import { removeAddonDrains, setAddonDrain } from '../api/logs/addon-drains.ts';
import { addonLogInput } from '../api/logs/addon-log-input.ts';
import { ApiKeys } from '../apps/access/api-keys.ts';
import { LocalKey } from '../apps/access/local-key.ts';
import { People } from '../apps/access/people.ts';
import { Builder } from '../apps/host/builder.ts';
import { DynoManager } from '../apps/host/dyno-manager.ts';
import { isolationFromSettings } from '../apps/host/isolation-settings.ts';
import { Releaser } from '../apps/host/release/releaser.ts';
import { RunningApps } from '../apps/host/running-apps.ts';
import { AppSetup } from '../apps/host/setup/app-setup.ts';
import { type HttpRouter, startHttpRouter } from '../apps/http-router/http-router.ts';
import { OWNER } from '../apps/records/owner.ts';
import { Releases } from '../apps/records/release-history.ts';
import type { Settings } from '../common/config/settings.ts';
import { LOCAL_DOMAIN } from '../common/http/addresses.ts';
import type { Log } from '../common/log.ts';
import { VERSION } from '../common/package-info.ts';
import { hostOfPlainHttp, plainHttpHostSetting } from '../common/tls/certificate-settings.ts';
import { waitWithTimeout } from '../common/wait-with-timeout.ts';
import { TargetPolicy } from '../logs/drains/options/target-policy.ts';
import { PlatformLinePriority, type PlatformLog } from '../logs/router/platform-log.ts';
import { listenError } from '../logs/sources/listen.ts';
import type { AppId } from '../logs/store/contract.ts';
import type { Logs } from './open-logs.ts';
import type { ServerContext } from './server-context.ts';
import { type DrainingServer, GRACE_MS, type RouterLineSink } from './shutdown.ts';
import { trustedProxiesOf } from './trusted-proxies.ts';

/** Requests of apps that are under way then may take so long, beside the other server: WebSockets are among them. */
const LEFT_REQUESTS_MS = 30_000;
/** Connections that are kept alive wait so long for a last request. */
const LEFT_IDLE_MS = 5_000;
/** Builds and releases that are aborted end within this. */
const TASKS_GRACE_MS = 5_000;
/** The HTTP router's lines linger for so long: of requests that come at an even rate each would store a batch of its own. */
const ROUTER_LINGER_MS = 10;

type AddonOptions = ConstructorParameters<typeof DynoManager>[0]['addons'];

/** What runs apps on this machine: their records, their dynos, the HTTP router in front of them. */
export interface Apps {
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
  finishRequests: DrainingServer['finishRequests'];
  acceptForRouter: HttpRouter['accept'];
}

/** Opens what runs apps; its HTTP router listens, and holds connections until the apps are there. @throws TailraceError when its port is taken */
export async function openApps(context: ServerContext, logs: Logs): Promise<Apps> {
  const { settings, log, addresses } = context;
  const { store, appRegistry, platformLog, targetPolicy } = logs;
  const releases = new Releases(store);
  const people = new People(store);
  const apiKeys = new ApiKeys(store, people);
  const localKey = await LocalKey.open({
    folder: settings.data,
    apiKeys,
    isShared: settings.redisUrl !== '',
    log: log.child({ area: 'api' }),
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
  const httpRouter = await listenHttpRouter(runningApps, settings, log.child({ area: 'http-router' }));
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
    addons: addonOptions(context, logs, () => releaser, logToApp),
    isolation,
    releaser: () => releaser,
    handoverMs: settings.dynoHandoverMs,
    beforeRemoval: (app) => appSetup.runPredestroy(app),
    memory: { quota: settings.dynoMemory, everyMs: settings.dynoSampleMs },
    log: log.child({ area: 'apps' }),
  });
  const releaser = new Releaser({
    store,
    appRegistry,
    releases,
    dynoManager,
    server: () => dynoManager.serverId,
    logToApp,
    owner: OWNER.email,
    log: log.child({ area: 'apps' }),
  });
  const appSetup = new AppSetup({ store, releases, releaser, dynoManager, log: log.child({ area: 'apps' }) });
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
    log: log.child({ area: 'builds' }),
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

/** What add-ons need of the server around them. */
function addonOptions(
  { settings, addresses }: ServerContext,
  { appRegistry, drains: deliveries, targetPolicy }: Logs,
  releaser: () => Releaser,
  logToApp: AddonOptions['logToApp'],
): AddonOptions {
  return {
    randomName: randomAppName,
    backupPolicy: new TargetPolicy(settings.allowPrivateDrains, 'backups may not be fetched from'),
    release: (app, change, options) => releaser().release(app, change, options),
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
  };
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
    throw listenError(
      error,
      { host, port: routerPort },
      'the HTTP router',
      'TAILRACE_ROUTER_PORT',
      plainHttpHostSetting(settings),
    );
  });
}

/** Writes the HTTP router's lines to the streams of their apps. */
export function routerLineSink(platformLog: PlatformLog): RouterLineSink {
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
