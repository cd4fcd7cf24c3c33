/**
 * The composition root: the log router, what runs apps, and the API, each opened with what it needs of those before it, and closed in the
 * reverse order.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Closers } from './common/closers.ts';
import type { Settings } from './common/config/settings.ts';
import { type CreatedDataFolder, createDataFolder } from './common/files/data-folder.ts';
import { Addresses } from './common/http/addresses.ts';
import { VERSION } from './common/package-info.ts';
import { CertificateFiles } from './common/tls/certificate-files.ts';
import { httpPemFiles } from './common/tls/certificate-settings.ts';
import { TlsIdentity } from './common/tls/tls-identity.ts';
import { openTlsPorts, type TlsPorts } from './logs/composition/tls-ports.ts';
import { openApi } from './server/open-api.ts';
import { type Apps, openApps, routerLineSink } from './server/open-apps.ts';
import { type Logs, openLogs } from './server/open-logs.ts';
import type { ServerContext } from './server/server-context.ts';
import { ServerFile } from './server/server-file.ts';
import type { DrainingServer, Handover, RouterLineSink } from './server/shutdown.ts';

/** Connections to the HTTP router wait no longer than this for the apps to be there. */
const ROUTER_OPENS_AFTER_MS = 10_000;

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
  leave(routerLine: RouterLineSink): Promise<DrainingServer>;
  /** Writes such a line of the server before. @param app its id */
  writeRouterLine: RouterLineSink;
  /** Says where clients of this machine look that another server was to follow, and couldn't start. */
  noteFailedRestart(): void;
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
  const handover: Handover = { routerLine: undefined };
  const closers = new Closers();
  const folder = createDataFolder(settings.data);
  try {
    const certificates = new CertificateFiles(log.child({ area: 'tls' }));
    closers.add(() => certificates.close());
    const context: ServerContext = { settings, log, addresses, certificates, handover };
    const pemFiles = httpPemFiles(settings);
    const identity = pemFiles && new TlsIdentity(certificates, pemFiles);
    const logs = await openLogs(context);
    closers.add(logs.close);
    const apps = await openApps(context, logs);
    routerPort = apps.routerPort;
    closers.add(async () => {
      if (handover.routerLine) apps.leaveHttpRouter(handover.routerLine);
      else await apps.closeHttpRouter();
    });
    const api = await openApi(context, logs, apps);
    url = api.url;
    closers.add(api.close);
    const tlsPorts =
      identity &&
      (await openTlsPorts({
        settings,
        identity,
        acceptForApi: api.accept,
        acceptForApps: apps.acceptForRouter,
        log: log.child({ area: 'tls' }),
      }));
    if (tlsPorts) closers.add(() => tlsPorts.close(handover.routerLine !== undefined));
    // At once: whoever sees the server answer may look for it there.
    const serverFile = new ServerFile(settings.data, { url, publicUrl: publicUrl || undefined });
    serverFile.write({ takesRestart: false, isStarting: !startsMore });
    // The next server writes its own over it.
    closers.add(() => {
      if (!handover.routerLine) serverFile.remove();
    });
    // The last lines of dynos come over the API's server.
    closers.add(() => (handover.routerLine ? apps.leave() : apps.close()));
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
      handover.routerLine = sink;
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
