/**
 * Lines in over syslog: TCP and UDP on one port, TLS on another when there is a certificate, and TCP and UDP on every port that a
 * rule names.
 */

import type { Settings } from '../../../common/config/settings.ts';
import { TailraceError } from '../../../common/errors.ts';
import { Limits } from '../../router/limits.ts';
import type { Router } from '../../router/router.ts';
import { Rules } from '../../router/rules.ts';
import type { AppId, Store } from '../../store/contract.ts';
import type { SourceCounters } from '../counters.ts';
import { Guard } from '../guard.ts';
import type { Source, SourceOptions } from '../source.ts';
import { RulePorts } from './rule-ports.ts';
import { listenTcp } from './tcp.ts';
import { listenTls } from './tls.ts';
import { listenUdp } from './udp.ts';

export interface SyslogOptions {
  readonly settings: Settings;
  readonly store: Store;
  readonly router: Router;
  /** What people call an app. */
  readonly appName: (app: AppId) => Promise<string | undefined>;
  /** Adds a line to an app's stream. */
  readonly tell: (app: AppId, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** The running listeners. */
export interface Syslog {
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly counters: readonly SourceCounters[];
  /** Shared with the other ways in. */
  readonly limits: Limits;
  /** @throws TailraceError `conflict` when a rule can't name this port, because it can't be listened on here. */
  requirePort(port: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws TailraceError `address_in_use` when a port is taken, `settings` for a certificate that can't be used. */
export async function startSyslog(syslogOptions: SyslogOptions): Promise<Syslog> {
  const { settings, store, router, appName, tell, warn } = syslogOptions;
  const { tokenLines, tokenBytes, appLines, appBytes } = settings;
  const rules = new Rules(store);
  await rules.load();
  const limits = new Limits({
    token: { lines: tokenLines, bytes: tokenBytes },
    app: { lines: appLines, bytes: appBytes },
    tell,
  });
  const guard = new Guard({
    connectionsMax: settings.connections,
    idleMs: settings.idleTimeoutMs,
    frameMs: settings.frameTimeoutMs,
    partialBytesMax: settings.partialBytes,
    warn,
  });
  const { host, proxyProtocol } = settings;
  const options = { host, router, rules, limits, guard, proxyProtocol, warn };
  const open: Source[] = [];
  const closeAll = async (): Promise<void> => {
    guard.close();
    limits.close();
    await Promise.all(open.splice(0).map((source) => source.close()));
  };
  try {
    const [tcp, udp] = await listenBoth(options, settings.syslogPort);
    open.push(tcp, udp);
    const tls = await startTls(settings, options);
    if (tls) open.push(tls);
    const ports = new RulePorts({
      listening: options,
      counters: { tcp: tcp.counters, udp: udp.counters },
      own: new Set([tcp.port, tls?.port]),
      appName,
    });
    await ports.follow();
    return {
      port: tcp.port,
      tlsPort: tls?.port,
      counters: open.map(({ counters }) => counters),
      limits,
      requirePort: (port) => ports.require(port),
      close: async () => {
        await ports.close();
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

type Listening = Omit<SourceOptions, 'port'>;

/** How often another free port is tried. */
const TRIES = 20;

/** TCP and UDP on one port. Any free one, 0, has to be free for both. */
async function listenBoth(options: Listening, port: number): Promise<[tcp: Source, udp: Source]> {
  for (let left = TRIES; ; left--) {
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

async function startTls(settings: Settings, options: Listening): Promise<Source | undefined> {
  const { syslogTlsCert: certificate, syslogTlsKey: key, syslogTlsClientCa, syslogTlsPort } = settings;
  if (!certificate && !key) return undefined;
  if (!certificate || !key)
    throw new TailraceError(
      'settings',
      'Syslog over TLS needs both TAILRACE_SYSLOG_TLS_CERT and TAILRACE_SYSLOG_TLS_KEY: set the other one too.',
    );
  return listenTls(
    { ...options, port: syslogTlsPort },
    { certificate, key, clientAuthority: syslogTlsClientCa || undefined },
  );
}
