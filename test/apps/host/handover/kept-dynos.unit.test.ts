import { describe, expect, it } from 'vitest';
import {
  countsOf,
  entriesOf,
  releaseFingerprint,
  sortKept,
} from '../../../../src/apps/host/handover/kept-dynos.ts';
import type { DynoNote } from '../../../../src/apps/processes/dyno.ts';
import type { KeptProcess } from '../../../../src/apps/processes/keeper/messages.ts';

function kept(name: string, formation: string, since: number, more: Partial<DynoNote> = {}): KeptProcess {
  const [type] = name.split('.');
  const owner = { kind: 'formation', app: 'a', version: since, fingerprint: formation, formation, since };
  const info = { id: `${formation} ${name}`, name, type, command: `run ${type}`, state: 'up' };
  return { id: `${formation} ${name}`, pid: 1, note: { owner, info, endsAt: undefined, ...more } };
}

describe('what a keeper has', () => {
  it('is known by its owners, the oldest formation first; what is about to end is apart', () => {
    const all = [
      kept('web.1', 'new', 2),
      kept('web.1', 'old', 1),
      kept('web.2', 'new', 2),
      kept('worker.1', 'old', 1, { endsAt: 5 }),
      kept('redis.1', '', 0, { owner: { kind: 'addon', id: 'r', version: '1' } }),
      { id: 'x', pid: 1, note: undefined },
      kept('web.1', '', 0, { owner: { kind: 'of a later version' } }),
    ];
    const { formations, addons, leaving, unknown } = sortKept(all);
    expect(
      formations.map(({ owner, dynos }) => [owner.formation, dynos.map(({ note }) => note.info.name)]),
    ).toEqual([
      ['old', ['web.1']],
      ['new', ['web.1', 'web.2']],
    ]);
    expect([...addons.keys()]).toEqual(['r']);
    expect(leaving.map(({ note }) => note.info.name)).toEqual(['worker.1']);
    expect(unknown).toHaveLength(2);
  });

  it('is in the order of the releases, also when the clock was set back between two', () => {
    const early = kept('web.1', 'second', 2);
    (early.note as { owner: { since: number } }).owner.since = -3_600_000;
    const { formations } = sortKept([early, kept('web.1', 'first', 1)]);
    expect(formations.map(({ owner }) => owner.formation)).toEqual(['first', 'second']);
  });

  it('says what a release was that isn’t there any more', () => {
    const { dynos } = sortKept([kept('web.3', 'f', 1), kept('web.1', 'f', 1), kept('clock.1', 'f', 1)])
      .formations[0];
    expect(countsOf(dynos)).toEqual({ web: 3, clock: 1 });
    expect(entriesOf(dynos).map(({ type, command }) => `${type}: ${command}`)).toEqual([
      'web: run web',
      'clock: run clock',
    ]);
  });
});

describe('the fingerprint of a release', () => {
  const release = { version: 3, slug: 's', config: { A: '1', B: '2' } };

  it('is the same for the same, in whatever order', () => {
    const same = { ...release, config: { B: '2', A: '1' } };
    expect(releaseFingerprint(same, [])).toBe(releaseFingerprint(release, []));
  });

  it.each([
    ['version', { ...release, version: 4 }, []],
    ['slug', { ...release, slug: 't' }, []],
    ['config', { ...release, config: { A: '1', B: '3' } }, []],
    ['way to run dynos', release, ['isolated']],
  ])('is another one with another %s', (_, other, runtime) => {
    expect(releaseFingerprint(other, runtime)).not.toBe(releaseFingerprint(release, []));
  });
});
