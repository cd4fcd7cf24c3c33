import { type Command, InvalidArgumentError } from 'commander';
import type { Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { hostOfPlainHttp } from '../../common/tls/certificate-settings.ts';
import { describePortOwner, type Transport } from '../doctor/listening-sockets.ts';
import { tryListen } from '../doctor/ports.ts';

/** Where a server listens: its setting, and the option that says the same. */
const LISTENERS = [
  {
    name: 'httpPort',
    variable: 'TAILRACE_HTTP_PORT',
    option: 'httpPort',
    flag: '--http-port',
    transports: ['tcp'],
  },
  {
    name: 'syslogPort',
    variable: 'TAILRACE_SYSLOG_PORT',
    option: 'syslogPort',
    flag: '--syslog-port',
    transports: ['tcp', 'udp'],
  },
  {
    name: 'routerPort',
    variable: 'TAILRACE_ROUTER_PORT',
    option: 'routerPort',
    flag: '--router-port',
    transports: ['tcp'],
  },
] as const satisfies readonly {
  name: keyof Settings;
  variable: string;
  option: string;
  flag: string;
  transports: readonly Transport[];
}[];
/** So many ports behind a usual one are tried. */
const TRIED_PORTS = 100;
/** Starts, when ports are taken away from under it. */
const TRIES_MAX = 5;

/** Ports, as options of a command that starts a server. */
export interface PortOptions {
  readonly httpPort?: string;
  readonly syslogPort?: string;
  readonly routerPort?: string;
}

/** Adds `--http-port`, `--syslog-port` and `--router-port`. */
export function addPortOptions(command: Command): Command {
  for (const [flag, meaning] of [
    ['--http-port <port>', 'of API, /logs, tails and page: TAILRACE_HTTP_PORT'],
    ['--syslog-port <port>', 'of syslog over TCP and UDP: TAILRACE_SYSLOG_PORT'],
    ['--router-port <port>', 'of the HTTP router: TAILRACE_ROUTER_PORT'],
  ] as const)
    command.option(flag, meaning, parsePortOption);
  return command;
}

/** The variables with what options say in their place. */
export function withPortOptions(environment: NodeJS.ProcessEnv, options: PortOptions): NodeJS.ProcessEnv {
  const given = LISTENERS.filter(({ option }) => options[option] !== undefined);
  return {
    ...environment,
    ...Object.fromEntries(given.map(({ variable, option }) => [variable, options[option]])),
  };
}

/**
 * Finds ports for a server. A usual one that is taken gives way to the next one that is free, unless somebody asked for it.
 * @param environment in which ports that were asked for have their variable
 * @param keepsUsual true: ports that nobody asked for have to be free as well
 * @throws TailraceError `address_in_use` with all ports that are taken
 */
export async function choosePorts(
  settings: Settings,
  environment: NodeJS.ProcessEnv,
  keepsUsual = false,
): Promise<Settings> {
  const chosen: { httpPort?: number; syslogPort?: number; routerPort?: number } = {};
  const taken: string[] = [];
  const used: number[] = [];
  for (const { name, variable, flag, transports } of LISTENERS) {
    const wanted = settings[name];
    const host = name === 'syslogPort' ? settings.host : hostOfPlainHttp(settings);
    const isFree = async (port: number): Promise<boolean> =>
      !used.includes(port) && (await findTaken(host, port, transports)) === undefined;
    if (wanted === 0 || (await isFree(wanted))) {
      used.push(wanted);
      continue;
    }
    const mayMove = !keepsUsual && !environment[variable];
    const port = mayMove ? await findFree(wanted + 1, isFree) : undefined;
    if (port !== undefined) {
      chosen[name] = port;
      used.push(port);
      continue;
    }
    const transport = (await findTaken(host, wanted, transports)) ?? transports[0];
    const owner = describePortOwner(transport, wanted) ?? 'another program';
    taken.push(`${wanted} (by ${owner}; ${flag} or ${variable} names another)`);
  }
  if (taken.length > 0)
    throw new TailraceError(
      'address_in_use',
      `${taken.length === 1 ? 'A port is' : 'Ports are'} taken: ${taken.join(', ')}. 0 takes any free one.`,
    );
  return { ...settings, ...chosen };
}

/**
 * Starts something on ports that are free; another program may take one of them between the look and the start, such as a second one of
 * these that starts at the same time.
 * @throws as {@link choosePorts} and `start`
 */
export async function withFreePorts<T>(
  settings: Settings,
  environment: NodeJS.ProcessEnv,
  start: (settings: Settings) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start(await choosePorts(settings, environment));
    } catch (error) {
      const isTaken = error instanceof TailraceError && error.code === 'address_in_use';
      // When all that were asked for are free, the next look finds others.
      if (!isTaken || tries === TRIES_MAX) throw error;
    }
  }
}

/** By what a port is taken; errors of other kinds are left to whoever listens. */
async function findTaken(
  host: string,
  port: number,
  transports: readonly Transport[],
): Promise<Transport | undefined> {
  for (const transport of transports)
    if ((await tryListen(transport, host, port)) === 'EADDRINUSE') return transport;
  return undefined;
}

async function findFree(
  from: number,
  isFree: (port: number) => Promise<boolean>,
): Promise<number | undefined> {
  for (let port = from; port < from + TRIED_PORTS; port++) if (await isFree(port)) return port;
  return undefined;
}

function parsePortOption(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text;
  throw new InvalidArgumentError('It must be a port from 0 to 65535; 0 takes any free one.');
}
