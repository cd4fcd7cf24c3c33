/** Registered partners, as records in the store. */
import { randomBytes } from 'node:crypto';
import { TailraceError } from '../../../../common/errors.ts';
import type { Store } from '../../../../logs/store/contract.ts';
import type { PartnerManifest } from './manifest.ts';

/** A registered partner, under `addon-partner/<id>` in the scope of no app. */
export interface PartnerRecord extends PartnerManifest {
  /** What it exchanges grants with, as an OAuth client; it stays when the manifest is registered again. */
  readonly clientSecret: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

const PREFIX = 'addon-partner/';

export class PartnerManifests {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** All, in the order of their ids. */
  async list(): Promise<readonly PartnerRecord[]> {
    const records = await this.store.list<PartnerRecord>('', PREFIX);
    return records.map(({ value }) => value).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async find(id: string): Promise<PartnerRecord | undefined> {
    return (await this.store.get<PartnerRecord>('', PREFIX + id))?.value;
  }

  /** @throws TailraceError `not_found` */
  async get(id: string): Promise<PartnerRecord> {
    const found = await this.find(id);
    if (found) return found;
    const names = (await this.list()).map((one) => one.id).join(', ');
    throw new TailraceError(
      'not_found',
      `No partner is registered as ${id.slice(0, 100)}: there ${names ? `are ${names}` : 'is none'}.`,
    );
  }

  /** Puts a manifest in the place of the one with its id, if there is one. */
  async register(manifest: PartnerManifest): Promise<PartnerRecord> {
    for (;;) {
      const before = await this.store.get<PartnerRecord>('', PREFIX + manifest.id);
      const now = new Date().toISOString();
      const record: PartnerRecord = {
        ...manifest,
        clientSecret: before?.value.clientSecret ?? randomBytes(32).toString('hex'),
        createdAt: before?.value.createdAt ?? now,
        updatedAt: now,
      };
      const change = { key: PREFIX + manifest.id, value: record, ifVersion: before?.version ?? 0 };
      if (await this.store.transact('', [change])) return record;
    }
  }

  /** It is no error when there is none; its add-ons stay. */
  async remove(id: string): Promise<void> {
    await this.store.transact('', [{ key: PREFIX + id, value: undefined }]);
  }
}
