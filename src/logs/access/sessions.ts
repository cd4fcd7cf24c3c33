/** Browsers that are signed in: each has a secret in a cookie, of which the hash is stored. */
import type { Store } from '../store/contract.ts';
import { type SessionRecord, sessionKey, type UserRecord } from './people-records.ts';
import { hashOfSecret, newSecret } from './secrets.ts';

/** From its last use; that is noted once a day. */
export const SESSION_LIFETIME_MS = 30 * 86_400_000;
const NOTED_AFTER_MS = 86_400_000;

export class Sessions {
  private readonly records: Store;
  private readonly scope: string;

  /** @param scope of the records */
  constructor(records: Store, scope: string) {
    this.records = records;
    this.scope = scope;
  }

  /**
   * @param fixedMs it ends after so long, however it is used: then somebody else has to say again who that is
   * @returns the secret for the browser's cookie
   */
  async start(
    { id, passwordVersion }: Pick<UserRecord, 'id' | 'passwordVersion'>,
    fixedMs?: number,
  ): Promise<string> {
    const secret = newSecret();
    const nowMs = Date.now();
    const session: SessionRecord = {
      user: id,
      passwordVersion,
      createdAt: new Date(nowMs).toISOString(),
      expiresAt: new Date(nowMs + (fixedMs ?? SESSION_LIFETIME_MS)).toISOString(),
      ...(fixedMs !== undefined && { isFixed: true }),
    };
    await this.records.transact(this.scope, [{ key: sessionKey(hashOfSecret(secret)), value: session }]);
    return secret;
  }

  /** The session of a cookie, by the hash of its secret; undefined when it is over. */
  async find(hash: string): Promise<SessionRecord | undefined> {
    const key = sessionKey(hash);
    const found = await this.records.get<SessionRecord>(this.scope, key);
    const session = found?.value;
    const nowMs = Date.now();
    const leftMs = session === undefined ? 0 : Date.parse(session.expiresAt) - nowMs;
    if (!found || !session || leftMs <= 0) return undefined;
    if (!session.isFixed && leftMs < SESSION_LIFETIME_MS - NOTED_AFTER_MS) {
      const used = { ...session, expiresAt: new Date(nowMs + SESSION_LIFETIME_MS).toISOString() };
      // One that is ended meanwhile stays ended.
      const noted = { key, value: used, ifVersion: found.version };
      await this.records.transact(this.scope, [noted], { quiet: true });
    }
    return session;
  }

  /** Ends a session; one that is over already is no error. @param hash of its secret */
  async end(hash: string): Promise<void> {
    await this.records.transact(this.scope, [{ key: sessionKey(hash), value: undefined }]);
  }

  /** Removes what is over. */
  async removeExpired(): Promise<void> {
    const all = await this.records.list<SessionRecord>(this.scope, 'session/');
    const over = all.filter(({ value }) => Date.parse(value.expiresAt) <= Date.now());
    if (over.length === 0) return;
    await this.records.transact(
      this.scope,
      over.map(({ key }) => ({ key, value: undefined })),
      { quiet: true },
    );
  }
}
