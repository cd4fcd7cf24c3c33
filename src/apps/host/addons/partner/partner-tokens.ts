/**
 * What a partner may do at the Platform API: with the grant of an add-on it gets tokens that are good for that add-on alone, as an OAuth
 * client does (RFC 6749). They are stored by their hashes, and removed with the add-on.
 */
import { createHash, randomBytes } from 'node:crypto';
import { TailraceError } from '../../../../common/errors.ts';
import type { Store } from '../../../../logs/store/contract.ts';

/** A grant is exchanged at once. */
const GRANT_MS = 5 * 60_000;
const ACCESS_MS = 8 * 60 * 60_000;
/** Access tokens of one add-on; beyond, the oldest is of no use any more. */
const ACCESS_TOKENS_MAX = 20;
/** `p.<add-on>.<random>`: none is an API key (`k.`) or a source's token (`t.`). */
const SECRET = /^p\.([0-9a-f-]{36})\.[\w-]{43}$/;

type SecretKind = 'grant' | 'access' | 'refresh';

/** Under `addon-secret/<add-on>/<hash>` in the scope of no app. */
interface SecretRecord {
  readonly kind: SecretKind;
  readonly createdAt: string;
  /** Left out: as long as the add-on. */
  readonly expiresAt?: string;
}

/** A grant, as the provision request has it. */
export interface OauthGrant {
  readonly code: string;
  readonly expires_at: string;
  readonly type: 'authorization_code';
}

/** RFC 6749 section 5.1. */
export interface OauthTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly token_type: 'Bearer';
}

/** Grants are good once, for five minutes; access tokens for eight hours; refresh tokens until the add-on is removed. */
export class PartnerTokens {
  private readonly store: Store;
  private readonly now: () => number;

  constructor(store: Store, now: () => number = Date.now) {
    this.store = store;
    this.now = now;
  }

  /** A new grant; earlier ones stay good, since their request may have arrived. */
  async grant(addon: string): Promise<OauthGrant> {
    const { secret, expiresAt = '' } = await this.issue(addon, 'grant', GRANT_MS);
    return { code: secret, expires_at: expiresAt, type: 'authorization_code' };
  }

  /** The add-on that a grant or a refresh token is of, before it is used; undefined for one that isn't good. */
  async addonOfGrant(secret: string, type: string): Promise<string | undefined> {
    const kind = kindOfGrantType(type);
    return kind === undefined ? undefined : this.find(secret, kind);
  }

  /** The add-on that an access token may change; undefined for one that isn't good. */
  async addonOfToken(token: string): Promise<string | undefined> {
    return this.find(token, 'access');
  }

  /**
   * Tokens for a grant, once, or for a refresh token.
   * @param type RFC 6749: `authorization_code`, `refresh_token`
   * @throws TailraceError `unauthorized`
   */
  async exchange(secret: string, type: string): Promise<OauthTokens> {
    const addon = await this.addonOfGrant(secret, type);
    if (addon === undefined) throw invalidGrant();
    if (type === 'authorization_code') {
      const key = recordKey(addon, secret);
      const record = await this.store.get('', key);
      // One of two that come at once.
      const isFirst =
        record && (await this.store.transact('', [{ key, value: undefined, ifVersion: record.version }]));
      if (!isFirst) throw invalidGrant();
    }
    await this.removeOld(addon);
    const access = await this.issue(addon, 'access', ACCESS_MS);
    const refresh = type === 'refresh_token' ? secret : (await this.issue(addon, 'refresh')).secret;
    return {
      access_token: access.secret,
      refresh_token: refresh,
      expires_in: ACCESS_MS / 1_000,
      token_type: 'Bearer',
    };
  }

  /** Whatever a partner has of an add-on is good for nothing from now on. */
  async revoke(addon: string): Promise<void> {
    const all = await this.store.list('', prefixOf(addon));
    if (all.length > 0)
      await this.store.transact(
        '',
        all.map(({ key }) => ({ key, value: undefined })),
      );
  }

  private async issue(
    addon: string,
    kind: SecretKind,
    lifetimeMs?: number,
  ): Promise<{ secret: string; expiresAt?: string }> {
    const secret = `p.${addon}.${randomBytes(32).toString('base64url')}`;
    const now = this.now();
    const value: SecretRecord = {
      kind,
      createdAt: new Date(now).toISOString(),
      ...(lifetimeMs === undefined ? {} : { expiresAt: new Date(now + lifetimeMs).toISOString() }),
    };
    await this.store.transact('', [{ key: recordKey(addon, secret), value }]);
    return { secret, expiresAt: value.expiresAt };
  }

  private async find(secret: string, kind: SecretKind): Promise<string | undefined> {
    const addon = SECRET.exec(secret)?.[1];
    if (addon === undefined) return undefined;
    const record = (await this.store.get<SecretRecord>('', recordKey(addon, secret)))?.value;
    return record?.kind === kind && !this.hasExpired(record) ? addon : undefined;
  }

  private async removeOld(addon: string): Promise<void> {
    const all = await this.store.list<SecretRecord>('', prefixOf(addon));
    const tokens = all
      .filter(({ value }) => value.kind === 'access')
      .sort((a, b) => (a.value.createdAt < b.value.createdAt ? 1 : -1));
    const old = [
      ...all.filter(({ value }) => this.hasExpired(value)),
      ...tokens.slice(ACCESS_TOKENS_MAX - 1),
    ];
    const keys = new Set(old.map(({ key }) => key));
    if (keys.size > 0)
      await this.store.transact(
        '',
        [...keys].map((key) => ({ key, value: undefined })),
      );
  }

  private hasExpired({ expiresAt }: SecretRecord): boolean {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.now();
  }
}

/** Can this be a partner's token, so that it is no API key? */
export function isPartnerToken(text: string): boolean {
  return SECRET.test(text);
}

function kindOfGrantType(type: string): SecretKind | undefined {
  if (type === 'authorization_code') return 'grant';
  return type === 'refresh_token' ? 'refresh' : undefined;
}

function invalidGrant(): TailraceError {
  return new TailraceError(
    'unauthorized',
    'The grant is not good: it was used, is older than five minutes, or its add-on is gone. Ask with the refresh token, if there is one.',
  );
}

function prefixOf(addon: string): string {
  return `addon-secret/${addon}/`;
}

function recordKey(addon: string, secret: string): string {
  return `${prefixOf(addon)}${createHash('sha256').update(secret).digest('hex')}`;
}
