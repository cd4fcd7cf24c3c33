import type { FastifyInstance } from 'fastify';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import type { TrustedProxies } from '../../common/http/trusted-proxies.ts';

/** What this route works with. */
export interface CertificateNameRouteDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly trustedProxies: TrustedProxies;
}

/**
 * `GET /certificate-names?domain=`: may a proxy get a certificate for this host name? 200 for the server's own, for the names of apps, and
 * for domains that they have added, one by one: below a wildcard anybody could ask for any number. For proxies themselves (Caddy's `on_demand_tls` asks like
 * this), not for what comes through them: nobody else learns which apps there are.
 */
export function certificateNameRoutes(
  server: FastifyInstance,
  { addresses, appRegistry, trustedProxies }: CertificateNameRouteDependencies,
): void {
  server.get<{ Querystring: { domain?: unknown } }>(
    '/certificate-names',
    async ({ query, headers, socket }) => {
      const isProxyItself =
        trustedProxies.has(socket.remoteAddress ?? '') &&
        headers['x-forwarded-for'] === undefined &&
        headers.forwarded === undefined;
      const domain = String(query.domain ?? '').toLowerCase();
      if (!isProxyItself || !(await isServed(domain)))
        throw new TailraceError('not_found', 'There is no certificate for this name.');
      return { domain };
    },
  );

  async function isServed(domain: string): Promise<boolean> {
    if (domain === addresses.publicHost) return true;
    const name = addresses.appNameOf(domain);
    const app = name === undefined ? undefined : await appRegistry.findApp(name);
    // By its name, and not by its id.
    return (app !== undefined && app.name === name) || appRegistry.hasDomain(domain);
  }
}
