import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPartnerToken, PartnerTokens } from '../../../../../src/apps/host/addons/partner/partner-tokens.ts';
import { EmbeddedStore } from '../../../../../src/logs/store/embedded/embedded-store.ts';

const ADDON = '01234567-89ab-cdef-0123-456789abcdef';
const OTHER = '11234567-89ab-cdef-0123-456789abcdef';
const folder = mkdtempSync(join(tmpdir(), 'tailrace-tokens-'));
let store: EmbeddedStore;
let now = Date.parse('2026-01-01T00:00:00Z');
let tokens: PartnerTokens;

beforeAll(() => {
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  store = new EmbeddedStore({ folder, retention, durability: 'process' });
  tokens = new PartnerTokens(store, () => now);
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a partner’s tokens', () => {
  it('come of a grant once, within five minutes, also when it is asked twice at a time', async () => {
    const { code, expires_at, type } = await tokens.grant(ADDON);
    expect([expires_at, type]).toEqual(['2026-01-01T00:05:00.000Z', 'authorization_code']);
    expect(await tokens.addonOfToken(code)).toBeUndefined();
    await expect(tokens.exchange(code, 'refresh_token')).rejects.toThrow(/grant is not good/);
    const twice = await Promise.allSettled([1, 2, 3].map(() => tokens.exchange(code, type)));
    expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    const late = await tokens.grant(ADDON);
    now += 5 * 60_000;
    await expect(tokens.exchange(late.code, type)).rejects.toThrow(/grant is not good/);
    for (const odd of ['', 'p.', `p.${ADDON}.x`, `p.${ADDON}.${'a'.repeat(43)}`, 'k.abc'])
      await expect(tokens.exchange(odd, type)).rejects.toThrow(/grant is not good/);
  });

  it('are good for one add-on, for eight hours, and again with the refresh token', async () => {
    const first = await tokens.exchange((await tokens.grant(ADDON)).code, 'authorization_code');
    const other = await tokens.exchange((await tokens.grant(OTHER)).code, 'authorization_code');
    expect(await tokens.addonOfToken(first.access_token)).toBe(ADDON);
    expect(await tokens.addonOfToken(other.access_token)).toBe(OTHER);
    // The id in it is no proof.
    expect(await tokens.addonOfToken(first.access_token.replace(ADDON, OTHER))).toBeUndefined();
    expect(await tokens.addonOfToken(first.refresh_token)).toBeUndefined();
    expect([first.access_token, 'k.abc', 't.abc'].map(isPartnerToken)).toEqual([true, false, false]);
    now += 8 * 3_600_000;
    expect(await tokens.addonOfToken(first.access_token)).toBeUndefined();
    const next = await tokens.exchange(first.refresh_token, 'refresh_token');
    expect(next.refresh_token).toBe(first.refresh_token);
    expect(await tokens.addonOfToken(next.access_token)).toBe(ADDON);
    await tokens.revoke(ADDON);
    expect(await tokens.addonOfToken(next.access_token)).toBeUndefined();
    await expect(tokens.exchange(first.refresh_token, 'refresh_token')).rejects.toThrow(/grant is not good/);
    expect((await tokens.exchange(other.refresh_token, 'refresh_token')).token_type).toBe('Bearer');
  });

  it('are bounded, and nothing of them is stored as it is', async () => {
    const { refresh_token: refresh } = await tokens.exchange(
      (await tokens.grant(ADDON)).code,
      'authorization_code',
    );
    const made: string[] = [];
    for (let i = 0; i < 30; i++) {
      now += 1_000;
      made.push((await tokens.exchange(refresh, 'refresh_token')).access_token);
    }
    const stored = await store.list('', `addon-secret/${ADDON}/`);
    expect(stored).toHaveLength(21);
    expect(await tokens.addonOfToken(made[0])).toBeUndefined();
    expect(await tokens.addonOfToken(made[29])).toBe(ADDON);
    expect(JSON.stringify(stored)).not.toContain(refresh.split('.')[2]);
  });
});
