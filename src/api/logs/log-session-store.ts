import { randomBytes } from 'node:crypto';
import type { ApiKeys } from '../../apps/access/api-keys.ts';
import type { AppRecord } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { LruCache } from '../../common/lru-cache.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import type { TailQuery } from '../../logs/tails/tail-query.ts';
import { mayReadLines } from '../access/authorize.ts';

/** A session without connections expires after this long. */
const SESSION_TTL_MS = 5 * 60_000;
/** With a connection its record is renewed this often. */
const RENEW_INTERVAL_MS = 2 * 60_000;

/** Sessions whose expiry is remembered at the most. */
const SEEN_MAX = 10_000;

/** A log session's record, under `session/<secret>` in its app's scope. */
interface SessionRecord {
  readonly query: TailQuery;
  /** Hash of the API key that made it: without that key it ends. */
  readonly keyHash?: string;
  readonly expiresAtMs: number;
}

/** Milliseconds on the clocks that a session's expiry is measured with. */
export interface SessionClocks {
  /** Since 1970. */
  readonly wall: () => number;
  /** Never set. */
  readonly monotonic: () => number;
}

/** What a session's reader may read, and the key on which that depends. */
export interface ResolvedSession {
  readonly query: TailQuery;
  readonly keyHash: string | undefined;
}

/** The log sessions: secret URLs that can be read without a key, until they are unused for a while. */
export class LogSessionStore {
  private readonly store: Store;
  private readonly apiKeys: Pick<ApiKeys, 'grantOfHash'>;
  private readonly clocks: SessionClocks;
  /** When sessions expire by the monotonic clock: the wall clock may be set after their records were written, or first seen, here. */
  private readonly seen = new LruCache<string, { expiresAtMs: number; untilMs: number }>(SEEN_MAX);

  constructor(
    store: Store,
    apiKeys: Pick<ApiKeys, 'grantOfHash'>,
    clocks: SessionClocks = { wall: Date.now, monotonic: () => performance.now() },
  ) {
    this.store = store;
    this.apiKeys = apiKeys;
    this.clocks = clocks;
  }

  /** Makes a session; returns its secret. Expired ones are deleted. */
  async create(app: AppId, query: TailQuery, keyHash: string | undefined): Promise<string> {
    const secret = randomBytes(24).toString('base64url');
    const record: SessionRecord = { query, keyHash, expiresAtMs: this.clocks.wall() + SESSION_TTL_MS };
    const old = await this.store.list<SessionRecord>(app, 'session/');
    await this.store.transact(app, [
      { key: sessionKey(secret), value: record },
      ...old
        .filter(({ key, value }) => this.hasExpired(key, value))
        .map(({ key }) => ({ key, value: undefined })),
    ]);
    this.expiryOf(sessionKey(secret), record);
    return secret;
  }

  /**
   * The query of a session and an address together: what the session was made with can't be changed, what it left open
   * may be requested; the position to resume from is the reader's.
   * @throws TailraceError `not_found` when there is no such session any more, or the key that made it is no longer valid.
   */
  async resolveQuery(
    app: Pick<AppRecord, 'id' | 'name'>,
    secret: string,
    requested: TailQuery,
  ): Promise<ResolvedSession> {
    const record = await this.store.get<SessionRecord>(app.id, sessionKey(secret));
    if (!record || this.hasExpired(record.key, record.value))
      throw new TailraceError('not_found', 'This log session has expired: ask for a new one.');
    const { keyHash } = record.value;
    const grant = keyHash === undefined ? undefined : await this.apiKeys.grantOfHash(keyHash);
    if (keyHash !== undefined && !(grant && mayReadLines(grant, app)))
      throw new TailraceError(
        'not_found',
        'This log session has ended: the API key that made it was revoked or has expired.',
      );
    const query = {
      ...requested,
      ...record.value.query,
      after: requested.after ?? record.value.query.after,
    };
    return { query, keyHash };
  }

  /** Keeps a session from expiring until the returned function is called, and for a while after. */
  keepAlive(app: AppId, secret: string): () => void {
    const renew = (): void => void this.renew(app, secret).catch(() => {});
    const timer = setInterval(renew, RENEW_INTERVAL_MS);
    timer.unref();
    return () => {
      clearInterval(timer);
      renew();
    };
  }

  private async renew(app: AppId, secret: string): Promise<void> {
    const record = await this.store.get<SessionRecord>(app, sessionKey(secret));
    if (!record) return;
    const value = { ...record.value, expiresAtMs: this.clocks.wall() + SESSION_TTL_MS };
    await this.store.transact(app, [{ key: record.key, value, ifVersion: record.version }]);
    this.expiryOf(record.key, value);
  }

  private hasExpired(key: string, record: SessionRecord): boolean {
    return this.expiryOf(key, record) < this.clocks.monotonic();
  }

  /** When a session expires by the monotonic clock: found out once for each date that its record gets. */
  private expiryOf(key: string, { expiresAtMs }: SessionRecord): number {
    const seen = this.seen.get(key);
    if (seen?.expiresAtMs === expiresAtMs) return seen.untilMs;
    const { wall, monotonic } = this.clocks;
    // More than its full time left is what a clock that was set back makes of it.
    const untilMs = monotonic() + Math.min(expiresAtMs - wall(), SESSION_TTL_MS);
    this.seen.set(key, { expiresAtMs, untilMs });
    return untilMs;
  }
}

function sessionKey(secret: string): string {
  return `session/${secret}`;
}
