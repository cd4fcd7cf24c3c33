/** The records of add-ons and attachments in the store: each change all or nothing, also with other servers on the same store. */
import { TailraceError } from '../../../../common/errors.ts';
import type { AppId, RecordChange, Store, StoredRecord } from '../../../../logs/store/contract.ts';
import type { AddonRecord, AttachmentRecord } from './addon-record.ts';

const addonKey = (id: string): string => `addon/${id}`;
const addonNameKey = (name: string): string => `addon-name/${name.toLowerCase()}`;
const attachmentKey = (id: string): string => `attachment/${id}`;
const attachmentNameKey = ({ app, name }: Pick<AttachmentRecord, 'app' | 'name'>): string =>
  `attachment-name/${app}/${name}`;

/** Add-ons and attachments as they are at one moment: all, or those around one app. */
export interface AddonSnapshot {
  readonly addons: readonly AddonRecord[];
  readonly attachments: readonly AttachmentRecord[];
}

/**
 * Keys are `addon/<id>`, `attachment/<id>` and one for each name, in the scope of no app. Names are taken in any case, and found as they are
 * written.
 */
export class AddonRecords {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** All of them, the oldest first. */
  async snapshot(): Promise<AddonSnapshot> {
    const [addons, attachments] = await Promise.all([
      this.store.list<AddonRecord>('', 'addon/'),
      this.store.list<AttachmentRecord>('', 'attachment/'),
    ]);
    return { addons: oldestFirst(addons), attachments: oldestFirst(attachments) };
  }

  /** The add-ons that an app owns, the oldest first. */
  async ownedBy(app: AppId): Promise<AddonRecord[]> {
    return oldestFirst(await this.store.listOfApp<AddonRecord>(app, 'addon/'));
  }

  /** The attachments of an app, the oldest first. */
  async attachedTo(app: AppId): Promise<AttachmentRecord[]> {
    return oldestFirst(await this.store.listOfApp<AttachmentRecord>(app, 'attachment/'));
  }

  /** An app's attachments, and the add-ons that it owns or has attached. It takes as long as there are of these. */
  async aroundApp(app: AppId): Promise<AddonSnapshot> {
    const [own, attachments] = await Promise.all([this.ownedBy(app), this.attachedTo(app)]);
    const addons = new Map(own.map((addon) => [addon.id, addon]));
    for (const { addon: id } of attachments) {
      const others = addons.has(id) ? undefined : (await this.get(id))?.value;
      if (others) addons.set(id, others);
    }
    return { addons: [...addons.values()], attachments };
  }

  /** The attachments of an add-on to any app, the oldest first. */
  async attachmentsOf(addon: string): Promise<AttachmentRecord[]> {
    const all = await this.store.list<AttachmentRecord>('', 'attachment/');
    return oldestFirst(all.filter(({ value }) => value.addon === addon));
  }

  /** By its id, or its name as it is written. */
  async find(which: string): Promise<AddonRecord | undefined> {
    const found = (await this.get(which))?.value;
    if (found) return found;
    const id = (await this.store.get<string>('', addonNameKey(which)))?.value;
    const named = id === undefined ? undefined : (await this.get(id))?.value;
    return named?.name === which ? named : undefined;
  }

  /** Has an add-on this name, in whatever case? */
  async hasName(name: string): Promise<boolean> {
    return (await this.store.get('', addonNameKey(name))) !== undefined;
  }

  /** By id, with its version for compare-and-set. */
  async get(id: string): Promise<StoredRecord<AddonRecord> | undefined> {
    return this.store.get<AddonRecord>('', addonKey(id));
  }

  /** @returns false when one of the names is taken */
  create(addon: AddonRecord, attachment: AttachmentRecord, replaced?: AttachmentRecord): Promise<boolean> {
    return this.store.transact('', [
      { key: addonKey(addon.id), value: addon, ifVersion: 0 },
      { key: addonNameKey(addon.name), value: addon.id, ifVersion: 0 },
      ...attachChanges(attachment, replaced),
    ]);
  }

