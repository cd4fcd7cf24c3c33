import { isIPv6 } from 'node:net';

/** Groups of an IPv6 address that are its network's: whoever has one address of it has them all (RFC 6177). */
const NETWORK_GROUPS = 4;

/** An IPv4 address, also as IPv6 has it (`::ffff:192.0.2.1`), or the first 64 bits of an IPv6 one: whom to count things for. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head, tail] = address.toLowerCase().split('%')[0].split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const ending = tail === '' ? [] : tail.split(':');
    groups.push(...Array.from({ length: 8 - groups.length - ending.length }, () => '0'), ...ending);
  }
  return groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
