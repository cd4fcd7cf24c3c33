/** Browsers that are signed in: each has a secret in a cookie, of which the hash is stored. */
import { createHash } from 'node:crypto';
import type { Store } from '../../../src/logs/store/contract.ts';
import {
  ACCESS_SCOPE,
  hashOfSecret,
  newSecret,
  type SessionRecord,
  sessionKey,
  type UserRecord,
} from './access-records.ts';

/** From its last use; that is noted once a day. */
const LIFETIME_MS = 30 * 86_400_000;
const NOTED_AFTER_MS = 86_400_000;

export class Sessions {
  private readonly records: Store;

  constructor(records: Store) {
    this.records = records;
  }

  /** @returns the secret for the browser's cookie */
  async start({ id, passwordVersion }: UserRecord): Promise<string> {
    const secret = newSecret();
    const nowMs = Date.now();
    const session: SessionRecord = {
      user: id,
      passwordVersion,
      createdAt: new Date(nowMs).toISOString(),
      expiresAt: new Date(nowMs + LIFETIME_MS).toISOString(),
    };
    await this.records.transact(ACCESS_SCOPE, [{ key: sessionKey(hashOfSecret(secret)), value: session }]);
    return secret;
  }

  /** The session of a cookie, by the hash of its secret; undefined when it is over. */
  async find(hash: string): Promise<SessionRecord | undefined> {
    const key = sessionKey(hash);
    const found = await this.records.get<SessionRecord>(ACCESS_SCOPE, key);
    const session = found?.value;
    const nowMs = Date.now();
    const leftMs = session === undefined ? 0 : Date.parse(session.expiresAt) - nowMs;
    if (!found || !session || leftMs <= 0) return undefined;
    if (leftMs < LIFETIME_MS - NOTED_AFTER_MS) {
      const used = { ...session, expiresAt: new Date(nowMs + LIFETIME_MS).toISOString() };
      // One that is ended meanwhile stays ended.
      const noted = { key, value: used, ifVersion: found.version };
      await this.records.transact(ACCESS_SCOPE, [noted], { quiet: true });
    }
    return session;
  }

  async end(hash: string): Promise<void> {
    await this.records.transact(ACCESS_SCOPE, [{ key: sessionKey(hash), value: undefined }]);
  }

  /** Removes what is over. */
  async removeExpired(): Promise<void> {
    const all = await this.records.list<SessionRecord>(ACCESS_SCOPE, 'session/');
    const over = all.filter(({ value }) => Date.parse(value.expiresAt) <= Date.now());
    if (over.length === 0) return;
    await this.records.transact(
      ACCESS_SCOPE,
      over.map(({ key }) => ({ key, value: undefined })),
      { quiet: true },
    );
  }
}

/** What a page of this session has to send with whatever changes something: other sites' pages can't know it. */
export function csrfToken(sessionSecret: string): string {
  return createHash('sha256').update(`csrf ${sessionSecret}`).digest('base64url');
}
