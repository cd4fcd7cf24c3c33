import { Addons, type AddonsOptions } from '../../../../src/apps/host/addons/addons.ts';
import { CATALOG } from '../../../../src/apps/host/addons/catalog/catalog.ts';
import { AddonRecords } from '../../../../src/apps/host/addons/model/addon-records.ts';
import type { AddonProvider } from '../../../../src/apps/host/addons/provider.ts';
import { AppRegistry } from '../../../../src/apps/records/app-registry.ts';
import { Releases } from '../../../../src/apps/records/release-history.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { Store } from '../../../../src/logs/store/contract.ts';

const PROVIDER: AddonProvider = {
  services: async () => CATALOG,
  provision: async () => ({ state: 'provisioned', facts: { url: 'redis://x' } }),
  changePlan: async () => ({ state: 'provisioned' }),
  deprovision: async () => {},
  resume: async () => {},
  close: async () => {},
};
const NO_BACKUPS = { open: async () => {}, close: async () => {}, removeApp: async () => {} };

/**
 * The add-ons of a server, as if it were started on the store; nothing stands behind them.
 * @param deprovision what the providers do at a removal
 */
export function addonsOnStore(
  store: Store,
  {
    deprovision = PROVIDER.deprovision,
    ...more
  }: Partial<AddonsOptions> & Partial<Pick<AddonProvider, 'deprovision'>> = {},
): { addons: Addons; appRegistry: AppRegistry; releases: Releases } {
  const appRegistry = new AppRegistry(store);
  const releases = new Releases(store);
  const provider = { ...PROVIDER, deprovision };
  const addons = new Addons({
    store,
    records: new AddonRecords(store),
    appRegistry,
    releases,
    providers: { local: provider, partner: provider, external: provider },
    transfers: NO_BACKUPS as Partial<AddonsOptions['transfers']> as AddonsOptions['transfers'],
    schedules: NO_BACKUPS as Partial<AddonsOptions['schedules']> as AddonsOptions['schedules'],
    server: () => 'this-one',
    randomName: () => 'clear-brook-1',
    release: ({ id }, change) => releases.add(id, change),
    logToApp: () => {},
    setLogDrain: async () => {},
    onRemoved: async () => {},
    log: SILENT_LOG,
    ...more,
  } as Partial<AddonsOptions> as AddonsOptions);
  return { addons, appRegistry, releases };
}
