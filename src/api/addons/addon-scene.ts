import type { FastifyRequest } from 'fastify';
import { permits } from '../../apps/access/grants.ts';
import type { Addons } from '../../apps/host/addons/addons.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { programOf } from '../../common/text/program-name.ts';
import type { SingleUseTickets } from './single-use-tickets.ts';
import type { AddonScene } from './views.ts';

/** What a link to an add-on's page opens. */
export interface AddonTicket {
  /** Its id. */
  readonly addon: string;
  /** Hash of the grant that it was given to: the page is theirs for as long as the grant is. */
  readonly by: string;
}

/** Links to pages of add-ons. Every list of add-ons gives one for each. */
type AddonLinks = SingleUseTickets<AddonTicket>;

/** What routes of add-ons work with. */
export interface AddonRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly addons: Addons;
  readonly addresses: Addresses;
  readonly addonLinks: AddonLinks;
}

/** All add-ons as they are now. Whose key may not read what is protected gets no links to their pages. */
export async function addonScene(
  { appRegistry, addons, addresses, addonLinks }: AddonRouteDependencies,
  request: FastifyRequest,
): Promise<AddonScene> {
  const [snapshot, services] = await Promise.all([addons.snapshot(), addons.services()]);
  const named = [...snapshot.addons, ...snapshot.attachments].map(({ app }) => app);
  const appNames = await appRegistry.namesOf([...new Set(named)]);
  const { keyGrant: grant } = request;
  const address = addresses.forBrowser(request);
  return {
    ...snapshot,
    appNames,
    services,
    program: programOf(request.headers),
    webUrl: (addon) =>
      grant &&
      permits(grant, 'read-protected', addon.app) &&
      addon.state === 'provisioned' &&
      addons.hasPage(addon, services)
        ? `${address}/addons/sign-on/${addonLinks.issue({ addon: addon.id, by: grant.hash })}`
        : null,
  };
}
