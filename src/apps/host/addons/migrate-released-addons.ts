/** Add-ons of older versions, which releases held: they get records of their own. */
import { randomUUID } from 'node:crypto';
import type { Store } from '../../../logs/store/contract.ts';
import type { AppRegistry } from '../../records/app-registry.ts';
import type { Releases } from '../../records/release-history.ts';
import { CATALOG } from './catalog/catalog.ts';
import { LOCAL_PLAN } from './catalog/catalog-entry.ts';
import { findService } from './catalog/find-service.ts';
import type { AddonRecords } from './model/addon-records.ts';

/** As it was, under `addon/<id>` in its app's scope. */
interface OldInstanceRecord {
  readonly id: string;
  /** `redis`, `postgres` */
  readonly service: string;
  readonly port: number;
  readonly password: string;
}

/** Does what is still to be done, so that it may end anywhere. */
export async function migrateReleasedAddons(
  options: {
    readonly store: Store;
    readonly records: AddonRecords;
    readonly appRegistry: AppRegistry;
    readonly releases: Releases;
  },
  server: string,
): Promise<void> {
  const { store, records, appRegistry, releases } = options;
  for (const app of await appRegistry.listApps()) {
    const old = await store.list<OldInstanceRecord>(app.id, 'addon/');
    if (old.length === 0) continue;
    const { addons } = await releases.current(app.id);
    for (const { key, value } of old) {
      const released = addons.find(({ id }) => id === value.id);
      const found = findService(CATALOG, value.service);
      if (released && found) {
        const { id, name, createdAt } = released;
        const attachment = (released.configVars[0] ?? '').replace(/_URL$/, '') || found.prefix;
        const { port, password } = value;
        const url =
          found.service.name === 'heroku-redis'
            ? `redis://default:${password}@localhost:${port}`
            : `postgres://app:${password}@localhost:${port}/app`;
        const { service, prefix, colorPrefix, configVars } = found;
        await records.create(
          {
            id,
            name,
            app: app.id,
            service: service.name,
            plan: LOCAL_PLAN.name,
            provider: 'local',
            server,
            state: 'provisioned',
            configVars,
            prefix,
            colorPrefix,
            config: { URL: url },
            resource: { port, password, number: 1 },
            options: {},
            createdAt,
            updatedAt: createdAt,
          },
          { id: randomUUID(), name: attachment, app: app.id, addon: id, createdAt, updatedAt: createdAt },
        );
      }
      await store.transact(app.id, [{ key, value: undefined }]);
    }
  }
}
