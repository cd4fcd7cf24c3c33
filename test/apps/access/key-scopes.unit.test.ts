import { describe, expect, it } from 'vitest';
import { scopesOf } from '../../../src/apps/access/api-keys.ts';
import {
  coversScopes,
  FORMERLY_GLOBAL,
  GLOBAL_SCOPES,
  includesScope,
  isGlobal,
  type KeyScope,
  type NeededScope,
} from '../../../src/apps/access/key-scopes.ts';

/** What each scope alone gives, and nothing else. */
const GIVES: Record<KeyScope, NeededScope[]> = {
  read: ['apps', 'read', 'logs:read', 'dynos:read'],
  'read-protected': ['apps', 'read', 'read-protected', 'logs:read', 'config:read', 'dynos:read'],
  write: ['apps', 'write', 'config:write', 'dynos:write', 'run'],
  ingest: ['ingest'],
  'logs:read': ['apps', 'logs:read'],
  'logs:write': ['ingest'],
  config: ['apps', 'config:read', 'config:write'],
  dynos: ['apps', 'dynos:read', 'dynos:write'],
  admin: [
    ...['apps', 'read', 'read-protected', 'write', 'ingest', 'logs:read'],
    ...['config:read', 'config:write', 'dynos:read', 'dynos:write', 'run', 'admin'],
  ] as NeededScope[],
};
const NEEDED = GIVES.admin;

describe.each(Object.entries(GIVES) as [KeyScope, NeededScope[]][])('a key with %s', (scope, given) => {
  it.each(NEEDED)('and what needs %s', (needed) => {
    expect(includesScope([scope], needed)).toBe(given.includes(needed));
  });
});

it('scopes together give what needs several', () => {
  expect(includesScope(['dynos', 'config'], 'run')).toBe(true);
  expect(includesScope(['read', 'write'], 'config:read')).toBe(true);
});

it('everything is `admin`, and not all of the others together', () => {
  expect(isGlobal(['read', 'read-protected', 'write', 'ingest'])).toBe(false);
  expect(isGlobal(GLOBAL_SCOPES)).toBe(true);
  expect(isGlobal(['read', 'read-protected', 'write', 'logs:read'])).toBe(false);
});

it('nobody makes a key that may do more than they may, in whatever words', () => {
  expect(coversScopes(['logs:write'], ['ingest'])).toBe(true);
  expect(coversScopes(['read'], ['logs:read'])).toBe(true);
  expect(coversScopes(['logs:read'], ['read'])).toBe(false);
  expect(coversScopes(['write'], ['config'])).toBe(false);
  expect(coversScopes(['read', 'write'], ['config', 'dynos'])).toBe(true);
  // Each of them is covered; together they may run commands.
  expect(coversScopes(['config', 'dynos'], ['config', 'dynos'])).toBe(true);
  expect(coversScopes(GLOBAL_SCOPES, ['admin'])).toBe(true);
  expect(coversScopes(['read', 'read-protected', 'write'], ['admin'])).toBe(false);
});

it('a key of before there was `admin` counts as everything, and as nothing less for those who want to replace it', () => {
  const old = { id: 'a', createdAt: '', scopes: FORMERLY_GLOBAL };
  expect(isGlobal(scopesOf(old))).toBe(true);
  expect(coversScopes(FORMERLY_GLOBAL, scopesOf(old))).toBe(false);
  // One that was made since then was meant so.
  expect(scopesOf({ ...old, madeFrom: { address: '', key: '' } })).toBe(FORMERLY_GLOBAL);
});
