/** The composition root: reads settings, wires the parts, starts them, stops them in the reverse order. */
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { makeServer, serveApi } from './api/server.ts';
import { Builder } from './apps/host/builder.ts';
import { Host } from './apps/host/host.ts';
import { Hosting } from './apps/host/hosting.ts';
import { isolation } from './apps/host/isolated.ts';
import { type RunningProxy, startProxy } from './apps/http-router/proxy.ts';
import { Directory } from './apps/records/directory.ts';
import { Keys, makeKey, SCOPES } from './apps/records/keys.ts';
import { OWNER } from './apps/records/owner.ts';
import { Releases } from './apps/records/release-history.ts';
import type { Settings } from './common/config/settings.ts';
import { makeFolder } from './common/folder.ts';
import { VERSION } from './common/package.ts';
import { Deliveries } from './logs/drains/deliveries.ts';
import { TargetPolicy } from './logs/drains/options/target-policy.ts';
import { Outlets } from './logs/drains/sinks/outlets.ts';
import { LogMetrics } from './logs/metrics/log-metrics.ts';
import { makeMetrics } from './logs/metrics/metrics.ts';
import { Announcer, Priority } from './logs/router/announcer.ts';
import { Router } from './logs/router/router.ts';
import { httpSource } from './logs/sources/http/http.ts';
import { guardHttp } from './logs/sources/http/http-guard.ts';
import { listenError } from './logs/sources/listening.ts';
import { measureSources, measureStored } from './logs/sources/metrics.ts';
import { startSyslog } from './logs/sources/syslog/syslog.ts';
import type { Store } from './logs/store/contract.ts';
import { openStore } from './logs/store/open.ts';
import { Readers } from './logs/store/reader.ts';

/** How long drains may finish what is under way when the server stops. */
const GRACE_MS = 3_000;
/**
 * The HTTP router's lines gather for so long: requests that come at an even rate would each store a batch, which cost a
 * fifth of their processor time.
 */
const ROUTER_LINES_MS = 10;
/** One warning about a failing store in this time. */
const WARN_MS = 10_000;

/** A running server. */
export interface Server {
  readonly url: string;
  readonly syslogPort: number;
  /** Undefined without a certificate. */
  readonly syslogTlsPort: number | undefined;
  readonly routerPort: number;
  /** An API key that may do everything, for clients on this machine. */
  readonly key: string;
  readonly store: Store;
  readonly readers: Readers;
  readonly directory: Directory;
  readonly releases: Releases;
  readonly hosting: Hosting;
  readonly host: Host;
  readonly announcer: Announcer;
  readonly log: Logger;
  webUrl(appName: string): string;
  /** Stops: takes no more lines, stores what was taken, lets drains finish what is under way. */
  close(): Promise<void>;
}

/**
 * Starts everything but apps.
 * @throws TailraceError when a port is taken or the data folder can't be used, with what to do.
 */
