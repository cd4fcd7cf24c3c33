import { expect, test } from 'vitest';
import type { ReleaseStatus } from '../../../src/apps/records/release-record.ts';
import { type SlugRecord, unusedSlugs } from '../../../src/apps/records/slug-record.ts';

const NONE: ReadonlySet<string> = new Set();
const slugs = ['a', 'b', 'c', 'new'].map((id) => ({ id }) as SlugRecord);
const release = (slug: string | null, status: ReleaseStatus = 'succeeded') => ({ slug, status });
const times = (count: number, slug: string, status?: ReleaseStatus) =>
  Array.from({ length: count }, () => release(slug, status));
const unused = (releases: ReturnType<typeof release>[], running = NONE) =>
  unusedSlugs(slugs, releases, running).map(({ id }) => id);

test('a slug is unused when none of the twenty newest releases has it', () => {
  const before = [release(null), release('a'), release('b'), release('a')];
  expect(unused([...before, ...times(19, 'c')])).toEqual(['b']);
  expect(unused([...before, ...times(20, 'c')])).toEqual(['a', 'b']);
});

test('the current release keeps its slug, however many have failed since, and so does one that runs', () => {
  const releases = [release('a'), release('b'), ...times(30, 'c', 'failed'), release('c', 'pending')];
  expect(unused(releases)).toEqual(['a']);
  expect(unused(releases, new Set(['a']))).toEqual([]);
});

test('a slug that no release has yet is about to be released', () => {
  expect(unused(times(30, 'c'))).toEqual([]);
});
