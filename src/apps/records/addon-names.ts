/** The names of an add-on. */
import type { AddonRecord } from './release-record.ts';

/** Is this its id, name, service, or the name of its attachment? */
export function isAddonNamed(addon: AddonRecord, which: string): boolean {
  const lowerCaseName = which.toLowerCase();
  return (
    addon.id === which ||
    [addon.name, addonServiceName(addon), addonAttachmentName(addon).toLowerCase()].includes(lowerCaseName)
  );
}

/** `redis` */
export function addonServiceName(addon: AddonRecord): string {
  return addon.plan.split(':')[0];
}

/** Its config var without `_URL`: `REDIS` */
export function addonAttachmentName(addon: AddonRecord): string {
  return (addon.configVars[0] ?? addonServiceName(addon).toUpperCase()).replace(/_URL$/, '');
}
