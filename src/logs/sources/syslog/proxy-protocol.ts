/**
 * The PROXY protocol, versions 1 and 2: load balancers send the client's address in front of everything else. Described in
 * HAProxy's proxy-protocol.txt, sections 2.1 and 2.2.
 */
import ipaddr from 'ipaddr.js';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const PREFIX = Buffer.from('PROXY ');
/** The longest header of version 1, with its line end. */
const V1_BYTES_MAX = 107;
const V2_HEAD_BYTES = 16;
/** Addresses and TLVs behind them; no balancer sends more. */
const V2_BODY_BYTES_MAX = 4_096;
const IPV4 = 0x1;
const IPV6 = 0x2;

export interface ProxyHeader {
  /** The client's address; undefined for connections of the balancer itself (LOCAL: health checks). */
  readonly address: string | undefined;
  /** Bytes of the header. */
  readonly length: number;
}

/** Reads the header at the start of a connection: 'partial' when there is more to come, 'broken' when there is none. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < V2_HEAD_BYTES ? 'partial' : readBinary(bytes);
  if (startsLike(bytes, PREFIX)) return readText(bytes);
  return 'broken';
}

/** Do the first bytes of a connection look like a header, whether one is asked for or not? */
export function beginsWithProxyHeader(bytes: Buffer): boolean {
  if (bytes.length > SIGNATURE.length && startsLike(bytes, SIGNATURE)) return true;
  return bytes.length > PREFIX.length + 4 && /^PROXY (TCP4|TCP6|UNKN)/.test(bytes.toString('latin1', 0, 10));
}

/** As the same address is written elsewhere: IPv4 ones within IPv6 in their own notation. */
function plainAddress(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return (
    address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
  ).toString();
}

function startsLike(bytes: Buffer, pattern: Buffer): boolean {
  const length = Math.min(bytes.length, pattern.length);
  return bytes.compare(pattern, 0, length, 0, length) === 0;
}

/** `PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n` */
function readText(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  const end = bytes.indexOf('\r\n');
  if (end === -1) return bytes.length < V1_BYTES_MAX ? 'partial' : 'broken';
  if (end + 2 > V1_BYTES_MAX) return 'broken';
  const [, family, source, target, ...ports] = bytes.toString('latin1', 0, end).split(' ');
  const length = end + 2;
  if (family === 'UNKNOWN') return { address: undefined, length };
  const kind = family === 'TCP4' ? 'ipv4' : family === 'TCP6' ? 'ipv6' : undefined;
  if (!kind || ports.length !== 2 || !ports.every((port) => /^\d{1,5}$/.test(port) && Number(port) <= 65_535))
    return 'broken';
  if (![source, target].every((address) => isAddress(address, kind))) return 'broken';
  return { address: plainAddress(ipaddr.parse(source)), length };
}

function isAddress(text: string, kind: 'ipv4' | 'ipv6'): boolean {
  return kind === 'ipv4' ? ipaddr.IPv4.isValidFourPartDecimal(text) : ipaddr.IPv6.isValid(text);
}

function readBinary(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  const version = bytes[12] >> 4;
  const command = bytes[12] & 0xf;
  const family = bytes[13] >> 4;
  const bodyLength = bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || bodyLength > V2_BODY_BYTES_MAX) return 'broken';
  const length = V2_HEAD_BYTES + bodyLength;
  if (bytes.length < length) return 'partial';
  if (command === 0 || (family !== IPV4 && family !== IPV6)) return { address: undefined, length };
  const addressLength = family === IPV4 ? 4 : 16;
  if (bodyLength < 2 * addressLength + 4) return 'broken';
  const source = bytes.subarray(V2_HEAD_BYTES, V2_HEAD_BYTES + addressLength);
  return { address: plainAddress(ipaddr.fromByteArray([...source])), length };
}
