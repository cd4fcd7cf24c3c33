/** Add-ons with their providers, put together. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Addons, type AddonsOptions } from './addons.ts';
import { CATALOG } from './catalog/catalog.ts';
import { ExternalProvider } from './external/external-provider.ts';
import { LocalProvider, type LocalProviderOptions } from './local/local-provider.ts';
import { AddonRecords } from './model/addon-records.ts';
import { PartnerProvider } from './partner/partner-provider.ts';
import type { AddonReports } from './provider.ts';
import { LOCAL_SERVICES } from './services/local-services.ts';

export type CreateAddonsOptions = Omit<AddonsOptions, 'providers' | 'records' | 'server'> &
  Pick<LocalProviderOptions, 'folder' | 'lines' | 'pidFile' | 'ports'>;

/** @param options `folder` for the data of local add-ons */
export function createAddons(options: CreateAddonsOptions): Addons {
  const reports: AddonReports = {
    markProvisioned: (id, facts) => addons.markProvisioned(id, facts),
    markFailed: (id, reason) => addons.markFailed(id, reason),
    updateFacts: (id, facts, resource) => addons.updateFacts(id, facts, resource),
  };
  let server: string | undefined;
  const addons: Addons = new Addons({
    ...options,
    records: new AddonRecords(options.store),
    server: () => {
      server ??= serverId(`${options.folder}-server`);
      return server;
    },
    providers: {
      local: new LocalProvider({ ...options, catalog: CATALOG, services: LOCAL_SERVICES, reports }),
      partner: new PartnerProvider(),
      external: new ExternalProvider(),
    },
  });
  return addons;
}

/** What tells this data folder from those of other servers on the same store, for good. */
function serverId(file: string): string {
  try {
    const known = readFileSync(file, 'utf8').trim();
    if (known) return known;
  } catch {
    // The first time.
  }
  const id = randomUUID();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${id}\n`, { mode: 0o600 });
  return id;
}
