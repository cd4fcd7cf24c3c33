import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineReader } from '../../../../src/apps/processes/output/line-reader.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** A stream that reads everything into the same memory, as the dynos' pipes do. */
class Reused extends Readable {
  private readonly into = Buffer.alloc(65_536);

  override _read(): void {}

  /** Hands out what was read, and overwrites it. */
  give(bytes: Uint8Array): void {
    this.into.set(bytes);
    this.emit('data', this.into.subarray(0, bytes.length));
    this.into.fill(0xee);
  }
}

/** A line as it is emitted: without its line ending. */
const shown = (line: string) => line.replace(/\r$/, '');

test('however the chunks are cut, and whenever the handler is writable, each line is emitted once, in order', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', '\r', 'é', '✓'), maxLength: 30 });
  const lines = fc.array(line, { minLength: 1, maxLength: 300 });
  const cuts = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 20 });
  const portions = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 20 });
  const pauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(
      ...[lines, cuts, portions, pauses],
      fc.boolean(),
      async (all, sizes, capacities, stops, isEnded) => {
        const text = all.join('\n') + (isEnded ? '\n' : '');
        const bytes = Buffer.from(text);
        const got: string[] = [];
        const wakes: (() => void)[] = [];
        let round = 0;
        const stream = new Reused();
        const output = new LineReader(stream, {
          onLine: (one) => void got.push(one.toString()),
          onChunk: (chunk, onWritable) => {
            const whole = chunk.toString().split('\n').slice(0, -1);
            const taken = whole.slice(0, capacities[round++ % capacities.length]);
            got.push(...taken.map(shown));
            if (taken.length < whole.length) wakes.push(onWritable);
            return Buffer.byteLength(taken.map((one) => `${one}\n`).join(''));
          },
        });
        let reads = 0;
        for (let at = 0; at < bytes.length; ) {
          while (wakes.length > 0) {
            expect(output.isWaiting).toBe(true);
            wakes.shift()?.();
            if (round <= 5_000) continue;
            output.stopWaiting(); // it may never be writable
            wakes.length = 0;
          }
          expect(output.isWaiting).toBe(false);
          const size = sizes[reads++ % sizes.length];
          stream.give(bytes.subarray(at, at + size));
          at += size;
          if (!stops[reads % stops.length]) continue;
          const before = got.length;
          output.pause();
          for (const wake of wakes.splice(0)) wake();
          expect(got.length).toBe(before);
          output.resume();
        }
        stream.destroy();
        while (wakes.length > 0 && round <= 10_000) wakes.shift()?.();
        if (output.isWaiting) output.stopWaiting();
        await output.ended;
        const wanted = isEnded ? all : text === '' || all[all.length - 1] === '' ? all.slice(0, -1) : all;
        expect(got).toEqual(wanted.map(shown));
      },
    ),
    { numRuns: propertyRuns(300) },
  );
});

test('without waiting, lines are emitted one by one, not as chunks', async () => {
  const stream = new Reused();
  const got: string[] = [];
  const output = new LineReader(stream, {
    onLine: (line) => void got.push(line.toString()),
    onChunk: () => 0,
  });
  stream.give(Buffer.from('one line\n'.repeat(100)));
  expect(output.isWaiting).toBe(true);
  expect(stream.isPaused()).toBe(true);
  expect(got).toEqual([]);
  output.stopWaiting();
  expect(got).toEqual(Array.from({ length: 100 }, () => 'one line'));
  expect(stream.isPaused()).toBe(false);
  stream.destroy();
  await output.ended;
});

test('wherever one reader leaves off, the next one goes on, and each line is emitted once', () => {
  const text = 'first\nsecond\r\n\nthe third one\nhalf';
  for (let cut = 0; cut <= text.length; cut++)
    for (const takes of [true, false]) {
      const got: string[] = [];
      const onLine = (line: Buffer): void => void got.push(line.toString());
      const stream = new Reused();
      // One that takes no chunk holds whole lines as well.
      const reader = new LineReader(stream, takes ? { onLine } : { onLine, onChunk: () => 0 });
      if (cut > 0) stream.give(Buffer.from(text.slice(0, cut)));
      const leftover = reader.detach();
      const next = new Reused();
      const other = new LineReader(next, { onLine }, leftover);
      next.give(Buffer.from(`${text.slice(cut)}\n`));
      expect(got, `${cut} ${takes}`).toEqual(['first', 'second', '', 'the third one', 'half']);
      next.destroy();
      expect(other.partialLine).toHaveLength(0);
    }
});
