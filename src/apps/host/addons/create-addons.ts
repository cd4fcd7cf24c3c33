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
import { PartnerProvider } from './partner/partner-provider.ts';
import type { AddonReports } from './provider.ts';
import { requireServerId } from './server-id.ts';
import { LOCAL_SERVICES } from './services/local-services.ts';

export type CreateAddonsOptions = Omit<
  AddonsOptions,
  'providers' | 'records' | 'schedules' | 'server' | 'transfers'
> &
  Pick<LocalProviderOptions, 'folder' | 'lines' | 'pidFile' | 'ports'> & {
    /** What may be fetched from elsewhere for a restore. */
    readonly targetPolicy: TargetPolicy;
  };

/** @param options `folder` for the data of local add-ons */
export function createAddons(options: CreateAddonsOptions): Addons {
  const reports: AddonReports = {
    markProvisioned: (id, facts) => addons.markProvisioned(id, facts),
    markFailed: (id, reason) => addons.markFailed(id, reason),
    updateFacts: (id, facts, resource) => addons.updateFacts(id, facts, resource),
    updateLogDrain: (id, url) => addons.updateLogDrain(id, url),
  };
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
    records: new AddonRecords(options.store),
    server,
    transfers,
    schedules: new BackupSchedules({
      file: `${backupFolder}.json`,
      transfers,
      findAddon: async (id) => (await addons.snapshot()).addons.find((addon) => addon.id === id),
      log: options.log,
    }),
    providers: {
      local: new LocalProvider({ ...options, catalog: CATALOG, services: LOCAL_SERVICES, reports }),
      partner: new PartnerProvider(),
      external: new ExternalProvider(),
    },
  });
  return addons;
}
