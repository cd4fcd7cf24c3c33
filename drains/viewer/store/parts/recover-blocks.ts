/** Finds the blocks of a part whose end is damaged: each says itself what it is. */
import { BLOCK_HEADER_BYTES, BLOCK_MAGIC, type BlockEntry, readBlockHeader } from '../blocks/block-format.ts';
import type { ReadAt } from './part-format.ts';

const PIECE_BYTES = 1_048_576;
const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(BLOCK_MAGIC);

/** The blocks of a file of `size` bytes whose headers are whole; whether their lines are is seen when they are read. */
export function recoverBlocks(size: number, readAt: ReadAt): BlockEntry[] {
  const blocks: BlockEntry[] = [];
  let at = 0;
  while (at + BLOCK_HEADER_BYTES <= size) {
    const block = readBlockHeader(readAt(at, BLOCK_HEADER_BYTES), at);
    if (block && at + block.length <= size) {
      blocks.push(block);
      at += block.length;
      continue;
    }
    const next = findMagic(at + 1, size, readAt);
    if (next === -1) break;
    at = next;
  }
  return blocks;
}

function findMagic(from: number, size: number, readAt: ReadAt): number {
  for (let at = from; at < size; at += PIECE_BYTES - MAGIC.length) {
    const found = readAt(at, Math.min(PIECE_BYTES, size - at)).indexOf(MAGIC);
    if (found !== -1) return at + found;
  }
  return -1;
}
