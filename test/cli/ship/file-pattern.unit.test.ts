import { describe, expect, it } from 'vitest';
import { chooseNewFiles, isGone, type MatchedFile } from '../../../src/cli/ship/file-pattern.ts';

const file = (path: string, ino: number, mtimeMs = 0): MatchedFile => ({ path, dev: 1, ino, mtimeMs });
const chosen = (matches: MatchedFile[], followed: [string, number | undefined][] = []): string[] =>
  chooseNewFiles(
    matches,
    new Map(followed.map(([path, ino]) => [path, ino === undefined ? undefined : { dev: 1, ino }])),
  ).map(({ path }) => path);

describe('which files of a pattern are followed', () => {
  it('those that were written last come first', () =>
    expect(chosen([file('/l/a.log', 1, 10), file('/l/b.log', 2, 20)])).toEqual(['/l/b.log', '/l/a.log']));

  it.each([
    ['app.log', 'app.log.1'],
    ['app.log', 'app.log.old'],
    ['app.log', 'app-2026-01-02.log'],
    ['app.log', 'app.log-20260102'],
    ['app.log', 'app.log.2.gz'],
    ['app.log', 'app.log.zst'],
  ])('beside %s, %s is what rotation has left', (name, rotated) => {
    expect(chosen([file(`/l/${name}`, 1), file(`/l/${rotated}`, 2)])).toEqual([`/l/${name}`]);
    expect(chosen([file(`/l/${rotated}`, 2)], [[`/l/${name}`, 1]])).toEqual([]);
  });

  it.each(['app-2026-01-02.log', 'app.log.1', 'worker-1.log'])('%s alone is a file like any other', (name) =>
    expect(chosen([file(`/l/${name}`, 1)])).toEqual([`/l/${name}`]),
  );

  it('worker-1.log is no copy of worker.log, and other folders have nothing to do with it', () =>
    expect(
      chosen([file('/l/worker.log', 1), file('/l/worker-1.log', 2), file('/m/worker.log.1', 3)]).sort(),
    ).toEqual(['/l/worker-1.log', '/l/worker.log', '/m/worker.log.1']));

  it('a file that was renamed goes on under its old name', () => {
    expect(chosen([file('/l/new-name.log', 7)], [['/l/a.log', 7]])).toEqual([]);
    expect(isGone('/l/a.log', { dev: 1, ino: 7 }, [file('/l/new-name.log', 7)])).toBe(false);
    expect(isGone('/l/a.log', { dev: 1, ino: 7 }, [file('/l/b.log', 8)])).toBe(true);
    expect(isGone('/l/a.log', undefined, [])).toBe(true);
  });

  it('what is followed isn’t chosen again', () =>
    expect(chosen([file('/l/a.log', 9)], [['/l/a.log', undefined]])).toEqual([]));
});
