import { describe, expect, test } from 'vitest';
import { judgeMemory } from '../../../../src/apps/host/usage/memory-quota.ts';

const MB = 1_048_576;
const DYNO = { id: 'd-1', name: 'web.1' };
const QUOTA = 512 * MB;

const used = (megabytes: number) => ({ rss: megabytes * MB, cache: 0, swap: 0 });

describe('a dyno', () => {
  test('may use its whole quota', () => {
    expect(judgeMemory(DYNO, used(512), QUOTA, false)).toEqual({ lines: [], kill: false });
  });

  test('may use everything without a quota', () => {
    expect(judgeMemory(DYNO, used(50_000), undefined, false)).toEqual({ lines: [], kill: false });
  });

  test('above its quota is R14, up to twice as much', () => {
    expect(judgeMemory(DYNO, used(513), QUOTA, false)).toEqual({
      lines: ['Process running mem=513M(100.2%)', 'Error R14 (Memory quota exceeded)'],
      kill: false,
    });
    expect(judgeMemory(DYNO, used(1_024), QUOTA, false).kill).toBe(false);
  });

  test('above twice its quota is R15, and killed', () => {
    expect(judgeMemory(DYNO, used(1_025), QUOTA, false)).toEqual({
      lines: [
        'Process running mem=1025M(200.2%)',
        'Error R15 (Memory quota vastly exceeded)',
        'Stopping process with SIGKILL',
      ],
      kill: true,
    });
  });

  test('is measured with its cache and swap', () => {
    expect(
      judgeMemory(DYNO, { rss: 200 * MB, cache: 200 * MB, swap: 200 * MB }, QUOTA, false).lines,
    ).toContain('Error R14 (Memory quota exceeded)');
  });
});

describe('a sample', () => {
  const memory = { rss: 10 * MB, cache: 1.5 * MB, swap: 0 };

  test('has the figures and the quota', () => {
    expect(judgeMemory(DYNO, memory, QUOTA, true).lines).toEqual([
      'source=web.1 dyno=heroku.d-1 sample#memory_total=11.50MB sample#memory_rss=10.00MB sample#memory_cache=1.50MB sample#memory_swap=0.00MB sample#memory_quota=512.00MB',
    ]);
  });

  test('has no quota if there is none', () => {
    expect(judgeMemory(DYNO, memory, undefined, true).lines[0]).toMatch(/sample#memory_swap=0\.00MB$/);
  });

  test('comes before what is wrong', () => {
    const { lines } = judgeMemory(DYNO, used(600), QUOTA, true);
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['source=web.1', 'Process', 'Error']);
  });
});
