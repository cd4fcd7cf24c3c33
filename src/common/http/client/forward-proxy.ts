/** The proxy that a command's requests go through, as curl, git and Go know it: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in small letters or capitals. */
import { request as requestHttp } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { TailraceError } from '../../errors.ts';

/** Gets a connection, or why there is none. */
export type Connected = (error: Error | null, connection?: Duplex) => void;
type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  'http:': '80',
  'ws:': '80',
  'https:': '443',
  'wss:': '443',
};
const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const CONNECT_MS = 10_000;

/** The proxy is why a server can't be reached. */
export class ProxyError extends Error {
  /** @param proxy its address, of which the host is named @param reason what it has answered, or the system's code */
  constructor(proxy: URL, reason: string) {
    super(`the proxy ${proxy.host}: ${reason}`);
    this.name = new.target.name;
  }

  /** It can't be reached. @param error the system's */
  static from(proxy: URL, error: Error): ProxyError {
    const reason = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
    return new ProxyError(proxy, reason);
  }
}

/**
 * The proxy for requests to an address; undefined: none. What is on this machine is asked without one, as Go does: a server here would be looked for there.
 * @param target `http:`, `https:`, `ws:` or `wss:`
 * @throws TailraceError `invalid_params` when the variable has no address of an HTTP proxy
 */
export function proxyFor(target: URL, env: Environment = process.env): URL | undefined {
  const scheme = isSecure(target) ? 'https_proxy' : 'http_proxy';
  const value = variable(env, scheme);
  if (value === '' || LOOPBACK.test(target.hostname) || isExcepted(target, variable(env, 'no_proxy')))
    return undefined;
  const address = value.includes('://') ? value : `http://${value}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy?.protocol !== 'http:')
    throw new TailraceError(
      'invalid_params',
      `${scheme.toUpperCase()} has to be the address of an HTTP proxy, such as http://proxy.example.com:3128.`,
    );
  return proxy;
}

/** What a proxy that wants user and password is shown. */
export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/**
 * Connects to a server through a proxy (`CONNECT`, RFC 9110 section 9.3.6), and over TLS where its address says so.
 * @param onConnected gets the connection, or a {@link ProxyError}, or what is wrong with the server's certificate
 */
export function connectThrough(proxy: URL, target: URL, onConnected: Connected): void {
  const { hostname } = target;
  const authority = `${hostname}:${target.port || DEFAULT_PORTS[target.protocol]}`;
  const asking = requestHttp({
    ...hostOf(proxy),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...proxyHeaders(proxy) },
    agent: false,
    timeout: CONNECT_MS,
  });
  asking.on('timeout', () => asking.destroy(new ProxyError(proxy, 'no answer')));
  asking.on('error', (error) =>
    onConnected(error instanceof ProxyError ? error : ProxyError.from(proxy, error)),
  );
  asking.on('connect', ({ statusCode = 0, statusMessage = '' }, socket, head) => {
    if (statusCode !== 200) {
      socket.destroy();
      onConnected(new ProxyError(proxy, `${statusCode} ${statusMessage}`.trim()));
      return;
    }
    socket.setTimeout(0);
    if (head.length > 0) socket.unshift(head);
    if (isSecure(target)) void secure(socket, hostname, onConnected);
    else onConnected(null, socket);
  });
  asking.end();
}

/** Where a proxy listens, as Node.js' requests take it. */
export function hostOf({ hostname, port }: URL): { readonly hostname: string; readonly port: string } {
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port || DEFAULT_PORTS['http:'] };
}

async function secure(socket: Duplex, hostname: string, onConnected: Connected): Promise<void> {
  // TLS takes 10 ms to load.
  const { connect } = await import('node:tls');
  const servername = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '';
  const connection = connect({ socket, servername, host: hostname, ALPNProtocols: ['http/1.1'] });
  connection.once('error', onConnected);
  connection.once('secureConnect', () => {
    connection.off('error', onConnected);
    onConnected(null, connection);
  });
}

function isSecure({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'wss:';
}

/** In small letters first, as curl has it. */
function variable(env: Environment, name: string): string {
  return (env[name] || env[name.toUpperCase()] || '').trim();
}

/** Does `NO_PROXY` name this host: `*`, `example.com` with all below it (also as `.example.com`, `*.example.com`), an address, a network (`10.0.0.0/8`), any of them with a port? */
function isExcepted(target: URL, exceptions: string): boolean {
  const host = hostOf(target).hostname.toLowerCase();
  const port = target.port || DEFAULT_PORTS[target.protocol];
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [, bracketed, named, wantedPort = port] =
        /^(?:\[(.+)\]|(.+?))(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
      const name = (bracketed ?? named ?? '').replace(/^\*?\./, '');
      if (name === '' || wantedPort !== port) return false;
      return name === '*' || host === name || host.endsWith(`.${name}`) || isInNetwork(host, name);
    });
}

function isInNetwork(host: string, network: string): boolean {
  const [address, bits = ''] = network.split('/');
  const family = isIP(host);
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const networks = new BlockList();
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  networks.addSubnet(address, Number(bits), type);
  return networks.check(host, type);
}
