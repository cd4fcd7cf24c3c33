/** Which proxies in front are believed what they say of a client (`X-Forwarded-…`). Anybody else's word counts for nothing. */

import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { ownValue } from '../own-value.ts';

/** Words for networks. */
const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** IPv4 addresses as sockets of IPv6 have them. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/**
 * @param text addresses and networks (`10.1.0.0/16`), `loopback` or `private`, with commas or spaces between them; `none`
 * @returns the networks one by one; undefined when one of them is none
 */
export function parseNetworks(text: string): readonly string[] | undefined {
  const words = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  if (words.length === 1 && words[0] === 'none') return [];
  const networks = words.flatMap((word) => ownValue(NAMED_NETWORKS, word) ?? [word]);
  return networks.every(isNetwork) ? networks : undefined;
}

function isNetwork(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32));
}

/** Addresses of IPv4 within IPv6 (`::ffff:10.0.0.1`) are those of IPv4. */
export class TrustedProxies {
  private readonly list = new BlockList();
  private readonly isEmpty: boolean;
  private readonly hopsMax: number;

  /**
   * @param networks as {@link parseNetworks} gives them
   * @param hopsMax how many proxies may stand one behind the other
   */
  constructor(networks: readonly string[], hopsMax = Number.POSITIVE_INFINITY) {
    this.isEmpty = networks.length === 0;
    this.hopsMax = hopsMax;
    for (const network of networks) {
      const [address, prefix] = network.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      this.list.addSubnet(
        address,
        prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix),
        family,
      );
    }
  }

  /** One that every request comes through, wherever it is. */
  static oneInFront(): TrustedProxies {
    return new TrustedProxies(['0.0.0.0/0', '::/0'], 1);
  }

  /** Is the proxy at this address believed? `hop` is 0 for the peer of the connection, 1 for who was in front of it, and so on. */
  trusts(address: string, hop: number): boolean {
    return hop < this.hopsMax && this.has(address);
  }

  /** Is this the address of one of them? */
  has(address: string): boolean {
    if (this.isEmpty) return false;
    const plain = address.replace(MAPPED, '');
    const family = isIP(plain);
    return family !== 0 && this.list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  /** The address of whoever sent a request, whether or not it came through one of them. */
  senderOf({ remoteAddress: peer = '' }: Socket, headers: IncomingHttpHeaders): string {
    const chain = headers['x-forwarded-for'];
    return chain !== undefined && this.has(peer) ? this.clientOf([chain].flat().join(','), peer) : peer;
  }

  /**
   * Who sent a request that came from one of them: the last in the chain that isn't one itself.
   * @param forwardedFor `X-Forwarded-For`, the nearest last
   * @param peer of the connection, for an empty chain
   */
  clientOf(forwardedFor: string, peer: string): string {
    let client = peer;
    let hop = 0;
    for (const one of forwardedFor.split(',').reverse()) {
      const address = one.trim();
      if (address === '') continue;
      client = address;
      if (!this.trusts(address, ++hop)) break;
    }
    return client;
  }
}
