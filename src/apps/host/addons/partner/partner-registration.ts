/** Partners are registered by an operator, with their manifests. */
import { TailraceError } from '../../../../common/errors.ts';
import type { TargetPolicy } from '../../../../logs/drains/options/target-policy.ts';
import type { CatalogService } from '../catalog/catalog-entry.ts';
import { findService } from '../catalog/find-service.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import { type PartnerEnvironment, parsePartnerManifest } from './manifest.ts';
import type { PartnerManifests, PartnerRecord } from './partner-manifests.ts';

export interface RegisteredPartner {
  readonly partner: PartnerRecord;
  /** The service of this machine that the partner's name stood for until now. */
  readonly replaced?: CatalogService;
}

interface PartnerRegistrationOptions {
  readonly manifests: PartnerManifests;
  readonly catalog: readonly CatalogService[];
  readonly policy: TargetPolicy;
  readonly listAddons: () => Promise<readonly AddonRecord[]>;
}

export class PartnerRegistration {
  private readonly options: PartnerRegistrationOptions;

  constructor(options: PartnerRegistrationOptions) {
    this.options = options;
  }

  list(): Promise<readonly PartnerRecord[]> {
    return this.options.manifests.list();
  }

  /** @throws TailraceError `not_found` */
  get(id: string): Promise<PartnerRecord> {
    return this.options.manifests.get(id);
  }

  /**
   * Registers a manifest, also one that was registered before and is another now. A name that a service of this machine has too means
   * the partner's from now on, unless that service has add-ons.
   * @throws TailraceError `invalid_params`, `conflict`
   */
  async register(manifest: unknown, environment: PartnerEnvironment): Promise<RegisteredPartner> {
    const { manifests, catalog, policy } = this.options;
    const parsed = parsePartnerManifest(manifest, environment);
    await policy.assertAllowedHost(new URL(parsed.baseUrl).hostname.replace(/^\[|\]$/g, ''));
    const others = (await this.addonsOf(parsed.id)).filter(({ provider }) => provider !== 'partner');
    if (others.length > 0)
      throw new TailraceError(
        'conflict',
        `${parsed.id} is a service of this server, of which there are add-ons (${nameSome(others)}): destroy them first, or give the manifest another id.`,
      );
    await this.rejectLostConfigVars(parsed.id, parsed.prefix);
    const partner = await manifests.register(parsed);
    return { partner, replaced: findService(catalog, parsed.id)?.service };
  }

  /**
   * @param force also while there are add-ons of it
   * @throws TailraceError `not_found`, `conflict`
   */
  async unregister(id: string, force = false): Promise<PartnerRecord> {
    const partner = await this.options.manifests.get(id);
    const addons = await this.addonsOf(id);
    if (addons.length > 0 && !force)
      throw new TailraceError(
        'conflict',
        `There are add-ons of ${id} (${nameSome(addons)}): destroy them first, or add --force if the partner is no more.`,
      );
    await this.options.manifests.remove(id);
    return partner;
  }

  /** The config vars of the add-ons that there are begin with a prefix that is in their records. */
  private async rejectLostConfigVars(id: string, prefix: string): Promise<void> {
    const before = await this.options.manifests.find(id);
    if (!before || before.prefix === prefix) return;
    const addons = await this.addonsOf(id);
    if (addons.length === 0) return;
    throw new TailraceError(
      'conflict',
      `The prefix of ${id} was ${before.prefix}, and there are add-ons of it (${nameSome(addons)}): destroy them first, or keep the prefix.`,
    );
  }

  private async addonsOf(id: string): Promise<readonly AddonRecord[]> {
    return (await this.options.listAddons()).filter(({ service }) => service === id);
  }
}

function nameSome(addons: readonly AddonRecord[]): string {
  const names = addons.slice(0, 5).map(({ name }) => name);
  return [...names, ...(addons.length > 5 ? [`${addons.length - 5} more`] : [])].join(', ');
}
