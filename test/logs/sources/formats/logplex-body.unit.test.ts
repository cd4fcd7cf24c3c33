import { describe, expect, it } from 'vitest';
import { measured, measureFrames } from '../../../../src/logs/sources/formats/logplex-body.ts';
import { LINES_MAX } from '../../../../src/logs/sources/formats/packed-lines.ts';

describe('counting the frames of a body', () => {
  it.each([
    ['', 0],
    ['5 <13>a', 1],
    ['5 <13>a6 <13>bb', 2],
    ['5 <13>a\n', -1],
    ['6 <13>a', -1],
    ['4 <13>a', -1],
    ['<13>a\n', -1],
    ['05 <13>a', -1],
    ['5<13>a', -1],
    ['5', -1],
    ['5 ', -1],
    ['99999999999 <13>a', -1],
    ['5 apple', 1],
  ])('%j: %i', (text, count) => {
    expect(measureFrames(Buffer.from(text)) ? measured.frames : -1).toBe(count);
  });

  it('stops behind the most that a request may have', () => {
    const body = Buffer.concat([Buffer.alloc((LINES_MAX + 50) * 3, '1 a'), Buffer.from('nonsense')]);
    expect(measureFrames(body)).toBe(true);
    expect(measured.frames).toBe(LINES_MAX + 1);
  });

  it('reads ten digits of a count, and no more', () => {
    let reads = 0;
    const digits = new Proxy(Buffer.alloc(1_000_000, '1'), {
      get(target, key) {
        if (/^\d+$/.test(String(key))) reads++;
        return Reflect.get(target, key, target);
      },
    });
    expect(measureFrames(digits)).toBe(false);
    expect(reads).toBeLessThan(20);
  });

  it('of short lines says that they grow: their headers are filled in', () => {
    measureFrames(Buffer.alloc(300, '1 a'));
    expect(measured.batchBytes).toBeGreaterThan(100 * 90);
  });
});
