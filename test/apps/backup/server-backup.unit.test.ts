/** What becomes of records of a server in a restore. */
import { expect, it } from 'vitest';
import { adaptServerRecords } from '../../../src/apps/backup/server-backup.ts';
import type { BackedUpStream } from '../../../src/logs/backup/backup-layout.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import {
  type PositionOffset,
  positionsKey,
  renumberedOffsets,
  StreamPositions,
} from '../../../src/logs/store/stream-positions.ts';

const stream = (id: string, last: number): BackedUpStream => ({
  id: id as AppId,
  name: id,
  first: 1,
  last,
  lines: last,
  bytes: 1_000,
  edition: 0,
  end: '',
  chunks: [],
});
const streams = [stream('amber', 95), stream('blue', 10)];

it('lines that come after a restore have other positions than those that came after the backup, whatever was lost between', () => {
  const adapt = adaptServerRecords();
  const backedUp = renumberedOffsets([], 40);
  const written = new Map(
    [
      { key: 'app/amber', value: { id: 'amber' } },
      { key: 'app/blue', value: { id: 'blue' } },
      { key: positionsKey('amber' as AppId), value: backedUp },
      { key: positionsKey('gone' as AppId), value: backedUp },
    ]
      .flatMap((change) => adapt('', change, streams))
      .map(({ key, value }) => [key, value] as const),
  );
  expect([...written.keys()].sort()).toEqual(['app/amber', 'app/blue', 'positions/amber', 'positions/blue']);
  for (const [id, last, before] of [
    ['amber', 95, backedUp],
    ['blue', 10, []],
  ] as const) {
    const restored = new StreamPositions(written.get(positionsKey(id as AppId)) as readonly PositionOffset[]);
    // The server went on after the backup, and lost its power several times.
    let offsets: readonly PositionOffset[] = before;
    for (const end of [last + 5, last + 5, last + 30]) {
      const gone = new StreamPositions(offsets).of(last + 20);
      expect(restored.sequenceOf(gone)).toBe(last);
      expect(restored.of(last + 1)).toBeGreaterThan(gone);
      offsets = renumberedOffsets(offsets, end);
    }
    expect(restored.sequenceOf(new StreamPositions(before).of(last))).toBe(last);
  }
});

it('records of other scopes, and of no app, are written as they were', () => {
  const adapt = adaptServerRecords();
  const change = { key: 'app/amber', value: 1 };
  expect(adapt('amber', change, streams)).toEqual([change]);
  expect(adapt('', { key: 'token/x', value: 1 }, streams)).toEqual([{ key: 'token/x', value: 1 }]);
});
