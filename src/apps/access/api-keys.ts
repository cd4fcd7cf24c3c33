import { randomBytes } from 'node:crypto';
import { CoalescedRun } from '../../common/coalesced-run.ts';
import { TailraceError } from '../../common/errors.ts';
import { LruCache } from '../../common/lru-cache.ts';
import { hashOfSecret } from '../../logs/access/secrets.ts';
import { type AppId, mayHaveChanged, type Store } from '../../logs/store/contract.ts';
import { narrowed, type Permissions, type PersonRole, permissionsOf, permits } from './grants.ts';
import { FORMERLY_GLOBAL, GLOBAL_SCOPES, type KeyScope } from './key-scopes.ts';
import { PEOPLE_SCOPE, type People, type Person } from './people.ts';

/** A key's record, under `key/<hash>` in the scope of no app: the key itself isn't stored. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly description?: string;
  /** The key of a machine: id of the data folder that has it. */
  readonly local?: string;
  /** For these apps alone; left out: for all, and for what is of none. */
  readonly apps?: readonly AppId[];
  /** Id of the person whose key it is: it may never do more than they. */
  readonly user?: string;
  /** Address from which it was made, and the description of the key it was made with. */
  readonly madeFrom?: { readonly address: string; readonly key: string };
}

/** A key's last use, under `key-use/<hash>`: exact to {@link USE_NOTED_MS}. */
export interface KeyUse {
  readonly at: string;
  readonly address: string;
}

/** What whoever has shown a key, or is signed in, may do. */
export interface KeyGrant extends Permissions {
  readonly id: string;
  /** Names the key, or the secret of the session, without being one. */
  readonly hash: string;
  readonly expiresAt?: string;
  /** What the key was made for; the machine's own key has none. */
  readonly description?: string;
  /** Whose it is; undefined: nobody's in particular. */
  readonly user?: { readonly id: string; readonly email: string };
  /** Theirs, everywhere. */
  readonly role?: PersonRole;
  /** What a person's key was made for; undefined: nobody's key, or they have signed in themselves. */
  readonly madeFor?: { readonly scopes: readonly KeyScope[]; readonly apps?: readonly AppId[] };
}

/** A key is cached this long before the store is read again. */
const CACHE_TTL_MS = 5_000;
const CACHE_SIZE_MAX = 10_000;
/** The use of a key is noted this often at the most. */
const USE_NOTED_MS = 5 * 60_000;
/** Keys in use are looked at this often: a change may have been missed, or one has expired. */
const CHECK_INTERVAL_MS = 500;

/** API keys. They are looked up by their hash, so that no comparison depends on how much of a key is right. */
export class ApiKeys {
  private readonly store: Store;
  private readonly people: Pick<People, 'signedIn' | 'users'>;
  /** By hash. */
  private readonly cache = new LruCache<string, { record: ApiKeyRecord | undefined; untilMs: number }>(
    CACHE_SIZE_MAX,
  );
  /** Keys that are valid in this process only, by hash. */
  private readonly processKeys = new Map<string, ApiKeyRecord>();
  /** When the use of a key was noted last, by hash. */
  private readonly usesNoted = new LruCache<string, number>(CACHE_SIZE_MAX);
  /** What is to be called when a key isn't valid any more, by hash. */
  private readonly watchers = new Map<
    string,
    Set<{ readonly mayGoOn: (grant: KeyGrant) => boolean; readonly onEnded: () => void }>
  >();
  private readonly check = new CoalescedRun(() => this.endInvalid());
  private timer: NodeJS.Timeout | undefined;

  constructor(store: Store, people: Pick<People, 'signedIn' | 'users'>) {
    this.store = store;
    this.people = people;
    store.watchRecords((scope, keys) => {
      const isOfKeys = scope === '' && mayHaveChanged(keys, KEY_PREFIX);
      if (!isOfKeys && scope !== PEOPLE_SCOPE) return;
      this.cache.clear();
      if (this.watchers.size > 0) void this.check.request();
    });
  }

