/** What an add-on may be called by. */
import type { AddonRecord } from './release-history.ts';

/** By its id, name, service, or the name of its attachment? */
export function isCalled(addon: AddonRecord, which: string): boolean {
  const named = which.toLowerCase();
  return (
    addon.id === which || [addon.name, serviceOf(addon), attachmentName(addon).toLowerCase()].includes(named)
  );
}

/** `redis` */
export function serviceOf(addon: AddonRecord): string {
  return addon.plan.split(':')[0];
}

/** Its config var without the end: `REDIS` */
export function attachmentName(addon: AddonRecord): string {
  return (addon.configVars[0] ?? serviceOf(addon).toUpperCase()).replace(/_URL$/, '');
}
