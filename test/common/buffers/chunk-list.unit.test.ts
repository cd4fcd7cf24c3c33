import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ChunkList } from '../../../src/common/buffers/chunk-list.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

it('chunks of any size come out as they went in, again and again', () => {
  const list = new ChunkList();
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 900, max: 5_000 })));
  fc.assert(
    fc.property(sizes, (all) => {
      const chunks = all.map((size, i) => Buffer.alloc(size, i));
      const expected = Buffer.concat(chunks);
      for (const chunk of chunks) list.add(chunk);
      expect(list.length).toBe(expected.length);
      expect(list.take().equals(expected)).toBe(true);
      expect(list.isEmpty).toBe(true);
    }),
    { numRuns: propertyRuns(100, 20) },
  );
});

it('a single chunk is not copied', () => {
  const list = new ChunkList();
  const chunk = Buffer.from('hello');
  list.add(chunk);
  expect(list.take()).toBe(chunk);
});

it('small chunks behind the first one are copied, not kept: each would take a hundred bytes and more', () => {
  const list = new ChunkList();
  const chunk = Buffer.from('a');
  list.add(Buffer.from('x'));
  for (const byte of 'hostile'.repeat(30_000)) {
    chunk.write(byte);
    list.add(chunk);
  }
  expect(list.take().toString()).toBe(`x${'hostile'.repeat(30_000)}`);
});
