import type { Settings } from '../common/config/settings.ts';
import { parseNetworks, TrustedProxies } from '../common/http/trusted-proxies.ts';

/** A server that has an address of its own has a proxy in front, which is on this machine unless it is said where. */
export function trustedProxiesOf({ trustedProxies, publicUrl, appsUrl }: Settings): TrustedProxies {
  const local = publicUrl || appsUrl ? parseNetworks('loopback') : [];
  return new TrustedProxies(trustedProxies ?? local ?? []);
}