  /** @returns false when the name is taken */
  attach(attachment: AttachmentRecord, replaced?: AttachmentRecord): Promise<boolean> {
    return this.store.transact('', attachChanges(attachment, replaced));
  }

  /** Removes attachments and frees their names, all in one transaction. */
  async detach(attachments: readonly AttachmentRecord[]): Promise<void> {
    await this.store.transact('', attachments.flatMap(detachChanges));
  }

  /**
   * Changes an add-on's record.
   * @param change called again when somebody else changed it meanwhile; undefined: nothing to change
   * @returns undefined when there is no such add-on, or its new name is taken
   */
  async update(
    id: string,
    change: (before: AddonRecord) => Partial<AddonRecord> | undefined,
  ): Promise<AddonRecord | undefined> {
    for (;;) {
      const before = await this.get(id);
      if (!before) return undefined;
      const changes = change(before.value);
      if (!changes) return before.value;
      const value: AddonRecord = { ...before.value, ...changes, updatedAt: new Date().toISOString() };
      const isRenamed = addonNameKey(value.name) !== addonNameKey(before.value.name);
      const committed = await this.store.transact('', [
        { key: addonKey(id), value, ifVersion: before.version },
        ...(isRenamed
          ? [
              { key: addonNameKey(value.name), value: id, ifVersion: 0 },
              { key: addonNameKey(before.value.name), value: undefined },
            ]
          : []),
      ]);
      if (committed) return value;
      if (isRenamed && (await this.store.get('', addonNameKey(value.name)))) return undefined;
    }
  }

  /** {@link update}, of an add-on that has to be there. @throws TailraceError `not_found` */
  async requireUpdate(
    id: string,
    change: (before: AddonRecord) => Partial<AddonRecord> | undefined,
  ): Promise<AddonRecord> {
    const updated = await this.update(id, change);
    if (!updated) throw new TailraceError('not_found', "Couldn't find that add-on.");
    return updated;
  }

  /** Removes an add-on with all its attachments. */
  async remove(addon: AddonRecord, attachments: readonly AttachmentRecord[]): Promise<void> {
    await this.store.transact('', [
      { key: addonKey(addon.id), value: undefined },
      { key: addonNameKey(addon.name), value: undefined },
      ...attachments.flatMap(detachChanges),
    ]);
  }
}

/** The attachment, in the place of the one that had its name. */
function attachChanges(attachment: AttachmentRecord, replaced?: AttachmentRecord): RecordChange[] {
  return [
    { key: attachmentKey(attachment.id), value: attachment, ifVersion: 0 },
    ...(replaced
      ? [
          { key: attachmentKey(replaced.id), value: undefined },
          { key: attachmentNameKey(attachment), value: attachment.id },
        ]
      : [{ key: attachmentNameKey(attachment), value: attachment.id, ifVersion: 0 }]),
  ];
}

function detachChanges(attachment: AttachmentRecord): RecordChange[] {
  return [
    { key: attachmentKey(attachment.id), value: undefined },
    { key: attachmentNameKey(attachment), value: undefined },
  ];
}

function oldestFirst<T extends { readonly createdAt: string; readonly id: string }>(
  records: readonly StoredRecord<T>[],
): T[] {
  return records
    .map(({ value }) => value)
    .sort((a, b) =>
      a.createdAt === b.createdAt ? (a.id < b.id ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1,
    );
}

/** The attachments of an app. */
export function attachmentsOfApp({ attachments }: AddonSnapshot, app: AppId): AttachmentRecord[] {
  return attachments.filter((attachment) => attachment.app === app);
}

/** The attachments of an add-on. */
export function attachmentsOfAddon({ attachments }: AddonSnapshot, addon: string): AttachmentRecord[] {
  return attachments.filter((attachment) => attachment.addon === addon);
}
