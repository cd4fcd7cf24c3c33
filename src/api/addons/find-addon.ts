/** Add-ons and attachments by what somebody typed. */
import { attachedConfigVars } from '../../apps/host/addons/catalog/config-vars.ts';
import { findService } from '../../apps/host/addons/catalog/find-service.ts';
import type { AddonRecord, AttachmentRecord } from '../../apps/host/addons/model/addon-record.ts';
import { TailraceError } from '../../common/errors.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { AddonScene } from './views.ts';

/**
 * The add-ons that are meant: by id or name; by the name of an attachment or of a config var (`REDIS`, `REDIS_URL`); by their service in
 * any of its spellings. The first of these ways that finds something counts.
 * @param app those that it owns or has attached
 */
export function matchAddons(scene: AddonScene, which: string, app?: AppId): AddonRecord[] {
  const attachments = scene.attachments.filter((one) => app === undefined || one.app === app);
  const addons = scene.addons.filter(
    (one) => app === undefined || one.app === app || attachments.some(({ addon }) => addon === one.id),
  );
  const lower = which.toLowerCase();
  const exact = addons.filter(({ id, name }) => id === which || name.toLowerCase() === lower);
  if (exact.length > 0) return exact;
  const attached = new Set(matchAttachmentNames(scene, attachments, which).map(({ addon }) => addon));
  if (attached.size > 0) return addons.filter(({ id }) => attached.has(id));
  const service = findService(scene.services, which)?.service.name ?? lower.split(':', 1)[0];
  return addons.filter((one) => one.service === service);
}

/** The attachments that are meant: by id, name or config var; else those of the add-ons that are meant. */
export function matchAttachments(scene: AddonScene, which: string, app?: AppId): AttachmentRecord[] {
  const attachments = scene.attachments.filter((one) => app === undefined || one.app === app);
  const exact = attachments.filter(({ id }) => id === which);
  if (exact.length > 0) return exact;
  const named = matchAttachmentNames(scene, attachments, which);
  if (named.length > 0) return named;
  const addons = new Set(matchAddons(scene, which, app).map(({ id }) => id));
  return attachments.filter(({ addon }) => addons.has(addon));
}

/** @throws TailraceError `not_found`, `multiple_matches` */
export function requireAddon(scene: AddonScene, which: string, app?: AppId): AddonRecord {
  const found = matchAddons(scene, which, app);
  if (found.length === 1) return found[0];
  if (found.length === 0) throw addonNotFound();
  const names = found.map(({ name }) => name).join(', ');
  throw new TailraceError(
    'multiple_matches',
    `Several add-ons match ${which}; say which by its name: ${names}.`,
  );
}

/** As {@link requireAddon}, and one of another service is `not_found`, too. */
export function requireAddonOf(service: string, scene: AddonScene, which: string): AddonRecord {
  const addon = requireAddon(scene, which);
  if (addon.service === service) return addon;
  throw new TailraceError('not_found', `${addon.name} is no ${service}.`);
}

/** @throws TailraceError `not_found`, `multiple_matches` */
export function requireAttachment(scene: AddonScene, which: string, app?: AppId): AttachmentRecord {
  const found = matchAttachments(scene, which, app);
  if (found.length === 1) return found[0];
  if (found.length === 0) throw new TailraceError('not_found', "Couldn't find that add-on attachment.");
  const names = found.map(({ name }) => name).join(', ');
  throw new TailraceError(
    'multiple_matches',
    `Several attachments match ${which}; say which by its name: ${names}.`,
  );
}

/** For where an add-on isn't there, or isn't to be known of: both are the same answer. */
export function addonNotFound(): TailraceError {
  return new TailraceError('not_found', "Couldn't find that add-on.");
}

function matchAttachmentNames(
  scene: AddonScene,
  attachments: readonly AttachmentRecord[],
  which: string,
): AttachmentRecord[] {
  const upper = which.toUpperCase().replaceAll('-', '_');
  const named = attachments.filter(({ name }) => name === upper);
  if (named.length > 0) return named;
  return attachments.filter((attachment) => {
    const addon = scene.addons.find(({ id }) => id === attachment.addon);
    return addon && upper in attachedConfigVars(attachment.name, addon.config);
  });
}
