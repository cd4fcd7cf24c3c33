/** Takes a fault out of lmdb's binary, in the memory of this process alone. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

/** How it says that a write failed, `last_error` in mdb_page_flush: up to 110 bytes in a space of 100. */
const MESSAGE = 'Attempting to write page at position %u, size %u, blocks %u, buffer sizes %i %i %i\0';
/** Three numbers, two of which mostly aren't set; without them it is 83 bytes at the most. */
const LEFT_OUT = ', buffer sizes %i %i %i\0';
const MAPPED_MAX = 16 * 1_048_576;

let isDone = false;

/**
 * When a write fails, liblmdb as lmdb has it (3.5.6) writes a sentence past the end of its memory, and the process ends sooner or later
 * (`malloc(): invalid next size`). The sentence's template is cut short here, through /proc/self/mem, which a process may write to whatever the
 * protection of the page. Where that isn't possible, or lmdb has other words, nothing happens.
 */
export function shortenWriteErrors(): void {
  if (isDone || process.platform !== 'linux') return;
  isDone = true;
  try {
    const maps = readFileSync('/proc/self/maps', 'latin1');
    const memory = openSync('/proc/self/mem', 'r+');
    try {
      for (const line of maps.split('\n')) {
        const [range, protection] = line.split(' ', 2);
        if (!line.endsWith('.node') || !line.includes('lmdb') || !protection.startsWith('r')) continue;
        const [from, to] = range.split('-').map((address) => Number.parseInt(address, 16));
        shortenIn(memory, from, to);
      }
    } finally {
      closeSync(memory);
    }
  } catch {
    // Then it is as it was.
  }
}

function shortenIn(memory: number, from: number, to: number): void {
  if (to - from > MAPPED_MAX) return;
  const bytes = Buffer.alloc(to - from);
  const length = readSync(memory, bytes, 0, bytes.length, from);
  const at = bytes.subarray(0, length).indexOf(MESSAGE, 'latin1');
  if (at < 0) return;
  writeSync(memory, Buffer.alloc(1), 0, 1, from + at + MESSAGE.length - LEFT_OUT.length);
}
