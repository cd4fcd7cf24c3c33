import { describe, expect, test } from 'vitest';
import {
  currentRelease,
  findRelease,
  initialRelease,
  isSameRelease,
  nextRelease,
  pendingRelease,
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

describe('a release is pending', () => {
  const at = Date.parse(AT.createdAt);
  const pending = release(3, { status: 'pending', createdAt: AT.createdAt });

  test('while its command may run, and isn’t the current one', () => {
    expect(pendingRelease([FIRST, pending], at + 3_600_000)).toBe(pending);
    expect(pendingRelease([FIRST, pending, release(4)], at)).toBe(pending);
    expect(pendingRelease([FIRST, release(2)], at)).toBeUndefined();
    expect(currentRelease([FIRST, release(2), pending]).version).toBe(2);
  });

  test('no longer than that, whichever way the clock was set', () => {
    expect(pendingRelease([pending], at + 4_000_000)).toBeUndefined();
    expect(pendingRelease([pending], at - 60_000)).toBe(pending);
    expect(pendingRelease([pending], at - 4_000_000)).toBeUndefined();
  });

  test('and the next one doesn’t begin with it', () => {
    const next = nextRelease(
      [FIRST, { ...pending, config: { A: '1' }, server: 's', output: 'o' }],
      { description: 'x' },
      AT,
    );
    expect(next).toMatchObject({ version: 4, config: {}, status: 'succeeded' });
    expect([next.server, next.output]).toEqual([undefined, undefined]);
  });
});

test('two releases are the same when their dynos would be', () => {
  const a = release(2, { slug: 's', config: { A: '1', B: '2' } });
  expect(isSameRelease(a, { slug: 's', config: { B: '2', A: '1' } })).toBe(true);
  const others: Record<string, string>[] = [{ A: '1' }, { A: '1', B: '3' }, { A: '1', B: '2', C: '' }];
  for (const config of others) expect(isSameRelease(a, { slug: 's', config })).toBe(false);
  expect(isSameRelease(a, { ...a, slug: 't' })).toBe(false);
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
