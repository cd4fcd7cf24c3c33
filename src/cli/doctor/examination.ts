/** Looks at everything that may be wrong: through the server, when one runs, and at this machine. */

import type { Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { VERSION } from '../../common/package.ts';
import type { StoreStatus } from '../../logs/store/contract.ts';
import { certificate } from './certificate.ts';
import { clock } from './clock.ts';
import { dataFolder, holderOf } from './data-folder.ts';
import { drainFindings, type SeenDrain } from './drains.ts';
import { about, type Finding } from './finding.ts';
import { nodeVersion, serverProcess } from './node-findings.ts';
import { freePorts, heldPorts, type WantedPort } from './ports.ts';
import { programs } from './programs.ts';
import { examineStore, storeFindings } from './store.ts';

/** Apps whose drains are looked at, and how many of them at a time. */
const APPS_MAX = 1_000;
const APPS_AT_A_TIME = 16;

/** The server that a command here would talk to. */
export interface SeenServer {
  readonly url: string;
  /** When it is on this machine. */
  readonly local?: { readonly pid: number; readonly folder: string };
  /** Asks its API; rejects with a sentence. */
  ask<T>(path: string): Promise<T>;
}

export interface Patient {
  /** As a server started here would have them; undefined when they can't be read. */
  readonly settings: Settings | undefined;
  /** Undefined when none runs here and none is named. */
  readonly server: SeenServer | undefined;
}

interface StatusView {
  readonly version: string;
  readonly time?: string;
  readonly store: StoreStatus;
}

const serverFinding = about('server');

/** Makes all findings; never rejects. */
export async function examine({ settings, server }: Patient): Promise<Finding[]> {
  const found: Finding[] = [nodeVersion()];
  const isUp = server ? await lookAtServer(server, found) : false;
  if (!isUp) found.push(clock());
  // The machine of a server elsewhere is another one.
  if (server && !server.local && isUp) return found;
  const data = server?.local?.folder ?? settings?.data;
  if (data !== undefined) found.push(...dataFolder(data));
  if (server?.local) found.push(...lookAtProcess(server.local.pid, settings));
  if (settings && !isUp) found.push(...(await examineStore(settings)));
  if (settings && !server) found.push(...(await lookForRoom(settings)));
  if (settings) found.push(...certificate(settings.syslogTlsCert, settings.syslogTlsKey));
  found.push(...programs());
  return found;
}

/** What a running server says; false when it doesn't. */
async function lookAtServer(server: SeenServer, found: Finding[]): Promise<boolean> {
  const askedMs = Date.now();
  try {
    const { version, time, store } = await server.ask<StatusView>('/status');
    const where = `tailrace ${version} at ${server.url}`;
    if (version === VERSION) found.push(serverFinding('ok', where));
    else {
      const text = `${where}, and this command is ${VERSION}: install the same version at both ends.`;
      found.push(serverFinding('concern', text));
    }
    found.push(clock(time === undefined ? undefined : Date.parse(time), askedMs, Date.now()));
    found.push(...storeFindings(store));
    // While the store is away nobody knows the drains; the finding above says so.
    if (store.trouble === undefined) found.push(...(await lookAtDrains(server)));
    return true;
  } catch (error) {
    found.push(serverFinding('trouble', error instanceof Error ? error.message : String(error)));
    return error instanceof TailraceError && error.code === 'unauthorized';
  }
}

async function lookAtDrains(server: SeenServer): Promise<Finding[]> {
  const apps = await server.ask<{ name: string }[]>('/apps');
  const looked = apps.slice(0, APPS_MAX);
  let count = 0;
  const bad: Finding[] = [];
  for (let i = 0; i < looked.length; i += APPS_AT_A_TIME)
    await Promise.all(
      looked.slice(i, i + APPS_AT_A_TIME).map(async ({ name }) => {
        const drains = await server.ask<SeenDrain[]>(`/apps/${encodeURIComponent(name)}/log-drains`);
        count += drains.length;
        bad.push(...drainFindings(name, drains));
      }),
    );
  if (count === bad.length && count > 0) return bad;
  const rest = apps.length > looked.length ? ` (of the first ${APPS_MAX} of ${apps.length} apps)` : '';
  const well = count === 0 ? 'there are none' : `${count - bad.length} of ${count} well`;
  return [about('drains')('ok', `${well}${rest}`), ...bad];
}

function lookAtProcess(pid: number, settings: Settings | undefined): Finding[] {
  const held = heldPorts(pid);
  return [...serverProcess({ pid, connections: settings?.connections }), ...(held ? [held] : [])];
}

/** Could a server be started here? */
async function lookForRoom(settings: Settings): Promise<Finding[]> {
  const holder = holderOf(settings.data);
  const text =
    holder === undefined
      ? 'none runs here: start one with `tailrace start` or `tailrace serve`.'
      : `Process ${holder} holds ${settings.data} and serves nobody: it is starting, or hangs; then end it with: kill ${holder}`;
  return [
    serverFinding(holder === undefined ? 'note' : 'trouble', text),
    ...(await freePorts(settings.host, wantedPorts(settings))),
  ];
}

function wantedPorts(settings: Settings): WantedPort[] {
  const { httpPort, syslogPort, routerPort, syslogTlsPort, syslogTlsCert } = settings;
  const tls: WantedPort = {
    port: syslogTlsPort,
    transport: 'tcp',
    purpose: 'syslog over TLS',
    setting: 'TAILRACE_SYSLOG_TLS_PORT',
  };
  return [
    { port: httpPort, transport: 'tcp', purpose: 'HTTP', setting: 'TAILRACE_HTTP_PORT' },
    { port: syslogPort, transport: 'tcp', purpose: 'syslog', setting: 'TAILRACE_SYSLOG_PORT' },
    { port: syslogPort, transport: 'udp', purpose: 'syslog', setting: 'TAILRACE_SYSLOG_PORT' },
    { port: routerPort, transport: 'tcp', purpose: 'the HTTP router', setting: 'TAILRACE_ROUTER_PORT' },
    ...(syslogTlsCert ? [tls] : []),
  ];
}
