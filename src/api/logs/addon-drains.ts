import type { FastifyInstance } from 'fastify';
import type { Addons } from '../../apps/host/addons/addons.ts';
import { findService } from '../../apps/host/addons/catalog/find-service.ts';
import type { AddonRecord } from '../../apps/host/addons/model/addon-record.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { type DrainRecord, parseDrainUrl } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { routeSchema } from '../schemas-heroku.ts';
import { type DrainViewDependencies, drainView } from './drain-view.ts';

/** What these routes work with. */
export interface AddonDrainRouteDependencies extends DrainViewDependencies {
  readonly appRegistry: AppRegistry;
  readonly addons: Addons;
}

/** Drains that were added for an add-on: they are removed with it, and not without it. */
export function addonDrainRoutes(api: FastifyInstance, dependencies: AddonDrainRouteDependencies): void {
  const { appRegistry, addons } = dependencies;
  api.get<{ Params: { addon: string } }>(
    '/addons/:addon/log-drains',
    routeSchema("List an add-on's drains", 'LogDrain', { many: true }),
    async ({ params }) => {
      const addon = await addons.find(params.addon);
      if (!addon) throw new TailraceError('not_found', "Couldn't find that add-on.");
      const drains = (await appRegistry.listDrains(addon.app)).filter(
        (drain) => drain.addon?.id === addon.id,
      );
      return Promise.all(drains.map((drain) => drainView(drain, dependencies)));
    },
  );
}

/**
 * The add-on of an app that a new drain is for, by its name, service or id; undefined when it is for none.
 * @throws TailraceError `not_found`
 */
export async function findAddonForDrain(
  addons: Addons,
  app: AppId,
  which: unknown,
): Promise<DrainRecord['addon']> {
  if (which === undefined || which === null) return undefined;
  const typed = String(which);
  const own = await addons.ownedBy(app);
  const service = findService(await addons.services(), typed)?.service.name;
  const found =
    own.find(({ id, name }) => id === typed || name.toLowerCase() === typed.toLowerCase()) ??
    own.find((addon) => addon.service === service);
  if (found) return { id: found.id, name: found.name };
  const names = own.map(({ name }) => name).join(', ');
  throw new TailraceError('not_found', `The app has no add-on ${typed}: it has ${names || 'none'}.`);
}

/** @throws TailraceError `forbidden` for a drain whose add-on is still there. */
export async function rejectAddonDrainRemoval(addons: Addons, { addon }: DrainRecord): Promise<void> {
  if (!addon) return;
  const existing = await addons.find(addon.id);
  if (!existing) return;
  throw new TailraceError(
    'forbidden',
    `This drain belongs to the add-on ${existing.name} and goes away with it: tailrace addons:destroy ${existing.name}`,
  );
}

/**
 * Sends an app's lines to an add-on, from now on; one of another address, which it had before, goes on there where it is.
 *
 * @param options `token` of a new drain, left out: one is made; `server` of an add-on on this machine; undefined for addresses that somebody else has given: they are subject to the policy
 * @throws TailraceError `invalid_params`
 */
export async function setAddonDrain(
  {
    appRegistry,
    deliveries,
    targetPolicy,
  }: Pick<AddonDrainRouteDependencies, 'appRegistry' | 'deliveries'> & {
    readonly targetPolicy: TargetPolicy;
  },
  { app, id, name }: AddonRecord,
  url: string,
  { server, token }: { readonly server: string | undefined; readonly token?: string },
): Promise<void> {
  const target = parseDrainUrl(url);
  if (server === undefined) await targetPolicy.assertAllowedHost(target.host);
  const known = (await appRegistry.listDrains(app)).find(({ addon }) => addon?.id === id);
  const appName = (await appRegistry.findApp(app))?.name;
  // An app that has another name now goes on under the one that its lines came with so far.
  const streamName = known && new URL(known.url).searchParams.get('stream');
  const address = url.replace('{app}', encodeURIComponent(streamName ?? appName ?? name));
  if (known?.url === address) return;
  if (known) await appRegistry.updateDrain(app, known.id, () => ({ url: address }));
  else
    await appRegistry.addDrain(app, address, {
      addon: { id, name },
      server,
      ...(token ? { token } : {}),
    });
  await deliveries.reconcile();
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
