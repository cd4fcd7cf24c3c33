import { createHash, randomBytes } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import type { Store } from '../../logs/store/contract.ts';

/** What a key may do: `read` and `write` through the API, `ingest` lines. */
export type Scope = 'read' | 'write' | 'ingest';
export const SCOPES: readonly Scope[] = ['read', 'write', 'ingest'];

/** A key's record, under `key/<hash>` in the scope of no app: the key itself is nowhere kept. */
export interface KeyRecord {
  readonly id: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly description?: string;
}

/** A found key is remembered this long before the store is asked again. */
const REMEMBER_MS = 5_000;
const REMEMBERED_MAX = 10_000;

/** API keys. They are looked up by their hash, so that no comparison depends on how much of a key is right. */
export class Keys {
  private readonly store: Store;
  private readonly remembered = new Map<string, { record: KeyRecord | undefined; untilMs: number }>();

  constructor(store: Store) {
    this.store = store;
    store.watch((scope) => {
      if (scope === '') this.remembered.clear();
    });
  }

  /** Makes a key known. */
  async add(key: string, record: KeyRecord): Promise<void> {
    await this.store.transact('', [{ key: recordKey(key), value: record }]);
  }

  /** All keys that have not expired, the oldest first. */
  async list(): Promise<KeyRecord[]> {
    const records = (await this.store.list<KeyRecord>('', 'key/')).map(({ value }) => value);
    return records
      .filter((record) => !hasExpired(record))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /** @throws TailraceError `not_found` */
  async get(id: string): Promise<KeyRecord> {
    const found = (await this.list()).find((record) => record.id === id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that authorization.");
    return found;
  }

  /** Revokes a key, named by its id. @throws TailraceError `not_found` */
  async remove(id: string): Promise<KeyRecord> {
    const record = await this.get(id);
    const all = await this.store.list<KeyRecord>('', 'key/');
    const found = all.filter(({ value }) => value.id === id || hasExpired(value));
    await this.store.transact(
      '',
      found.map(({ key }) => ({ key, value: undefined })),
    );
    return record;
  }

  /** May whoever shows this key do that? */
  async allows(key: string, scope: Scope): Promise<boolean> {
    const record = await this.find(key);
    if (!record) return false;
    if (hasExpired(record)) return false;
    return record.scopes.includes(scope);
  }

  private async find(key: string): Promise<KeyRecord | undefined> {
    const now = Date.now();
    const known = this.remembered.get(key);
    if (known && known.untilMs > now) return known.record;
    let record: KeyRecord | undefined;
    try {
      record = (await this.store.get<KeyRecord>('', recordKey(key)))?.value;
    } catch (error) {
      // The store is away: who was let in a moment ago may go on, and ask what the matter is.
      if (known?.record) return known.record;
      throw error;
    }
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(key, { record, untilMs: now + REMEMBER_MS });
    return record;
  }
}

function hasExpired({ expiresAt }: KeyRecord): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
}

/** A new key: 32 random bytes. */
export function makeKey(): string {
  return `k.${randomBytes(32).toString('base64url')}`;
}

function recordKey(key: string): string {
  return `key/${createHash('sha256').update(key).digest('hex')}`;
}