export async function startServer(settings: Settings, log: Logger = makeLog(settings)): Promise<Server> {
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

  async function wire(): Promise<Server> {
    const { host } = settings;
    const store = await openStore(settings, warn);
    closers.push(() => store.close());
    const readers = new Readers(store);
    let warnedMs = 0;
    const directory = new Directory(store);
    const metrics = makeMetrics();
    const appName = async (app: string): Promise<string | undefined> => (await directory.findApp(app))?.name;
    const logMetrics = new LogMetrics(metrics, appName);
    const measure = measureStored(metrics);
    const router = new Router(store, {
      pendingBytesMax: settings.pendingBytes,
      onFailure: (app, error) => {
        if (Date.now() - warnedMs < WARN_MS) return;
        warnedMs = Date.now();
        warn({ app, err: error }, 'lines can not be stored for now; senders are asked to wait');
      },
      onStored: (app, batch, afterMs) => {
        measure(batch.count, batch.bytes.length, afterMs);
        logMetrics.take(app, batch.bytes);
      },
    });
    closers.push(async () => {
      const lost = await router.close(GRACE_MS);
      if (lost > 0)
        warn({ lost }, `${lost} lines could not be stored before the end; they were not acknowledged`);
    });
    const announcer = new Announcer(router);
    const releases = new Releases(store);
    const keys = new Keys(store);
    const key = await localKey(settings.data, keys);

    const tellApp = announcer.announce.bind(announcer);
    const targets = new TargetPolicy(settings.allowPrivateDrains);
    const outlets = new Outlets(targets, VERSION);
    const deliveries = new Deliveries({
      store,
      readers,
      outlets,
      version: VERSION,
      tellApp: (app, kind, message) => tellApp(app, 'heroku', 'logplex', Priority[kind], message),
      warn,
    });
    closers.push(() => deliveries.close(GRACE_MS));
    await deliveries.look();

    const syslog = await startSyslog({
      settings,
      store,
      router,
      appName,
      tell: (app, message) => tellApp(app, 'heroku', 'logplex', Priority.loss, message),
      warn,
    });
    closers.push(() => syslog.close());

    const hosting = new Hosting((app, message) =>
      tellApp(app, 'heroku', 'router', Priority.router, message, ROUTER_LINES_MS),
    );
    const proxy = await startWebRouter(hosting, settings);
    closers.push(() => proxy.close(GRACE_MS));
    const webUrl = (name: string): string => `http://${name}.localhost:${proxy.port}/`;

    let url = '';
    const runner = new Host({
      store,
      directory,
      releases,
      hosting,
      folder: settings.data,
      url: () => url,
      key,
      drained: proxy.drained,
      rendezvous: { host, port: settings.rendezvousPort },
      isolation: await isolation(settings),
      memory: { quota: settings.dynoMemory, everyMs: settings.dynoSampleMs },
      warn,
    });

    const builder = new Builder({
      store,
      releases,
      host: runner,
      caches: join(settings.data, 'caches'),
      webUrl,
      announce: (app, priority, message) => tellApp(app, 'app', 'api', priority, message),
      owner: OWNER.email,
      warn,
    });

    const http = makeServer(warn, settings.frameTimeoutMs);
    const counters = await httpSource(http, {
      router,
      limits: syslog.limits,
      mayWrite: (shown) => keys.allows(shown, 'ingest'),
      warn,
    });
    guardHttp(http.server, { connectionsMax: settings.connections, counters: counters[0], warn });
    const allCounters = [...syslog.counters, ...counters];
    measureSources(metrics, {
      counters: allCounters,
      router,
      udpPort: syslog.port,
      appName: () => directory.appNames(),
    });
    await serveApi(http, {
      store,
      directory,
      keys,
      releases,
      readers,
      deliveries,
      targets,
      outlets,
      metrics,
      announcer,
      runner,
      services: runner.addons,
      builds: builder,
      uploads: join(settings.data, 'uploads'),
      sourceBytesMax: settings.sourceBytes,
      repositories: join(settings.data, 'repositories'),
      url: () => url,
      slug: (app, id) => runner.slug(app, id),
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
    closers.push(() => runner.close());
    closers.push(() => builder.close());
    await runner.open();
    closers.push(leaveAddress(settings.data, url));
    return {
      url,
      syslogPort: syslog.port,
      syslogTlsPort: syslog.tlsPort,
      routerPort: proxy.port,
      key,
      store,
      readers,
      directory,
      releases,
      hosting,
      host: runner,
      announcer,
      log,
      webUrl,
      close,
    };
  }
}

/** The server's own log: JSON lines on stderr, so that stdout stays the stream's. */
export function makeLog(settings: Pick<Settings, 'logLevel'>): Logger {
  return pino(
    { level: settings.logLevel, base: null, redact: ['url', '*.url', 'key', 'token'] },
    pino.destination({ dest: 2, sync: true }),
  );
}

async function startWebRouter(directory: Hosting, { host, routerPort }: Settings): Promise<RunningProxy> {
  return startProxy({ host, port: routerPort, directory }).catch((error: unknown) => {
    throw listenError(error, host, routerPort, 'the HTTP router', 'TAILRACE_ROUTER_PORT');
  });
}

/** The key of clients on this machine: in the data folder, readable only by its owner. */
async function localKey(folder: string, keys: Keys): Promise<string> {
  // The embedded store has made the folder already; with another store there is only this in it.
  makeFolder(folder, 0o700);
  const file = join(folder, 'key');
  if (!existsSync(file)) writeFileSync(file, `${makeKey()}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  const key = readFileSync(file, 'utf8').trim();
  if (!(await keys.allows(key, 'write')))
    await keys.add(key, { id: randomUUID(), scopes: SCOPES, createdAt: new Date().toISOString() });
  return key;
}

/** Leaves a note in the data folder where clients on this machine find the server; returns how to take it away. */
function leaveAddress(folder: string, url: string): () => void {
  const file = join(folder, 'server.json');
  writeFileSync(file, `${JSON.stringify({ url, pid: process.pid })}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
