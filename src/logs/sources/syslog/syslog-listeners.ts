/**
 * The syslog sources: TCP and UDP on one port, TLS on another when there is a certificate, and TCP and UDP on every port that a
 * rule names.
 */

import type { Settings } from '../../../common/config/settings.ts';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { CertificateFiles } from '../../../common/tls/certificate-files.ts';
import { syslogPemFiles } from '../../../common/tls/certificate-settings.ts';
import { TlsIdentity } from '../../../common/tls/tls-identity.ts';
import { AppReports } from '../../router/app-reports.ts';
import type { LogRouter } from '../../router/log-router.ts';
import { RateLimiter } from '../../router/rate-limiter.ts';
import { SourceRules } from '../../router/source-rules.ts';
import type { AppId, Store } from '../../store/contract.ts';
import { FRAME_BYTES_MAX } from '../../syslog/frame-boundary.ts';
import { formatTimestamp } from '../../syslog/timestamp.ts';
import { ConnectionLimiter } from '../connection-limiter.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { DatagramMemory } from './datagram-sender.ts';
import { RulePortListeners } from './rule-port-listeners.ts';
import { listenTcp } from './tcp.ts';
import { listenTls } from './tls.ts';
import { listenUdp } from './udp.ts';

export interface SyslogListenersOptions {
  readonly settings: Settings;
  readonly store: Store;
  readonly router: LogRouter;
  /** An app's name. */
  readonly appName: (app: AppId) => Promise<string | undefined>;
  /** Adds a line to an app's stream. */
  readonly logToApp: (app: AppId, message: string) => void;
  readonly log: Log;
  /** False: only ports that rules name are listened on. */
  readonly hasPort?: boolean;
  /** What its certificate is read with. */
  readonly certificates: CertificateFiles;
}

/** The running listeners. */
export interface SyslogListeners {
  /** TCP and UDP; undefined when there is none but those of rules. */
  readonly port: number | undefined;
  readonly tlsPort: number | undefined;
  readonly counters: readonly ListenerCounters[];
  /** Shared with the other sources. */
  readonly rateLimiter: RateLimiter;
  /** @throws TailraceError `conflict` when a rule can't name this port, because it can't be listened on here. */
  requirePort(port: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws TailraceError `address_in_use` when a port is taken, `settings` for a certificate that can't be used. */
export async function startSyslogListeners(syslogOptions: SyslogListenersOptions): Promise<SyslogListeners> {
  const { settings, store, router, appName, logToApp, log, hasPort = true, certificates } = syslogOptions;
  const { tokenLines, tokenBytes, appLines, appBytes } = settings;
  const rules = new SourceRules(store);
  await rules.load();
  const rateLimiter = new RateLimiter({
    token: { lines: tokenLines, bytes: tokenBytes },
    app: { lines: appLines, bytes: appBytes },
    limits: store.limits,
    logToApp,
  });
  const connectionLimiter = new ConnectionLimiter({
    connectionsMax: settings.connections,
    idleMs: settings.idleTimeoutMs,
    frameMs: settings.frameTimeoutMs,
    partialBytesMax: settings.partialBytes,
    log,
  });
  const miscountReports = new AppReports((app, count, sinceMs) =>
    logToApp(
      app,
      `Octet counting: ${count} frames since ${formatTimestamp(sinceMs)} had a count that can't be right: a frame's count is its length in bytes (RFC 6587). Nothing is lost, but a line may be in two pieces.`,
    ),
  );
  const oversizeReports = new AppReports((app, count, sinceMs) =>
    logToApp(
      app,
      `Frame size: ${count} frames since ${formatTimestamp(sinceMs)} were longer than ${FRAME_BYTES_MAX} bytes: the first so many of each were taken, what was behind them is lost.`,
    ),
  );
  const { host, proxyProtocol } = settings;
  const options = {
    host,
    router,
    rules,
    rateLimiter,
    connectionLimiter,
    datagramMemory: new DatagramMemory(),
    miscountReports,
    oversizeReports,
    proxyProtocol,
    log,
  };
  const listeners: SyslogListener[] = [];
  const closeAll = async (): Promise<void> => {
    connectionLimiter.close();
    rateLimiter.close();
    miscountReports.close();
    oversizeReports.close();
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  };
  try {
    const both = hasPort ? await listenBoth(options, settings.syslogPort) : undefined;
    if (both) listeners.push(...both);
    const tls = hasPort ? await startTls(settings, options, certificates) : undefined;
    if (tls) listeners.push(tls);
    const [tcp, udp] = both?.map(({ counters }) => counters) ?? [
      createListenerCounters('tcp'),
      createListenerCounters('udp'),
    ];
    const port = both?.[0].port;
    const rulePorts = new RulePortListeners({
      listenOptions: options,
      counters: { tcp, udp },
      reservedPorts: new Set([port, tls?.port]),
      appName,
    });
    await rulePorts.start();
    if (both) log.info({ host, port, tlsPort: tls?.port }, 'listening for syslog');
    return {
      port,
      tlsPort: tls?.port,
      counters: [tcp, udp, ...(tls ? [tls.counters] : [])],
      rateLimiter,
      requirePort: (port) => rulePorts.requirePort(port),
      close: async () => {
        await Promise.all([rulePorts.close(), closeAll()]);
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

type ListenOptions = Omit<SyslogListenerOptions, 'port'>;

/** How often another free port is tried. */
const FREE_PORT_ATTEMPTS = 20;

/** TCP and UDP on one port. Any free one, 0, has to be free for both. */
async function listenBoth(
  options: ListenOptions,
  port: number,
): Promise<[tcp: SyslogListener, udp: SyslogListener]> {
  for (let left = FREE_PORT_ATTEMPTS; ; left--) {
    const tcp = await listenTcp({ ...options, port });
    try {
      return [tcp, await listenUdp({ ...options, port: tcp.port })];
    } catch (error) {
      await tcp.close();
      const isTaken = error instanceof TailraceError && error.code === 'address_in_use';
      if (port !== 0 || !isTaken || left === 0) throw error;
    }
  }
}

async function startTls(
  settings: Settings,
  options: ListenOptions,
  certificates: CertificateFiles,
): Promise<SyslogListener | undefined> {
  const files = syslogPemFiles(settings);
  return (
    files &&
    listenTls(
      { ...options, port: settings.syslogTlsPort },
      new TlsIdentity(certificates, files),
      settings.syslogTlsClientCa !== '',
    )
  );
}
