import { expect, test } from 'vitest';
import { type SlugRecord, unusedSlugs } from '../../../src/apps/records/slug-record.ts';

test('a slug is unused when none of the newest releases has it', () => {
  const slugs = ['a', 'b', 'c'].map((id) => ({ id }) as SlugRecord);
  const releases = [{ slug: 'a' }, { slug: 'b' }, { slug: 'c' }, { slug: 'b' }, { slug: null }];
  const unused = (newest: number) => unusedSlugs(slugs, releases, newest).map(({ id }) => id);
  expect(unused(5)).toEqual([]);
  expect(unused(4)).toEqual(['a']);
  expect(unused(2)).toEqual(['a', 'c']);
});
