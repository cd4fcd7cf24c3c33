import { describe, expect, it } from 'vitest';
import { ArrivedBytes } from '../../../../src/logs/drains/sinks/arrived-bytes.ts';

/** Looks each 500 ms; what was written when, and what of it was acknowledged. */
function counts(looks: readonly (readonly [written: number, acknowledged: number])[]) {
  const arrived = new ArrivedBytes();
  const seen: number[] = [];
  looks.forEach(([written, acknowledged], i) => {
    const writtenBefore = (ms: number): number => looks.findLast((_, j) => j * 500 <= ms)?.[0] ?? 0;
    arrived.look(i * 500, acknowledged, acknowledged === written, writtenBefore);
    seen.push(arrived.count);
  });
  return { seen, arrived };
}

describe('what has arrived, where nothing answers', () => {
  it('is what is acknowledged, as long as that follows soon', () => {
    // What was written last is on its way.
    expect(
      counts([
        [100, 100],
        [300, 200],
        [500, 450],
        [500, 500],
      ]).seen,
    ).toEqual([100, 200, 450, 500]);
  });

  it('is what was acknowledged a second ago while it follows slowly, and for a second behind that', () => {
    const slow = [
      [1_000, 100],
      [1_000, 200],
      [1_000, 300],
      [1_000, 400],
      [1_000, 1_000],
    ] as const;
    const behind = [
      [1_000, 1_000],
      [1_000, 1_000],
    ] as const;
    expect(counts([...slow, ...behind]).seen).toEqual([100, 100, 100, 200, 300, 400, 1_000]);
  });

  it('tells for how long nothing more was acknowledged, though something waits for it', () => {
    const { arrived } = counts([
      [100, 100],
      [300, 200],
      [900, 250],
      [900, 250],
      [900, 250],
    ]);
    expect(arrived.stalledMs(2_000)).toBe(1_000);
    expect(
      counts([
        [300, 200],
        [300, 300],
      ]).arrived.stalledMs(60_000),
    ).toBe(0);
  });
});
