import type { FastifyInstance } from 'fastify';
import { isAddonNamed } from '../../apps/records/addon-names.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { TailraceError } from '../../common/errors.ts';
import type { DrainRecord } from '../../logs/drains/options/drain-record.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { routeSchema } from '../schemas-heroku.ts';
import { type DrainViewDependencies, drainView } from './drain-view.ts';

/** What these routes work with. */
export interface AddonDrainRouteDependencies extends DrainViewDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
}

/** Drains that were added for an add-on: they are removed with it, and not without it. */
export function addonDrainRoutes(api: FastifyInstance, dependencies: AddonDrainRouteDependencies): void {
  const { appRegistry, releases } = dependencies;
  api.get<{ Params: { addon: string } }>(
    '/addons/:addon/log-drains',
    routeSchema("List an add-on's drains", 'LogDrain', { many: true }),
    async ({ params }) => {
      for (const app of await appRegistry.listApps()) {
        const { addons } = await releases.current(app.id);
        const addon = addons.find(({ id, name }) => [id, name].includes(params.addon));
        if (!addon) continue;
        const drains = (await appRegistry.listDrains(app.id)).filter((drain) => drain.addon?.id === addon.id);
        return Promise.all(drains.map((drain) => drainView(drain, dependencies)));
      }
      throw new TailraceError('not_found', "Couldn't find that add-on.");
    },
  );
}

/**
 * The add-on of an app that a new drain is for, by its name, service or id; undefined when it is for none.
 * @throws TailraceError `not_found`
 */
export async function findAddonForDrain(
  releases: Releases,
  app: AppId,
  which: unknown,
): Promise<DrainRecord['addon']> {
  if (which === undefined || which === null) return undefined;
  const { addons } = await releases.current(app);
  const found = addons.find((addon) => isAddonNamed(addon, String(which)));
  if (found) return { id: found.id, name: found.name };
  const names = addons.map(({ name }) => name).join(', ');
  throw new TailraceError('not_found', `The app has no add-on ${which}: it has ${names || 'none'}.`);
}

/** @throws TailraceError `forbidden` for a drain whose add-on is still there. */
export async function rejectAddonDrainRemoval(
  releases: Releases,
  { app, addon }: DrainRecord,
): Promise<void> {
  if (!addon) return;
  const { addons } = await releases.current(app);
  if (!addons.some(({ id }) => id === addon.id)) return;
  throw new TailraceError(
    'forbidden',
    `This drain belongs to the add-on ${addon.name} and goes away with it: tailrace addons:destroy ${addon.name}`,
  );
}

/** The add-on is gone: so are its drains. */
export async function removeAddonDrains(
  { appRegistry, deliveries }: Pick<AddonDrainRouteDependencies, 'appRegistry' | 'deliveries'>,
  app: AppId,
  addonId: string,
): Promise<void> {
  const drains = (await appRegistry.listDrains(app)).filter(({ addon }) => addon?.id === addonId);
  for (const { id } of drains) await appRegistry.removeDrain(app, id);
  if (drains.length > 0) await deliveries.reconcile();
}
