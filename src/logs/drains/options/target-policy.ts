/**
 * Which targets drains may have (protection against SSRF, server-side request forgery). A drain's URL comes from whoever may add
 * one, and this process sends to it from inside of somebody's network: so by default neither this machine, nor its network,
 * nor a cloud's metadata service is allowed. Names are checked by the addresses that they resolve to at every connection: a
 * name that was allowed when the drain was added may resolve differently a minute later (DNS rebinding).
 */

import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TailraceError } from '../../../common/errors.ts';
import { hostResolver, type ResolvedAddress } from '../../../common/limits/host-resolver.ts';
import { capitalize } from '../../../common/text/capitalize.ts';

/** Public addresses that the cloud which this machine runs in serves itself (Azure). */
const METADATA_ADDRESSES = new Set(['168.63.129.16']);
/** For translation within a network (RFC 8215): where in it the IPv4 address is, the network alone knows. */
const LOCAL_NAT64 = ipaddr.parseCIDR('64:ff9b:1::/48') as [ipaddr.IPv6, number];
/** Names of ranges for messages, where ipaddr.js's own are no English. */
const RANGE_NAMES: Record<string, string> = {
  unspecified: 'this machine',
  loopback: 'this machine',
  private: 'a private network',
  uniqueLocal: 'a private network',
  carrierGradeNat: 'a private network',
  deprecatedSiteLocal: 'a private network',
  linkLocal: 'the local network link, where clouds have their metadata service',
  multicast: 'a multicast group',
  broadcast: 'everybody',
};
const WHAT_TO_DO = 'set TAILRACE_ALLOW_PRIVATE_DRAINS=yes on the server if it should be allowed';

/** Thrown, or passed to a callback, for a target that isn't allowed. */
class ForbiddenTargetError extends Error {
  constructor(rule: string, host: string, place: string, whatToDo: string) {
    super(`${rule} ${host}, which is ${place}: ${whatToDo}`);
    this.name = 'ForbiddenTarget';
  }
}

export class TargetPolicy {
  private readonly allowPrivate: boolean;
  private readonly rule: string;
  private readonly whatToDo: string;

  /**
   * @param allowPrivate every address is allowed (`TAILRACE_ALLOW_PRIVATE_DRAINS`).
   * @param rule for messages, up to the address.
   * @param whatToDo for messages, when it should be allowed.
   */
  constructor(allowPrivate: boolean, rule = 'drains may not point at', whatToDo = WHAT_TO_DO) {
    this.allowPrivate = allowPrivate;
    this.rule = rule;
    this.whatToDo = whatToDo;
  }

  /** The range of an address that isn't allowed, for messages; undefined when it is. */
  forbiddenRange(address: string): string | undefined {
    return this.allowPrivate ? undefined : specialRange(address);
  }

  /**
   * Resolves names for `net.connect`, to allowed addresses only. `net.connect` doesn't call it for addresses: check those with
   * {@link assertAllowedAddress}.
   */
  readonly lookup: LookupFunction = (hostname, { all, family }, callback) => {
    hostResolver.resolve(hostname).then(
      (found) => {
        const allowed = this.allowedOf(hostname, found, family);
        if (allowed instanceof Error) callback(allowed, '', 0);
        else if (all) callback(null, allowed);
        else callback(null, allowed[0].address, allowed[0].family);
      },
      (error) => callback(error, '', 0),
    );
  };

  /** Those of the addresses that a target may have, of a family if one is asked for. */
  private allowedOf(
    hostname: string,
    found: readonly ResolvedAddress[],
    family: number | string | undefined,
  ): ResolvedAddress[] | Error {
    const wanted = found.filter((one) => (family !== 4 && family !== 6) || one.family === family);
    const allowed = wanted.filter(({ address }) => this.forbiddenRange(address) === undefined);
    if (allowed.length > 0) return allowed;
    const { address } = wanted[0] ?? { address: 'no address' };
    return new ForbiddenTargetError(
      this.rule,
      `${hostname} (${address})`,
      specialRange(address) ?? 'nowhere',
      this.whatToDo,
    );
  }

  /** @throws ForbiddenTargetError when `host` is an address that isn't allowed. */
  assertAllowedAddress(host: string): void {
    const place = isIP(host) ? this.forbiddenRange(host) : undefined;
    if (place) throw new ForbiddenTargetError(this.rule, host, place, this.whatToDo);
  }

  /**
   * Checks a drain's host when it is added, as every connection will. A name that can't be resolved now is allowed: it may be
   * created later.
   * @throws TailraceError `invalid_params`
   */
  async assertAllowedHost(host: string): Promise<void> {
    try {
      this.assertAllowedAddress(host);
      if (!isIP(host))
        await new Promise<void>((resolve, reject) => {
          this.lookup(host, { all: true }, (error) =>
            error instanceof ForbiddenTargetError ? reject(error) : resolve(),
          );
        });
    } catch (error) {
      if (!(error instanceof ForbiddenTargetError)) throw error;
      throw new TailraceError('invalid_params', `${capitalize(error.message)}.`, { cause: error });
    }
  }
}

/** The range of an address; undefined for one of the public internet. */
function specialRange(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return 'no address';
  const address = ipaddr.process(text); // IPv4-mapped IPv6 becomes IPv4
  if (address instanceof ipaddr.IPv6) {
    if (address.match(LOCAL_NAT64)) return RANGE_NAMES.private;
    const inner = embeddedIpv4(address);
    if (inner) return specialRange(inner.toString());
  }
  if (METADATA_ADDRESSES.has(address.toString())) return 'the metadata service of a cloud';
  const range = address.range();
  return range === 'unicast' ? undefined : (RANGE_NAMES[range] ?? `no public address (${range})`);
}

/** The IPv4 address in the last 32 bits of NAT64 and of the deprecated compatible form (RFC 6052, RFC 4291 section 2.5.5.1). */
function embeddedIpv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  const bytes = address.toByteArray();
  const compatible =
    bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12).some((byte) => byte > 1);
  if (!compatible && address.range() !== 'rfc6052') return undefined;
  return new ipaddr.IPv4(bytes.slice(12));
}
