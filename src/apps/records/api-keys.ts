import { createHash, randomBytes } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import { LruCache } from '../../common/lru-cache.ts';
import type { Store } from '../../logs/store/contract.ts';

/** What a key may do: `read` and `write` through the API, `ingest` lines. */
export type KeyScope = 'read' | 'write' | 'ingest';
export const KEY_SCOPES: readonly KeyScope[] = ['read', 'write', 'ingest'];

/** A key's record, under `key/<hash>` in the scope of no app: the key itself isn't stored. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly description?: string;
}

/** A key is cached this long before the store is read again. */
const CACHE_TTL_MS = 5_000;
const CACHE_SIZE_MAX = 10_000;

/** API keys. They are looked up by their hash, so that no comparison depends on how much of a key is right. */
export class ApiKeys {
  private readonly store: Store;
  private readonly cache = new LruCache<string, { record: ApiKeyRecord | undefined; untilMs: number }>(
    CACHE_SIZE_MAX,
  );

  constructor(store: Store) {
    this.store = store;
    store.watchRecords((scope) => {
      if (scope === '') this.cache.clear();
    });
  }

  /** Adds a key. */
  async add(key: string, record: ApiKeyRecord): Promise<void> {
    await this.store.transact('', [{ key: apiKeyRecordKey(key), value: record }]);
  }

  /** All keys that have not expired, the oldest first. */
  async list(): Promise<ApiKeyRecord[]> {
    const records = (await this.store.list<ApiKeyRecord>('', 'key/')).map(({ value }) => value);
    return records
      .filter((record) => !hasExpired(record))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /** @throws TailraceError `not_found` */
  async get(id: string): Promise<ApiKeyRecord> {
    const found = (await this.list()).find((record) => record.id === id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that authorization.");
    return found;
  }

  /** Revokes a key, named by its id. @throws TailraceError `not_found` */
  async remove(id: string): Promise<ApiKeyRecord> {
    const record = await this.get(id);
    const all = await this.store.list<ApiKeyRecord>('', 'key/');
    const found = all.filter(({ value }) => value.id === id || hasExpired(value));
    await this.store.transact(
      '',
      found.map(({ key }) => ({ key, value: undefined })),
    );
    return record;
  }

  /** Does this key have the scope? */
  async allows(key: string, scope: KeyScope): Promise<boolean> {
    const record = await this.lookUp(key);
    if (!record) return false;
    if (hasExpired(record)) return false;
    return record.scopes.includes(scope);
  }

  private async lookUp(key: string): Promise<ApiKeyRecord | undefined> {
    const now = performance.now();
    const cached = this.cache.get(key);
    if (cached && cached.untilMs > now) return cached.record;
    let record: ApiKeyRecord | undefined;
    try {
      record = (await this.store.get<ApiKeyRecord>('', apiKeyRecordKey(key)))?.value;
    } catch (error) {
      // The store is unavailable: a client that was allowed a moment ago may go on, and see the status.
      if (cached?.record) return cached.record;
      throw error;
    }
    this.cache.set(key, { record, untilMs: now + CACHE_TTL_MS });
    return record;
  }
}

function hasExpired({ expiresAt }: ApiKeyRecord): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
}

/** A new key: 32 random bytes. */
export function generateApiKey(): string {
  return `k.${randomBytes(32).toString('base64url')}`;
}

function apiKeyRecordKey(key: string): string {
  return `key/${createHash('sha256').update(key).digest('hex')}`;
}
