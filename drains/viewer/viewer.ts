/**
 * The viewer: the log router's own ways in and its store, what keeps lines for long, and an API over both. This file opens its parts, and
 * closes them in the reverse order.
 *
 *     sources ─► router ─► streams ─► indexer ─► parts ─► search, counts, values
 *                             └─► readers ─► tails
 */

import { existsSync, readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { join } from 'node:path';
import { createSecureContext, type SecureContextOptions, Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { Closers } from '../../src/common/closers.ts';
import { reasonOf, TailraceError } from '../../src/common/errors.ts';
import { createHttpServer } from '../../src/common/http/create-server.ts';
import { finishRequestsOnClose } from '../../src/common/http/finish-requests.ts';
import { localUrlHost } from '../../src/common/text/url-host.ts';
import { CertificateFiles, TLS_SERVER_OPTIONS } from '../../src/common/tls/certificate-files.ts';
import { TlsIdentity } from '../../src/common/tls/tls-identity.ts';
import { registerCertificateMetrics } from '../../src/logs/metrics/certificate-metrics.ts';
import { PlatformLinePriority } from '../../src/logs/router/platform-log.ts';
import { limitHttpConnections } from '../../src/logs/sources/http/http-connection-limiter.ts';
import { registerIngestRoutes } from '../../src/logs/sources/http/ingest-routes.ts';
import { boundPort, listenError } from '../../src/logs/sources/listen.ts';
import { registerListenerMetrics } from '../../src/logs/sources/listener-metrics.ts';
import { startSyslogListeners } from '../../src/logs/sources/syslog/syslog-listeners.ts';
import { Access } from './access/access.ts';
import { alertFeature } from './api/alerts/alert-feature.ts';
import { addSecurityHeaders, registerViewerRoutes } from './api/viewer-server.ts';
import { RESTORING_FILE } from './config/data-folder.ts';
import { logRouterSettings, type ViewerSettings } from './config/settings.ts';
import { openArchive } from './open-archive.ts';
import { openViewerLines } from './open-viewer-lines.ts';
import type { OpenFeature, ViewerFeature, ViewerParts } from './parts.ts';
import { sourceForSender } from './receive/source-for-sender.ts';

/** What else the viewer does with its lines. */
const FEATURES: readonly OpenFeature[] = [alertFeature, openArchive];

export interface RunningViewer {
  readonly parts: ViewerParts;
  readonly url: string;
  /** Undefined when syslog isn't listened for. */
  readonly syslogPort: number | undefined;
  /** Undefined without a certificate. */
  readonly syslogTlsPort: number | undefined;
  /** Reads certificates anew. */
  reload(): void;
  /** The address with which the first owner makes themselves known; undefined when there is somebody. */
  readonly firstRunUrl: string | undefined;
  /** Takes no more lines, stores what was taken. */
  close(): Promise<void>;
}

/**
 * @param pageUrl where browsers find its page; left out: where it is
 * @throws TailraceError when a port is taken or the data folder can't be used, with what to do
 */
export async function startViewer(
  settings: ViewerSettings,
  log: Logger,
  pageUrl?: string,
): Promise<RunningViewer> {
  if (existsSync(join(settings.data, RESTORING_FILE)))
    throw new TailraceError(
      'data_folder',
      `A restore into ${settings.data} was interrupted, and not all of the backup is there: start the restore again, or empty the folder.`,
    );
  const https = readCertificate(settings);
  const closers = new Closers();
  const certificates = new CertificateFiles(log.child({ area: 'tls' }));
  closers.add(() => certificates.close());
  let url = '';
  try {
    const routerSettings = logRouterSettings(settings);
    const { core, groups, lines, dropLines } = await openViewerLines(
      routerSettings,
      settings.groupToken,
      log,
      closers,
    );
    const { store: records, readers, router, platformLog, metrics, appName } = core;
    const { apiKey, publicUrl } = settings;
    const access = new Access({ records, apiKey, publicUrl });
    closers.add(() => access.close());
    const parts: ViewerParts = {
      settings,
      store: lines,
      records,
      readers,
      groups,
      access,
      metrics,
      log: log.child({ area: 'viewer' }),
      publicUrl: () => publicUrl || url,
      pageUrl: () => pageUrl || publicUrl || url,
    };
    const features: ViewerFeature[] = [];
    for (const open of FEATURES) {
      const feature = await open(parts);
      features.push(feature);
      closers.add(() => feature.close?.());
    }
    const syslog = await startSyslogListeners({
      settings: routerSettings,
      store: records,
      router,
      appName,
      logToApp: (stream, message) =>
        platformLog.write(stream, 'heroku', 'logplex', PlatformLinePriority.loss, message),
      log: log.child({ area: 'sources' }),
      hasPort: settings.syslog,
      certificates,
    });
    closers.add(() => syslog.close());

    const http = createHttpServer(log.child({ area: 'api' }), {
      requestTimeoutMs: settings.frameTimeoutMs,
      https,
      trustedProxies: settings.trustedProxies,
    });
    if (https) followCertificate(http.server, certificates, settings);
    addSecurityHeaders(http);
    const finishRequests = finishRequestsOnClose(http);
    const httpCounters = await registerIngestRoutes(http, {
      router,
      rateLimiter: syslog.rateLimiter,
      mayWrite: (key) => access.mayIngest(key),
      sourceForSender: sourceForSender(groups, router),
      trustedProxies: settings.trustedProxies,
      holdMs: settings.holdMs,
      log: log.child({ area: 'sources' }),
    });
    limitHttpConnections(http.server, {
      connectionsMax: settings.connections,
      counters: httpCounters[0],
      log: log.child({ area: 'sources' }),
    });
    registerCertificateMetrics(metrics, certificates);
    const counters = [...syslog.counters, ...httpCounters];
    registerListenerMetrics(metrics, {
      counters,
      router,
      udpPort: syslog.port,
      appsMax: Number.POSITIVE_INFINITY,
      appNames: async () =>
        new Map(groups.list().flatMap(({ id }) => groups.streamsOf(id).map((one) => [one.id, one.name]))),
    });
    await registerViewerRoutes(
      http,
      {
        ...parts,
        syslogAddresses: () => syslogAddresses(parts.publicUrl(), syslog),
        requirePort: (rulePort) => syslog.requirePort(rulePort),
        dropLines,
        linkLines: (folder) => lines.linkFiles(folder),
      },
      counters,
      features,
    );
    http.addHook('preClose', finishRequests);
    const { host, httpPort } = settings;
    await http.listen({ host, port: httpPort }).catch((error: unknown) => {
      throw listenError(error, { host, port: httpPort }, 'HTTP', 'VIEWER_HTTP_PORT', 'VIEWER_HOST');
    });
    closers.add(() => http.close());
    url = `${settings.tlsCert ? 'https' : 'http'}://${localUrlHost(host)}:${boundPort(http.server)}`;
    records.onServerStarted();
    const firstRun = apiKey === '' ? await access.users.firstRun() : undefined;
    return {
      parts,
      url,
      syslogPort: syslog.port,
      syslogTlsPort: syslog.tlsPort,
      reload: () => certificates.refresh(),
      firstRunUrl: firstRun === undefined ? undefined : `${parts.publicUrl()}/#first-run=${firstRun}`,
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Where senders of syslog reach it, by protocol. */
function syslogAddresses(
  publicUrl: string,
  { port, tlsPort }: { readonly port: number | undefined; readonly tlsPort: number | undefined },
): Readonly<Record<string, string>> {
  if (port === undefined) return {};
  const { hostname } = new URL(publicUrl);
  return {
    tcp: `${hostname}:${port}`,
    udp: `${hostname}:${port}`,
    ...(tlsPort !== undefined && { tls: `${hostname}:${tlsPort}` }),
  };
}

function readCertificate({ tlsCert, tlsKey }: ViewerSettings): SecureContextOptions | undefined {
  if (tlsCert === '') return undefined;
  const [cert, key] = [tlsCert, tlsKey].map((file) => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new TailraceError('settings', `${file} can't be read (${reasonOf(error)}): name another file.`);
    }
  });
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new TailraceError(
      'settings',
      `${tlsCert} and ${tlsKey} are no certificate and key that belong together (${reasonOf(error)}).`,
    );
  }
  return { cert, key, ...TLS_SERVER_OPTIONS };
}

/** A certificate that is renewed is shown to the browsers that come next. */
function followCertificate(
  server: HttpServer,
  certificates: CertificateFiles,
  { tlsCert: certificate, tlsKey: key }: ViewerSettings,
): void {
  const settings = { certificate: 'VIEWER_TLS_CERT', key: 'VIEWER_TLS_KEY' };
  if (server instanceof TlsServer)
    new TlsIdentity(certificates, [{ certificate, key, settings }]).follow(server);
}
