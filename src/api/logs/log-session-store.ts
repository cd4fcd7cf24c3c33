import { randomBytes } from 'node:crypto';
import type { ApiKeys } from '../../apps/records/api-keys.ts';
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { TAIL_PARAMETERS, type TailQuery } from '../../logs/tails/tail-query.ts';

/** A session without connections expires after this long. */
const SESSION_TTL_MS = 5 * 60_000;
/** With a connection its record is renewed this often. */
const RENEW_INTERVAL_MS = 2 * 60_000;

/** A log session's record, under `session/<secret>` in its app's scope. */
interface SessionRecord {
  readonly query: TailQuery;
  /** Hash of the API key that made it: without that key it ends. */
  readonly keyHash?: string;
  readonly expiresAtMs: number;
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
  private readonly now: () => number;

  constructor(store: Store, apiKeys: Pick<ApiKeys, 'grantOfHash'>, now: () => number = Date.now) {
    this.store = store;
    this.apiKeys = apiKeys;
    this.now = now;
  }

  /** Makes a session; returns its secret. Expired ones are deleted. */
  async create(app: AppId, query: TailQuery, keyHash: string | undefined): Promise<string> {
    const secret = randomBytes(24).toString('base64url');
    const now = this.now();
    const record: SessionRecord = { query, keyHash, expiresAtMs: now + SESSION_TTL_MS };
    const old = await this.store.list<SessionRecord>(app, 'session/');
    await this.store.transact(app, [
      { key: sessionKey(secret), value: record },
      ...old.filter(({ value }) => value.expiresAtMs < now).map(({ key }) => ({ key, value: undefined })),
    ]);
    return secret;
  }

  /**
   * The query of a session and an address together: what the session was made with can't be changed, what it left open
   * may be requested; the position to resume from is the reader's.
   * @throws TailraceError `not_found` when there is no such session any more, or the key that made it is no longer valid.
   */
  async resolveQuery(app: AppId, secret: string, requested: TailQuery): Promise<ResolvedSession> {
    const record = await this.store.get<SessionRecord>(app, sessionKey(secret));
    if (!record || record.value.expiresAtMs < this.now())
      throw new TailraceError('not_found', 'This log session has expired: ask for a new one.');
    const { keyHash } = record.value;
    if (keyHash !== undefined && !(await this.apiKeys.grantOfHash(keyHash)))
      throw new TailraceError(
        'not_found',
        'This log session has ended: the API key that made it was revoked or has expired.',
      );
    const requestedQuery = Object.fromEntries(TAIL_PARAMETERS.map((name) => [name, requested[name]]));
    const query = {
      ...requestedQuery,
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
    const value = { ...record.value, expiresAtMs: this.now() + SESSION_TTL_MS };
    await this.store.transact(app, [{ key: record.key, value, ifVersion: record.version }]);
  }
}

function sessionKey(secret: string): string {
  return `session/${secret}`;
}
