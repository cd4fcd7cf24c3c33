/** Where a request came from, as dynos and router lines are told. */
import type { RequestHead } from './request-head.ts';

/** The connection that a request came on. */
export interface ClientHop {
  /** The peer's address, without the prefix of an IPv4 address in IPv6. */
  readonly address: string;
  /** Is the peer a proxy that is believed? */
  readonly isTrustedProxy: boolean;
  /** Over TLS? */
  readonly isSecure: boolean;
  /** The router's own, that was connected to. */
  readonly port: number;
}

export interface ForwardedClient {
  /** The addresses it came through, for `X-Forwarded-For`: as on Heroku, the last one is right whatever the client claims. */
  readonly chain: string;
  readonly protocol: 'http' | 'https';
  readonly port: number;
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const;
const PORT = /^\d{1,5}$/;
const PORT_OF_HOST = /:(\d{1,5})$/;

/** A proxy's word for what is behind it; anybody else is the client itself. */
export function forwardedClient(head: RequestHead, hop: ClientHop): ForwardedClient {
  const own = hop.isSecure ? 'https' : 'http';
  if (!hop.isTrustedProxy) {
    const chain = head.forwardedFor === '' ? hop.address : `${head.forwardedFor}, ${hop.address}`;
    return { chain, protocol: own, port: hop.port };
  }
  const chain = head.forwardedFor || hop.address;
  const said = lastOf(head.forwardedProto).toLowerCase();
  if (said !== 'http' && said !== 'https') return { chain, protocol: own, port: hop.port };
  const port = lastOf(head.forwardedPort);
  const behindHost = PORT_OF_HOST.exec(head.hostHeader)?.[1];
  return {
    chain,
    protocol: said,
    port: PORT.test(port) ? Number(port) : behindHost ? Number(behindHost) : DEFAULT_PORTS[said],
  };
}

/** Of a list with commas, what was added last. */
function lastOf(list: string): string {
  const comma = list.lastIndexOf(',');
  return comma === -1 ? list : list.slice(comma + 1).trim();
}
