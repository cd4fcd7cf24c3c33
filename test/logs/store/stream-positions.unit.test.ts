/** Positions of a stream that has lost its end, once or several times. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type PositionOffset,
  renumberedOffsets,
  StreamPositions,
} from '../../../src/logs/store/stream-positions.ts';

/** Of a stream that ended with each of these lines, one after the other. */
function positionsBehind(...ends: readonly number[]): StreamPositions {
  return new StreamPositions(
    ends.reduce<readonly PositionOffset[]>((offsets, end) => renumberedOffsets(offsets, end), []),
  );
}

describe('positions', () => {
  it('are sequences as long as nothing was lost', () => {
    const positions = new StreamPositions();
    for (const one of [0, 1, 5_000_000_000]) {
      expect(positions.of(one)).toBe(one);
      expect(positions.sequenceOf(one)).toBe(one);
      expect(positions.lostBehind(one)).toBeUndefined();
    }
  });

  it('of lines that are gone are those of the end that was left, and of lines that came since their own', () => {
    const positions = positionsBehind(95);
    expect([90, 95].map((sequence) => positions.of(sequence))).toEqual([90, 95]);
    expect([94, 95, 96, 100, 20_000].map((position) => positions.sequenceOf(position))).toEqual([
      94, 95, 95, 95, 95,
    ]);
    expect([95, 96].map((position) => positions.lostBehind(position))).toEqual([undefined, 95]);
    for (const sequence of [96, 100, 20_000]) {
      expect(positions.sequenceOf(positions.of(sequence))).toBe(sequence);
      expect(positions.lostBehind(positions.of(sequence))).toBeUndefined();
    }
    // Where a reader is told to go on who has had lines that are gone, nothing is lost any more.
    const told = positions.behindEnd(95);
    expect(told).toBeGreaterThan(100);
    expect(told).toBe(positions.of(96) - 1);
    expect(positions.sequenceOf(told)).toBe(95);
    expect(positions.lostBehind(told)).toBeUndefined();
  });

  it('of two power cuts in a row, the second before anything was synced: what was given out between them is told apart', () => {
    const once = positionsBehind(95);
    const twice = positionsBehind(95, 95);
    expect(twice.sequenceOf(once.of(99))).toBe(95);
    expect(twice.sequenceOf(99)).toBe(95);
    expect(twice.sequenceOf(twice.of(99))).toBe(99);
  });

  it('of a stream of which nothing was synced begin anew', () => {
    const positions = positionsBehind(0);
    expect(positions.sequenceOf(50)).toBe(0);
    expect(positions.lostBehind(50)).toBe(0);
    expect(positions.of(1)).toBeGreaterThan(50);
    expect(positions.sequenceOf(0)).toBe(0);
    expect(positions.lostBehind(0)).toBeUndefined();
  });

  it('from the future are above every line', () => {
    const before = positionsBehind(95);
    const after = positionsBehind(95, 200);
    expect(before.sequenceOf(after.of(201))).toBeGreaterThan(1e9);
  });

  it('whatever happens: a reader who comes back misses no line, gets none again that it had, and sees positions grow', () => {
    // Each step appends lines, and then may cut off some of those since the last cut.
    const steps = fc.array(
      fc.record({ lines: fc.nat(20), cut: fc.option(fc.nat(25)), reads: fc.boolean() }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        let offsets: readonly PositionOffset[] = [];
        const stream: number[] = [];
        let synced = 0;
        let next = 0;
        const reader = { position: 0, had: [] as number[] };
        const read = (): void => {
          const positions = new StreamPositions(offsets);
          const from = positions.sequenceOf(reader.position);
          for (let sequence = from + 1; sequence <= stream.length; sequence++) {
            const position = positions.of(sequence);
            if (position <= reader.position) throw new Error('positions must grow');
            reader.position = position;
            reader.had.push(stream[sequence - 1]);
          }
        };
        for (const { lines, cut, reads } of all) {
          for (let i = 0; i < lines; i++) stream.push(next++);
          if (reads) read();
          if (cut === null) continue;
          stream.length = Math.max(synced, stream.length - cut);
          synced = stream.length;
          offsets = renumberedOffsets(offsets, synced);
        }
        read();
        const had = new Set(reader.had);
        return had.size === reader.had.length && stream.every((line) => had.has(line));
      }),
    );
  });
});