  /** Adds a key. */
  async add(key: string, record: ApiKeyRecord): Promise<void> {
    await this.store.transact('', [{ key: recordKey(hashOfSecret(key)), value: record }]);
  }

  /** A new key that is valid in this process, as long as it runs. */
  addProcessKey(scopes: readonly KeyScope[]): string {
    const key = generateApiKey();
    const hash = hashOfSecret(key);
    this.processKeys.set(hash, { id: hash, scopes, createdAt: new Date().toISOString() });
    return key;
  }

  /** All keys that have not expired, the oldest first. */
  async list(): Promise<ApiKeyRecord[]> {
    const records = (await this.listWithHashes()).map(({ record }) => record);
    return records
      .filter((record) => !hasExpired(record))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /** All keys, also those that have expired. */
  async listWithHashes(): Promise<{ hash: string; record: ApiKeyRecord }[]> {
    const records = await this.store.list<ApiKeyRecord>('', KEY_PREFIX);
    return records.map(({ key, value }) => ({ hash: key.slice(KEY_PREFIX.length), record: value }));
  }

  /** @throws TailraceError `not_found` */
  async get(id: string): Promise<ApiKeyRecord> {
    const found = (await this.list()).find((record) => record.id === id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that authorization.");
    return found;
  }

  /** Revokes a key, named by its id; those that have expired are removed. @throws TailraceError `not_found` */
  async remove(id: string): Promise<ApiKeyRecord> {
    const record = await this.get(id);
    const found = (await this.listWithHashes()).filter(
      (one) => one.record.id === id || hasExpired(one.record),
    );
    // Its machine still has it in a file, and must not bring it back.
    const revoked = found.filter((one) => one.record.id === id && isLocal(one.record));
    await this.store.transact('', [
      ...found.map(({ hash }) => ({ key: recordKey(hash), value: undefined })),
      ...found.map(({ hash }) => ({ key: useKey(hash), value: undefined })),
      ...revoked.map(({ hash }) => ({ key: revokedKey(hash), value: { at: new Date().toISOString() } })),
    ]);
    return record;
  }

  /**
   * Puts another key in the place of one: it may do the same, for as long. The old one is useless from now on.
   * @throws TailraceError `not_found`
   */
  async replace(id: string, key: string): Promise<ApiKeyRecord> {
    const old = (await this.listWithHashes()).find(({ record }) => record.id === id);
    if (!old || hasExpired(old.record))
      throw new TailraceError('not_found', "Couldn't find that authorization.");
    const record = { ...old.record, createdAt: new Date().toISOString() };
    await this.store.transact('', [
      { key: recordKey(old.hash), value: undefined },
      { key: useKey(old.hash), value: undefined },
      { key: recordKey(hashOfSecret(key)), value: record },
    ]);
    return record;
  }

  /** Describes a key anew. @throws TailraceError `not_found` */
  async describe(id: string, description: string): Promise<ApiKeyRecord> {
    const all = await this.store.list<ApiKeyRecord>('', KEY_PREFIX);
    const found = all.find(({ value }) => value.id === id && !hasExpired(value));
    const record = found && { ...found.value, description };
    // One that is revoked meanwhile stays so.
    const isChanged =
      found && (await this.store.transact('', [{ key: found.key, value: record, ifVersion: found.version }]));
    if (!record || !isChanged) throw new TailraceError('not_found', "Couldn't find that authorization.");
    return record;
  }

  /** Notes that a key was used just now. */
  noteUse({ hash }: Pick<KeyGrant, 'hash'>, address: string): void {
    const nowMs = performance.now();
    const notedMs = this.usesNoted.get(hash);
    if ((notedMs !== undefined && nowMs - notedMs < USE_NOTED_MS) || this.processKeys.has(hash)) return;
    this.usesNoted.set(hash, nowMs);
    const use: KeyUse = { at: new Date().toISOString(), address };
    this.store.transact('', [{ key: useKey(hash), value: use }], { quiet: true }).catch(() => undefined);
  }

  /** The last use of each key, by the keys' ids. */
  async lastUses(): Promise<ReadonlyMap<string, KeyUse>> {
    const uses = await this.store.list<KeyUse>('', USE_PREFIX);
    const byHash = new Map(uses.map(({ key, value }) => [key.slice(USE_PREFIX.length), value]));
    const all = await this.listWithHashes();
    return new Map(
      all.flatMap(({ hash, record }) => {
        const use = byHash.get(hash);
        return use ? [[record.id, use] as const] : [];
      }),
    );
  }

  /** Was this key of a machine revoked? */
  async wasRevoked(key: string): Promise<boolean> {
    return (await this.store.get('', revokedKey(hashOfSecret(key)))) !== undefined;
  }

  /** Sets the keys of one machine: `key` with its record, `outdated` are removed, and so is what is known of `forgotten`. */
  async setLocal(
    key: string,
    record: ApiKeyRecord,
    outdated: readonly string[],
    forgotten?: string,
  ): Promise<void> {
    const hash = hashOfSecret(key);
    await this.store.transact('', [
      { key: recordKey(hash), value: record },
      ...outdated.filter((one) => one !== hash).map((one) => ({ key: recordKey(one), value: undefined })),
      ...(forgotten === undefined ? [] : [{ key: revokedKey(hashOfSecret(forgotten)), value: undefined }]),
    ]);
  }

  /** What a key may do; undefined for one that isn't valid. */
  async grantOf(key: string): Promise<KeyGrant | undefined> {
    return this.grantOfKeyHash(hashOfSecret(key));
  }

  /** What a browser's session may do, by its cookie's secret; undefined for one that is over. */
  async grantOfSession(secret: string): Promise<KeyGrant | undefined> {
    return this.grantOfSessionHash(hashOfSecret(secret));
  }

  /** What is granted now to whom something was granted before, by the grant's hash; undefined: nothing any more. */
  async grantOfHash(hash: string): Promise<KeyGrant | undefined> {
    if (hash.startsWith(PASSWORD_PREFIX)) return this.grantOfPassword(hash);
    return (await this.grantOfKeyHash(hash)) ?? this.grantOfSessionHash(hash);
  }

  private async grantOfPassword(hash: string): Promise<KeyGrant | undefined> {
    const [id, version] = hash.slice(PASSWORD_PREFIX.length).split('/');
    const person = await this.people.users.find(id);
    return person && String(person.passwordVersion) === version ? personGrant(person, hash) : undefined;
  }

  private async grantOfSessionHash(hash: string): Promise<KeyGrant | undefined> {
    const who = await this.people.signedIn(hash);
    if (who?.kind === 'person') return personGrant(who.person, hash);
    const grant = who && (await this.grantOfKeyHash(who.hash));
    return grant && { ...grant, hash };
  }

  private async grantOfKeyHash(hash: string): Promise<KeyGrant | undefined> {
    const record = this.processKeys.get(hash) ?? (await this.lookUp(hash));
    if (!record || hasExpired(record)) return undefined;
    const { id, expiresAt, description, apps, user } = record;
    const scopes = scopesOf(record);
    if (user === undefined) return { id, hash, scopes, expiresAt, description, apps };
    const person = await this.people.users.find(user);
    return (
      person && {
        ...personGrant(person, hash),
        id,
        expiresAt,
        description,
        madeFor: { scopes, apps },
        ...narrowed(permissionsOf(person), scopes, apps),
      }
    );
  }

  /** Whose lines may be sent with a key: nobody's, those of some apps, anybody's? */
  async writableApps(key: string): Promise<boolean | readonly AppId[]> {
    const grant = await this.grantOf(key);
    if (!grant) return false;
    if (permits(grant, 'ingest')) return true;
    const apps = [...new Set([...(grant.apps ?? []), ...(grant.scopesByApp?.keys() ?? [])])];
    const writable = apps.filter((app) => permits(grant, 'ingest', app));
    return writable.length > 0 && writable;
  }

  /** Calls `onEnded` when somebody may no longer do what they are doing (a key is revoked, expires …), until the returned function is called. */
  watch(hash: string, mayGoOn: (grant: KeyGrant) => boolean, onEnded: () => void): () => void {
    let watchers = this.watchers.get(hash);
    if (!watchers) {
      watchers = new Set();
      this.watchers.set(hash, watchers);
    }
    const watcher = { mayGoOn, onEnded };
    watchers.add(watcher);
    this.timer ??= setInterval(() => void this.check.request(), CHECK_INTERVAL_MS).unref();
    const ownWatchers = watchers;
    return () => {
      ownWatchers.delete(watcher);
      if (ownWatchers.size === 0 && this.watchers.get(hash) === ownWatchers) this.watchers.delete(hash);
      if (this.watchers.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  }

  private async endInvalid(): Promise<void> {
    for (const [hash, watchers] of [...this.watchers]) {
      // While the store is unavailable nobody knows; the next look comes soon.
      const look = await this.grantOfHash(hash).then(
        (grant) => ({ grant }),
        () => undefined,
      );
      if (!look) continue;
      for (const { mayGoOn, onEnded } of [...watchers]) if (!look.grant || !mayGoOn(look.grant)) onEnded();
    }
  }

  private async lookUp(hash: string): Promise<ApiKeyRecord | undefined> {
    const nowMs = performance.now();
    const cached = this.cache.get(hash);
    if (cached && cached.untilMs > nowMs) return cached.record;
    let record: ApiKeyRecord | undefined;
    try {
      record = (await this.store.get<ApiKeyRecord>('', recordKey(hash)))?.value;
    } catch (error) {
      // The store is unavailable: a client that was allowed a moment ago may go on, and see the status.
      if (cached?.record) return cached.record;
      throw error;
    }
    this.cache.set(hash, { record, untilMs: nowMs + CACHE_TTL_MS });
    return record;
  }
}

/** What a person may do. @param hash of what they have shown */
function personGrant(person: Person, hash: string): KeyGrant {
  const { id, email, role } = person;
  return { id, hash, description: email, user: { id, email }, role, ...permissionsOf(person) };
}

/** What somebody may do who has shown their password: until it is another one. */
export function passwordGrant(person: Person): KeyGrant {
  return personGrant(person, `${PASSWORD_PREFIX}${person.id}/${person.passwordVersion}`);
}

/** A machine's own key; those without a description are older than the folders' ids. */
export function isLocal({ local, description }: ApiKeyRecord): boolean {
  return local !== undefined || description === undefined;
}

/** A key that could do everything before there was `admin` goes on doing everything. Where a key comes from is noted since then. */
export function scopesOf({ scopes, madeFrom }: ApiKeyRecord): readonly KeyScope[] {
  const isFormerlyGlobal = madeFrom === undefined && FORMERLY_GLOBAL.every((scope) => scopes.includes(scope));
  return isFormerlyGlobal ? GLOBAL_SCOPES : scopes;
}

function hasExpired({ expiresAt }: Pick<ApiKeyRecord, 'expiresAt'>): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
}

/** A new key: 32 random bytes. */
export function generateApiKey(): string {
  return `k.${randomBytes(32).toString('base64url')}`;
}

const KEY_PREFIX = 'key/';
/** In the place of a hash, of whoever has shown a password: the person's id and the version of the password follow. */
const PASSWORD_PREFIX = 'password/';
const USE_PREFIX = 'key-use/';

function recordKey(hash: string): string {
  return `${KEY_PREFIX}${hash}`;
}

function useKey(hash: string): string {
  return `${USE_PREFIX}${hash}`;
}

/** Under this key stands that a machine's key was revoked. */
function revokedKey(hash: string): string {
  return `revoked-key/${hash}`;
}
