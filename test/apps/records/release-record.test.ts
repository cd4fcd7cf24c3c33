import { describe, expect, test } from 'vitest';
import {
  currentRelease,
  findRelease,
  initialRelease,
  nextRelease,
  type ReleaseRecord,
} from '../../../src/apps/records/release-record.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';

const FIRST = initialRelease('app-1' as AppId);
const AT = { id: 'next', createdAt: '2026-01-01T00:00:00.000Z' };

function release(version: number, fields: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return { ...FIRST, id: `id-${version}`, version, ...fields };
}

describe('the current release', () => {
  test('is the newest that succeeded', () => {
    const failed = release(3, { status: 'failed', slug: 'broken' });
    expect(currentRelease([FIRST, release(2), failed]).version).toBe(2);
    expect(currentRelease([FIRST, release(2), failed, release(4)]).version).toBe(4);
  });

  test('is the first while none has succeeded', () => {
    const failed = release(1, { status: 'failed' });
    expect(currentRelease([failed, release(2, { status: 'failed' })])).toBe(failed);
  });
});

describe('a release is found', () => {
  const all = [FIRST, release(2), release(12)];

  test.each([
    ['2', 2],
    ['v2', 2],
    ['v12', 12],
    ['id-12', 12],
  ])('as %s', (which, version) => {
    expect(findRelease(all, which)?.version).toBe(version);
  });

  test.each(['3', 'v', 'V2', '2x', '-1', ''])('not as %j', (which) => {
    expect(findRelease(all, which)).toBeUndefined();
  });
});

describe('the next release', () => {
  const addons = [{ id: 'a', name: 'redis-a', plan: 'redis:dev', configVars: ['REDIS_URL'], createdAt: '' }];
  const current = release(2, { slug: 'slug-2', config: { A: '1' }, addons });

  test('keeps what the change does not name', () => {
    expect(nextRelease([FIRST, current], { description: 'Set B', config: { A: '1', B: '2' } }, AT)).toEqual({
      ...AT,
      version: 3,
      description: 'Set B',
      status: 'succeeded',
      slug: 'slug-2',
      config: { A: '1', B: '2' },
      addons,
    });
  });

  test('may take the slug away', () => {
    expect(nextRelease([FIRST, current], { description: 'Rollback to v1', slug: null }, AT).slug).toBeNull();
  });

  test('starts from the current one, and is numbered behind the newest', () => {
    const failed = release(3, { status: 'failed', slug: 'broken' });
    const next = nextRelease([FIRST, current, failed], { description: 'Set C' }, AT);
    expect([next.version, next.slug]).toEqual([4, 'slug-2']);
  });
});
