/** Add-ons with their providers, put together. */
import { dirname, join } from 'node:path';
import type { TargetPolicy } from '../../../logs/drains/options/target-policy.ts';
import { Addons, type AddonsOptions } from './addons.ts';
import { CATALOG } from './catalog/catalog.ts';
import { BackupSchedules } from './databases/schedules.ts';
import { DatabaseTransfers } from './databases/transfers.ts';
import { ExternalProvider } from './external/external-provider.ts';
import { LocalProvider, type LocalProviderOptions } from './local/local-provider.ts';
import { AddonRecords } from './model/addon-records.ts';
import { PartnerClient, type PartnerClientOptions } from './partner/partner-client.ts';
import { PartnerManifests } from './partner/partner-manifests.ts';
import { PartnerProvider, type PartnerProviderOptions } from './partner/partner-provider.ts';
import { PartnerRegistration } from './partner/partner-registration.ts';
import { PartnerTokens } from './partner/partner-tokens.ts';
import { Partners } from './partner/partners.ts';
import type { AddonReports } from './provider.ts';
import { requireServerId } from './server-id.ts';
import { LOCAL_SERVICES } from './services/local-services.ts';

export type CreateAddonsOptions = Omit<
  AddonsOptions,
  'partners' | 'providers' | 'records' | 'schedules' | 'server' | 'transfers'
> &
  Pick<LocalProviderOptions, 'folder' | 'keeping' | 'lines' | 'pidFile' | 'ports'> &
  Pick<PartnerProviderOptions, 'logInput' | 'provisionMs' | 'publicUrl'> &
  Pick<PartnerClientOptions, 'policy' | 'version'> & {
    /** From where the backup of a database may be fetched. */
    readonly backupPolicy: TargetPolicy;
  };

/** @param options `folder` for the data of local add-ons, `policy` for where partners may be */
export function createAddons(options: CreateAddonsOptions): Addons {
  const reports: AddonReports = {
    sampleNames: (addon) => addons.reports.sampleNames(addon),
    markProvisioned: (id, facts) => addons.reports.markProvisioned(id, facts),
    markFailed: (id, reason) => addons.reports.markFailed(id, reason),
    updateFacts: (id, facts, resource) => addons.reports.updateFacts(id, facts, resource),
    keepResource: (id, resource) => addons.reports.keepResource(id, resource),
    updateLogDrain: (id, url, token) => addons.reports.updateLogDrain(id, url, token),
  };
  const { store, policy } = options;
  const manifests = new PartnerManifests(store);
  const tokens = new PartnerTokens(store);
  const records = new AddonRecords(store);
  const listAddons = async () => (await records.snapshot()).addons;
  const findAddon = async (id: string) => (await records.get(id))?.value;
  const registration = new PartnerRegistration({ manifests, catalog: CATALOG, policy, listAddons });
  let serverId: string | undefined;
  const server = (): string => {
    serverId ??= requireServerId(options.folder);
    return serverId;
  };
  // Beside the data, so that a database that is destroyed leaves its backups.
  const backupFolder = join(dirname(options.folder), 'backups');
  const transfers = new DatabaseTransfers({
    ...options,
    server,
    folder: backupFolder,
    addonFolder: (id) => join(options.folder, id),
  });
  const addons: Addons = new Addons({
    ...options,
    records,
    partners: new Partners({ manifests, registration, tokens, findAddon }),
    server,
    transfers,
    schedules: new BackupSchedules({
      file: `${backupFolder}.json`,
      transfers,
      findAddon,
      log: options.log,
    }),
    providers: {
      local: new LocalProvider({ ...options, catalog: CATALOG, services: LOCAL_SERVICES, reports }),
      partner: new PartnerProvider({
        ...options,
        manifests,
        tokens,
        client: new PartnerClient(options),
        reports,
      }),
      external: new ExternalProvider(),
    },
  });
  return addons;
}
