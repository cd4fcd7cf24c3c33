/**
 * The viewer: the log router's own ways in and its store, what keeps lines for long, and an API over both. This file opens its parts, and
 * closes them in the reverse order.
 *
 *     sources ─► router ─► streams ─► indexer ─► parts ─► search, counts, values
 *                             └─► readers ─► tails
 */

import { readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { join } from 'node:path';
import { createSecureContext, Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { Closers } from '../../src/common/closers.ts';
import { reasonOf, TailraceError } from '../../src/common/errors.ts';
import { createHttpServer } from '../../src/common/http/create-server.ts';
import { finishRequestsOnClose } from '../../src/common/http/finish-requests.ts';
import { localUrlHost } from '../../src/common/text/url-host.ts';
import { CertificateFiles } from '../../src/common/tls/certificate-files.ts';
import { TlsIdentity } from '../../src/common/tls/tls-identity.ts';
import { openLogCore } from '../../src/logs/composition/open-log-core.ts';
import { registerCertificateMetrics } from '../../src/logs/metrics/certificate-metrics.ts';
import { PlatformLinePriority } from '../../src/logs/router/platform-log.ts';
import { limitHttpConnections } from '../../src/logs/sources/http/http-connection-limiter.ts';
import { registerIngestRoutes } from '../../src/logs/sources/http/ingest-routes.ts';
import { boundPort, listenError } from '../../src/logs/sources/listen.ts';
import { registerListenerMetrics } from '../../src/logs/sources/listener-metrics.ts';
import { startSyslogListeners } from '../../src/logs/sources/syslog/syslog-listeners.ts';
import type { AppId } from '../../src/logs/store/contract.ts';
import { Access } from './access/access.ts';
import { alertFeature } from './api/alerts/alert-feature.ts';
import { addSecurityHeaders, registerViewerRoutes } from './api/viewer-server.ts';
import { removeUnfinishedBackups } from './backup/viewer-backup.ts';
import { LINES_FOLDER } from './config/data-folder.ts';
import { logRouterSettings, type ViewerSettings } from './config/settings.ts';
import { Groups, RECOVERED_GROUP } from './groups/groups.ts';
import { openArchive } from './open-archive.ts';
import type { OpenFeature, ViewerFeature, ViewerParts } from './parts.ts';
import { sourceForSender } from './receive/source-for-sender.ts';
import { openLineStore } from './store/open-line-store.ts';
import type { PackedLineStore } from './store/packed-line-store.ts';

/** What else the viewer does with its lines. */
const FEATURES: readonly OpenFeature[] = [alertFeature, openArchive];
/** Name of the group that is there from the start. */
const FIRST_GROUP = 'default';

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
  const https = readCertificate(settings);
  const closers = new Closers();
  const certificates = new CertificateFiles(log.child({ area: 'tls' }));
  closers.add(() => certificates.close());
  let url = '';
  try {
    const routerSettings = logRouterSettings(settings);
    const sealing = new Set<AppId>();
    // Names are asked for while the store is opened: there are none yet.
    const opened: { groups?: Groups; lines?: PackedLineStore } = {};
    const core = await openLogCore(
      routerSettings,
      log,
      () => ({ appName: async (stream) => opened.groups?.findStream(stream)?.name }),
      {
        mayTrim: (stream, through) => {
          const { lines } = opened;
          if (!lines || lines.packedThrough(stream) >= through) return lines !== undefined;
          // Its part is closed earlier than it would be: until then it is read from the stream.
          if (!sealing.has(stream)) {
            sealing.add(stream);
            const end = (): void => void sealing.delete(stream);
            lines.seal(stream).then(end, end);
          }
          return false;
        },
        // What is packed isn't lost.
        isDamageReported: true,
      },
    );
    closers.add(core.close);
    const { store: records, readers, router, platformLog, metrics, appName } = core;
    const groups = await Groups.open(records);
    opened.groups = groups;
    if (groups.list().length === 0) await groups.create(FIRST_GROUP, settings.groupToken || undefined);
    await removeUnfinishedBackups(settings.data);
    const storeLog = log.child({ area: 'lines' });
    const lines = await openLineStore({
      folder: join(settings.data, LINES_FOLDER),
      store: records,
      onProblem: (message) => storeLog.warn({}, message),
    });
    closers.add(() => lines.close());
    opened.lines = lines;
    const follow = async (ids: readonly AppId[]): Promise<void> => {
      await Promise.all(ids.filter((id) => groups.findStream(id)).map((id) => lines.follow(id)));
    };
    groups.onChange((ids) => {
      follow(ids).catch((error: unknown) => storeLog.warn({ err: error }, 'A stream cannot be packed.'));
    });
    await follow(groups.list().flatMap(({ id }) => groups.streamsOf(id).map((stream) => stream.id)));
    const dropLines = async (stream: AppId): Promise<void> => {
      await lines.dropStream(stream);
      await records.dropStream(stream);
    };
    await groups.dropRemoved(dropLines);
    const adopted = await groups.adopt(lines.storedStreams);
    if (adopted.length > 0)
      storeLog.warn(
        { streams: adopted.map(({ name }) => name) },
        adopted.length === 1
          ? `The record of a stream is lost, its lines are not: it is in the group ${RECOVERED_GROUP} now, with a new name and token.`
          : `The records of ${adopted.length} streams are lost, their lines are not: they are in the group ${RECOVERED_GROUP} now, with new names and tokens.`,
      );
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
    const { tlsPort, port } = syslog;
    const syslogAddresses = (): Readonly<Record<string, string>> => {
      if (port === undefined) return {};
      const { hostname } = new URL(parts.publicUrl());
      return {
        tcp: `${hostname}:${port}`,
        udp: `${hostname}:${port}`,
        ...(tlsPort !== undefined && { tls: `${hostname}:${tlsPort}` }),
      };
    };
    await registerViewerRoutes(
      http,
      {
        ...parts,
        syslogAddresses,
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
      throw listenError(error, host, httpPort, 'HTTP', 'VIEWER_HTTP_PORT');
    });
    closers.add(() => http.close());
    url = `${settings.tlsCert ? 'https' : 'http'}://${localUrlHost(host)}:${boundPort(http.server)}`;
    records.onServerStarted();
    const firstRun = apiKey === '' ? await access.users.firstRun() : undefined;
    return {
      parts,
      url,
      syslogPort: port,
      syslogTlsPort: tlsPort,
      reload: () => certificates.refresh(),
      firstRunUrl: firstRun === undefined ? undefined : `${parts.publicUrl()}/#first-run=${firstRun}`,
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

function readCertificate({ tlsCert, tlsKey }: ViewerSettings): { cert: Buffer; key: Buffer } | undefined {
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
  return { cert, key };
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
