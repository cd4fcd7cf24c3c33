/** Runs all checks: of the server, when one runs, and of this machine. */

import { join } from 'node:path';
import type { Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { VERSION } from '../../common/package-info.ts';
import { lockHolder } from '../../common/processes/process-lock.ts';
import { errorMessage } from '../../common/text/error-message.ts';
import { localUrlHost } from '../../common/text/url-host.ts';
import { hostOfPlainHttp, plainHttpHostSetting } from '../../common/tls/certificate-settings.ts';
import type { StoreStatus } from '../../logs/store/contract.ts';
import { type CertificateInUse, checkCertificateFiles, checkCertificatesInUse } from './certificate.ts';
import { type CheckResult, resultsOf } from './check-result.ts';
import { checkClock } from './clock.ts';
import { checkDataFolder } from './data-folder.ts';
import { type CheckedDrain, checkDrains } from './drains.ts';
import { checkNodeVersion, checkServerProcess } from './node.ts';
import { checkListeningPorts, checkPortsFree, type RequiredPort } from './ports.ts';
import { checkPostgres } from './postgres.ts';
import { checkPrograms } from './programs.ts';
import { checkStore, checkStoreStatus } from './store.ts';
import { checkStreams } from './streams.ts';

/** Apps whose drains are checked, and how many of them at a time. */
const APPS_MAX = 1_000;
const APP_CONCURRENCY = 16;

/** The server that a command here would talk to. */
export interface CheckedServer {
  readonly url: string;
  /** When it is on this machine. */
  readonly local?: { readonly pid: number; readonly folder: string };
  /** Asks its API; rejects with a sentence. */
  get<T>(path: string): Promise<T>;
}

export interface DoctorTarget {
  /** As a server started here would have them; undefined when they can't be read. */
  readonly settings: Settings | undefined;
  /** Undefined when none runs here and none is named. */
  readonly server: CheckedServer | undefined;
}

interface StatusView {
  readonly version: string;
  readonly time?: string;
  readonly store: StoreStatus;
  readonly certificates?: readonly CertificateInUse[];
}

/** A server whose data folder is gone can only be found by its port. */
const HEALTH_TIMEOUT_MS = 2_000;

const serverResult = resultsOf('server');

/** Runs all checks; never rejects. */
export async function runChecks({ settings, server }: DoctorTarget): Promise<CheckResult[]> {
  const results: CheckResult[] = [checkNodeVersion()];
  const isUp = server ? await checkServer(server, results) : false;
  if (!isUp) results.push(checkClock());
  // The machine of a server elsewhere is another one.
  if (server && !server.local && isUp) return results;
  const data = server?.local?.folder ?? settings?.data;
  if (data !== undefined) results.push(...checkDataFolder(data));
  if (server?.local) results.push(...checkProcess(server.local.pid, settings));
  if (settings && !isUp) results.push(...(await checkStore(settings)));
  if (data !== undefined && settings?.redisUrl === '')
    results.push(...(await checkStreams(data, server?.local !== undefined)));
  if (settings && !server) results.push(...(await checkCanStart(settings)));
  if (settings && !isUp) results.push(...checkCertificateFiles(settings));
  results.push(...checkPrograms(), ...(await checkPostgres()));
  return results;
}

/** Checks through a server's API; false when it isn't reachable. */
async function checkServer(server: CheckedServer, results: CheckResult[]): Promise<boolean> {
  const askedMs = Date.now();
  try {
    const { version, time, store, certificates = [] } = await server.get<StatusView>('/status');
    const where = `tailrace ${version} at ${server.url}`;
    if (version === VERSION) results.push(serverResult('ok', where));
    else {
      const text = `${where}, and this command is ${VERSION}: install the same version at both ends.`;
      results.push(serverResult('concern', text));
    }
    results.push(checkClock(time === undefined ? undefined : Date.parse(time), askedMs, Date.now()));
    results.push(...checkStoreStatus(store), ...checkCertificatesInUse(certificates));
    // Drains are unknown while the store is unavailable, which is a result of its own.
    if (store.trouble === undefined) results.push(...(await checkAllDrains(server)));
    return true;
  } catch (error) {
    results.push(serverResult('trouble', errorMessage(error)));
    return error instanceof TailraceError && error.code === 'unauthorized';
  }
}

async function checkAllDrains(server: CheckedServer): Promise<CheckResult[]> {
  const apps = await server.get<{ name: string }[]>('/apps');
  const checkedApps = apps.slice(0, APPS_MAX);
  let count = 0;
  const problems: CheckResult[] = [];
  for (let i = 0; i < checkedApps.length; i += APP_CONCURRENCY)
    await Promise.all(
      checkedApps.slice(i, i + APP_CONCURRENCY).map(async ({ name }) => {
        const drains = await server.get<CheckedDrain[]>(`/apps/${encodeURIComponent(name)}/log-drains`);
        count += drains.length;
        problems.push(...checkDrains(name, drains));
      }),
    );
  if (count === problems.length && count > 0) return problems;
  const rest = apps.length > checkedApps.length ? ` (of the first ${APPS_MAX} of ${apps.length} apps)` : '';
  const well = count === 0 ? 'there are none' : `${count - problems.length} of ${count} well`;
  return [resultsOf('drains')('ok', `${well}${rest}`), ...problems];
}

function checkProcess(pid: number, settings: Settings | undefined): CheckResult[] {
  const held = checkListeningPorts(pid);
  return [...checkServerProcess({ pid, connections: settings?.connections }), ...(held ? [held] : [])];
}

/** Could a server be started here? */
async function checkCanStart(settings: Settings): Promise<CheckResult[]> {
  const holder = lockHolder(join(settings.data, 'lock'));
  const health = await askHealth(settings);
  if (health?.message !== undefined)
    return [serverResult('trouble', `The one on port ${settings.httpPort} says: ${health.message}`)];
  const text =
    holder === undefined
      ? 'none runs here: start one with `tailrace start` or `tailrace serve`.'
      : `Process ${holder} holds ${settings.data} and serves nobody: it is starting, or hangs; then end it with: kill ${holder}`;
  return [
    serverResult(holder === undefined ? 'note' : 'trouble', text),
    ...(await checkPortsFree(requiredPorts(settings))),
  ];
}

/** What a server on the port of the settings says of its health; undefined when none is there. */
async function askHealth(settings: Settings): Promise<{ message?: string } | undefined> {
  const { httpPort } = settings;
  const host = hostOfPlainHttp(settings);
  if (httpPort === 0) return undefined;
  try {
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const health: unknown = await (
      await fetch(`http://${localUrlHost(host)}:${httpPort}/health`, { signal })
    ).json();
    const isOurs = typeof health === 'object' && health !== null && 'status' in health;
    if (!isOurs) return undefined;
    return {
      message: 'message' in health && typeof health.message === 'string' ? health.message : undefined,
    };
  } catch {
    return undefined;
  }
}

function requiredPorts(settings: Settings): RequiredPort[] {
  const { httpPort, syslogPort, routerPort, syslogTlsPort, syslogTlsCert, tlsCert } = settings;
  const here = { host: settings.host, hostSetting: 'TAILRACE_HOST' };
  const plain = { host: hostOfPlainHttp(settings), hostSetting: plainHttpHostSetting(settings) };
  const tls: RequiredPort = {
    ...here,
    port: syslogTlsPort,
    transport: 'tcp',
    purpose: 'syslog over TLS',
    setting: 'TAILRACE_SYSLOG_TLS_PORT',
  };
  return [
    { ...plain, port: httpPort, transport: 'tcp', purpose: 'HTTP', setting: 'TAILRACE_HTTP_PORT' },
    { ...here, port: syslogPort, transport: 'tcp', purpose: 'syslog', setting: 'TAILRACE_SYSLOG_PORT' },
    { ...here, port: syslogPort, transport: 'udp', purpose: 'syslog', setting: 'TAILRACE_SYSLOG_PORT' },
    {
      ...plain,
      port: routerPort,
      transport: 'tcp',
      purpose: 'the HTTP router',
      setting: 'TAILRACE_ROUTER_PORT',
    },
    ...(syslogTlsCert || tlsCert.length > 0 ? [tls] : []),
    ...(tlsCert.length > 0 ? httpsPorts(settings) : []),
  ];
}

/** The API and the HTTP router may share one. */
function httpsPorts({ httpTlsPort, routerTlsPort, host }: Settings): RequiredPort[] {
  const here = { host, hostSetting: 'TAILRACE_HOST' };
  const http: RequiredPort = {
    ...here,
    port: httpTlsPort,
    transport: 'tcp',
    purpose: 'HTTPS',
    setting: 'TAILRACE_HTTP_TLS_PORT',
  };
  if (routerTlsPort === httpTlsPort) return [http];
  const purpose = 'the HTTP router (TLS)';
  const setting = 'TAILRACE_ROUTER_TLS_PORT';
  return [http, { ...here, port: routerTlsPort, transport: 'tcp', purpose, setting }];
}
