/**
 * Where drains may point. A drain's URL comes from whoever may add one, and this process sends to it from inside of
 * somebody's network: so by default neither this machine, nor its network, nor a cloud's metadata service is a target.
 * Names are judged by the addresses they have when a connection is made, every time: a name that was harmless when
 * the drain was added may lead elsewhere a minute later.
 */
import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TailraceError } from '../../../common/errors.ts';

/** Public by their numbers, but answered by the cloud that this machine runs in (Azure). */
const METADATA_ADDRESSES = new Set(['168.63.129.16']);
/** What is said of a range, when its name in the registry of special addresses doesn't say it. */
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

interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Thrown, or handed to a callback, when a connection would lead where drains may not point. */
export class ForbiddenTargetError extends Error {
  constructor(host: string, place: string) {
    super(`drains may not point at ${host}, which is ${place}: ${WHAT_TO_DO}`);
    this.name = 'ForbiddenTarget';
  }
}

export class TargetPolicy {
  private readonly allowPrivate: boolean;

  /** @param allowPrivate every address may be a target (`TAILRACE_ALLOW_PRIVATE_DRAINS`). */
  constructor(allowPrivate: boolean) {
    this.allowPrivate = allowPrivate;
  }

  /** What is at an address where drains may not point; undefined when they may. */
  forbiddenRange(address: string): string | undefined {
    return this.allowPrivate ? undefined : specialRange(address);
  }

  /**
   * Resolves names for `net.connect`, and gives it only addresses where drains may point. It isn't asked for
   * addresses: check those with {@link assertAllowedAddress}.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: ResolvedAddress[]) => {
      if (error) return callback(error, '', 0);
      const allowed = found.filter(({ address }) => this.forbiddenRange(address) === undefined);
      if (allowed.length === 0) {
        const { address } = found[0] ?? { address: 'no address' };
        return callback(
          new ForbiddenTargetError(`${hostname} (${address})`, specialRange(address) ?? 'nowhere'),
          '',
          0,
        );
      }
      if (options.all) callback(null, allowed);
      else callback(null, allowed[0].address, allowed[0].family);
    });
  };

  /** @throws ForbiddenTarget when `host` is an address, and not one where drains may point. */
  assertAllowedAddress(host: string): void {
    const place = isIP(host) ? this.forbiddenRange(host) : undefined;
    if (place) throw new ForbiddenTargetError(host, place);
  }

  /**
   * Says at once, when a drain is added, what would be said at every connection. A name that can't be resolved
   * now passes: it may be made later.
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

/** What is at an address, when it is anything but an address of the public internet. */
function specialRange(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return 'no address';
  const address = ipaddr.process(text); // IPv4-mapped IPv6 becomes IPv4
  if (address instanceof ipaddr.IPv6) {
    const inner = embeddedIpv4(address);
    if (inner) return specialRange(inner.toString());
  }
  if (METADATA_ADDRESSES.has(address.toString())) return 'the metadata service of a cloud';
  const range = address.range();
  return range === 'unicast' ? undefined : (RANGE_NAMES[range] ?? `no public address (${range})`);
}

/** The IPv4 address that translators and the deprecated forms carry in the last 32 bits (RFC 6052, RFC 4291 section 2.5.5.1). */
function embeddedIpv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  const bytes = address.toByteArray();
  const compatible =
    bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12).some((byte) => byte > 1);
  if (!compatible && address.range() !== 'rfc6052') return undefined;
  return new ipaddr.IPv4(bytes.slice(12));
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
