/** API keys, by scope and group. They are looked up by their hash, so that no comparison depends on how much of a key is right. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../src/common/errors.ts';
import { hashOfSecret, newSecret } from '../../../src/logs/access/secrets.ts';
import type { Store } from '../../../src/logs/store/contract.ts';
import { ACCESS_SCOPE, type KeyRecord, keyKey } from './access-records.ts';

export class ViewerKeys {
  private readonly records: Store;
  private readonly fixedHash: string | undefined;

  /** @param fixed a key that may do everything, as long as this process runs; '' for none */
  constructor(records: Store, fixed: string) {
    this.records = records;
    this.fixedHash = fixed === '' ? undefined : hashOfSecret(fixed);
  }

  /** Is this the hash of the key that the viewer was started with? */
  isFixed(hash: string): boolean {
    return hash === this.fixedHash;
  }

  /** @param hash of the key; undefined when it was removed, or never was one */
  async find(hash: string): Promise<KeyRecord | undefined> {
    return (await this.records.get<KeyRecord>(ACCESS_SCOPE, keyKey(hash)))?.value;
  }

  /** All keys, the oldest first. */
  async list(): Promise<KeyRecord[]> {
    const found = await this.records.list<KeyRecord>(ACCESS_SCOPE, 'key/');
    return found.map(({ value }) => value).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /** @returns the record, with the key, which isn't stored */
  async create(
    key: Omit<KeyRecord, 'id' | 'createdAt'>,
  ): Promise<{ readonly record: KeyRecord; readonly key: string }> {
    const secret = `v.${newSecret()}`;
    const record: KeyRecord = { id: randomUUID(), ...key, createdAt: new Date().toISOString() };
    await this.records.transact(ACCESS_SCOPE, [{ key: keyKey(hashOfSecret(secret)), value: record }]);
    return { record, key: secret };
  }

  /** @throws TailraceError `not_found` */
  async remove(id: string): Promise<KeyRecord> {
    const all = await this.records.list<KeyRecord>(ACCESS_SCOPE, 'key/');
    const found = all.find(({ value }) => value.id === id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that key.");
    await this.records.transact(ACCESS_SCOPE, [{ key: found.key, value: undefined }]);
    return found.value;
  }
}
