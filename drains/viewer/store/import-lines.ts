import { basename } from 'node:path';
import { TailraceError } from '../../../src/common/errors.ts';
import type { Sequence } from '../../../src/logs/store/contract.ts';
import type { ImportedLine } from './contract.ts';
import { PART_BLOCKS } from './indexer/stream-indexer.ts';
import type { JobRunner } from './jobs/job.ts';
import { firstOfImport } from './parts/imports.ts';
import { parsePartName } from './parts/part-names.ts';
import type { LinesToPack } from './parts/part-writer.ts';
import type { StreamParts } from './parts/stream-parts.ts';

/** Adds lines of the past to a stream's parts, all of them or none; returns how many they are. */
export async function importLines(
  parts: StreamParts,
  importId: string,
  lines: AsyncIterable<readonly ImportedLine[]>,
  runner: JobRunner,
): Promise<number> {
  const { imports } = parts;
  if (imports.lines(importId) !== undefined) return 0;
  const number = imports.next();
  const waiting = imports.waitingName(number);
  const first = firstOfImport(number);
  let next = first;
  let path: string | undefined;
  let blocks = 0;
  const seal = async (): Promise<void> => {
    if (path !== undefined) await runner.run({ kind: 'seal', path, ...waiting });
    path = undefined;
    blocks = 0;
  };
  try {
    for await (const some of lines) {
      if (some.length === 0) continue;
      path ??= parts.unfinishedPath();
      const reply = await runner.run({
        kind: 'pack',
        path,
        lines: linesToPack(some, next),
        after: next - 1,
      });
      next += some.length;
      blocks += reply.blocks.length;
      if (blocks >= PART_BLOCKS) await seal();
    }
    await seal();
    const count = next - first;
    // The stream may have no folder yet.
    if (count === 0) return 0;
    for (const at of imports.finish(number, importId, count)) {
      const range = parsePartName(basename(at));
      if (range) parts.add({ ...range, path: at });
    }
    return count;
  } catch (error) {
    if (path !== undefined) await runner.run({ kind: 'abandon', path });
    if (next > first) imports.abandon(number);
    throw error;
  }
}

/** Runs of lines that were received together. */
function linesToPack(lines: readonly ImportedLine[], first: Sequence): LinesToPack[] {
  const runs: LinesToPack[] = [];
  let from = 0;
  for (let i = 1; i <= lines.length; i++) {
    if (i < lines.length && lines[i].receivedAtMs === lines[from].receivedAtMs) continue;
    const records = lines.slice(from, i).map(({ record }) => record);
    if (records.some(({ length }) => length === 0))
      throw new TailraceError('invalid_params', 'An imported line has no record.');
    runs.push({
      first: first + from,
      receivedAtMs: lines[from].receivedAtMs,
      bytes: Buffer.concat(records),
      start: 0,
    });
    from = i;
  }
  return runs;
}
