/** Which attachment is made when an add-on is attached to an app, and what stands against it. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../../common/errors.ts';
import type { AppRecord } from '../../../records/app-registry.ts';
import { attachedConfigVars } from '../catalog/config-vars.ts';
import type { AddonRecord, AttachmentRecord } from './addon-record.ts';
import type { AddonSnapshot } from './addon-records.ts';
import { chooseAttachmentName, parseAttachmentName } from './attachment-names.ts';

/** What is asked for with an attachment. */
export interface AttachmentRequest {
  /** Its name. Left out: the service's own name, or one with a color. */
  readonly as?: string;
  /** The app's name: what has the attachment's name, or its config vars, may be replaced. */
  readonly confirm?: string;
}

/** What is around the app. */
export interface AttachmentScene extends AddonSnapshot {
  /** The config vars of the app that no add-on gave it. */
  readonly ownVars: ReadonlySet<string>;
}

/**
 * The attachment to make, and the one that it replaces.
 * @throws TailraceError `invalid_params` for a name that can't be, `confirmation_required` when something would be overwritten
 */
export function planAttachment(
  app: AppRecord,
  addon: AddonRecord,
  { as, confirm }: AttachmentRequest,
  { addons, attachments: taken, ownVars }: AttachmentScene,
): { attachment: AttachmentRecord; replaced: AttachmentRecord | undefined } {
  const varsOf = (name: string) => Object.keys(attachedConfigVars(name, addon.configVars));
  const attachedBy = (name: string): string[] =>
    taken
      .filter((one) => one.name !== name)
      .flatMap((one) => {
        const other = addons.find(({ id }) => id === one.addon);
        return other ? Object.keys(attachedConfigVars(one.name, other.configVars)) : [];
      });
  const overwritten = (name: string) => varsOf(name).filter((one) => ownVars.has(one));
  const isFree = (name: string) =>
    !taken.some((one) => one.name === name) &&
    overwritten(name).length === 0 &&
    !varsOf(name).some((one) => attachedBy(name).includes(one));
  const name = as ? parseAttachmentName(as) : chooseAttachmentName(addon.prefix, addon.colorPrefix, isFree);
  const replaced = taken.find((one) => one.name === name);
  const vars = replaced ? varsOf(name) : overwritten(name);
  const clash = varsOf(name).find((one) => attachedBy(name).includes(one));
  if (clash)
    throw new TailraceError(
      'invalid_params',
      `${clash} is a config var of another attachment: choose another name with --as.`,
    );
  if ((replaced || vars.length > 0) && confirm !== app.name)
    throw new TailraceError(
      'confirmation_required',
      `Adding ${name} to app ${app.name} would overwrite existing vars ${joinWords(vars)}.`,
    );
  if (replaced) {
    if (replaced.addon === addon.id)
      throw new TailraceError(
        'invalid_params',
        `${addon.name} is attached to ${app.name} as ${name} already.`,
      );
    const previous = addons.find(({ id }) => id === replaced.addon);
    if (previous) rejectLastAttachment(taken, previous, replaced);
  }
  const now = new Date().toISOString();
  return {
    attachment: { id: randomUUID(), name, app: app.id, addon: addon.id, createdAt: now, updatedAt: now },
    replaced,
  };
}

/**
 * @param attached all attachments of the attachment's app
 * @throws TailraceError when an add-on would have no attachment to its owner any more
 */
export function rejectLastAttachment(
  attached: readonly AttachmentRecord[],
  addon: AddonRecord,
  attachment: AttachmentRecord,
): void {
  if (attachment.app !== addon.app) return;
  const others = attached.filter((one) => one.addon === addon.id && one.id !== attachment.id);
  if (others.length > 0) return;
  throw new TailraceError(
    'invalid_params',
    `Cannot destroy last attachment to billing app for resource ${addon.name}: attach it under another name first (addons:attach ${addon.name} --as NAME), or destroy it (addons:destroy ${addon.name}).`,
  );
}

function joinWords(words: readonly string[]): string {
  if (words.length <= 1) return words.join('');
  if (words.length === 2) return words.join(' and ');
  return `${words.slice(0, -1).join(', ')}, and ${words[words.length - 1]}`;
}
