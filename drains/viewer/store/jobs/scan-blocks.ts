/** Reads the blocks of a job. */
import { closeSync, openSync, readSync } from 'node:fs';
import { detachBuffer } from '../../../../src/common/buffers/detach-buffer.ts';
import { systemCode } from '../../../../src/common/errors.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { BlockDamage, type BlockEntry, type BlockLines, decodeBlock } from '../blocks/block-format.ts';
import type { LinesToPack } from '../parts/part-writer.ts';
import type { BlockFault, ScanSource } from './job.ts';

/** What couldn't be read. */
export interface ScanOutcome {
  readonly faults: readonly BlockFault[];
  readonly isGone: boolean;
}

/** Calls `take` with the lines of each block that is whole; with what the block is in a file. The lines are gone when it has returned. */
export function forEachBlock(
  source: ScanSource,
  take: (lines: BlockLines, block?: BlockEntry) => void,
): ScanOutcome {
  if (source.kind === 'file') return forEachBlockOfFile(source.path, source.blocks, take);
  for (const batch of source.batches) {
    const lines = batchLines(batch, source.after);
    if (lines) take(lines);
  }
  return { faults: [], isGone: false };
}

function forEachBlockOfFile(
  path: string,
  blocks: readonly BlockEntry[],
  take: (lines: BlockLines, block: BlockEntry) => void,
): ScanOutcome {
  const faults: BlockFault[] = [];
  const fault = ({ first, count }: BlockEntry, reason: string): void => {
    faults.push({ first, last: first + count - 1, reason });
  };
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    const isGone = systemCode(error) === 'ENOENT';
    const reason = isGone ? 'its file is gone' : `its file can't be read (${systemCode(error)})`;
    for (const block of blocks) fault(block, reason);
    return { faults, isGone };
  }
  try {
    for (const block of blocks) {
      let lines: BlockLines;
      try {
        lines = readBlock(fd, block);
      } catch (error) {
        if (error instanceof BlockDamage) fault(block, error.message);
        else if (systemCode(error) === 'EIO') fault(block, "the disk can't read it");
        else throw error;
        continue;
      }
      take(lines, block);
      detachBuffer(lines.bytes);
    }
  } finally {
    closeSync(fd);
  }
  return { faults, isGone: false };
}

function readBlock(fd: number, block: BlockEntry): BlockLines {
  const bytes = Buffer.allocUnsafe(block.length);
  const read = readSync(fd, bytes, 0, block.length, block.offset);
  const lines = decodeBlock(bytes.subarray(0, read));
  detachBuffer(bytes);
  if (lines.first !== block.first || lines.end !== block.recordBytes)
    throw new BlockDamage('another block is in its place');
  return lines;
}

/** A batch as the lines of a block, without those up to a sequence. */
function batchLines(
  { first, receivedAtMs, bytes, start = HEADROOM }: LinesToPack,
  after: number,
): BlockLines | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const line = new RecordCursor(all, start);
  const skipped = Math.max(0, after - first + 1);
  line.skip(skipped);
  const from = line.nextStart;
  if (from >= all.length) return undefined;
  const records = all.subarray(from);
  return {
    bytes: records,
    end: records.length,
    first: first + skipped,
    runs: [{ count: Number.POSITIVE_INFINITY, receivedAtMs }],
  };
}
