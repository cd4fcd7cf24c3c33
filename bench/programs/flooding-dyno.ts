/**
 * An app that floods its stream: numbered lines of 80 bytes, as fast as its stdout takes them, then silence.
 * Written in chunks of 64 KiB, so that the reader is the limit, not this.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DIGITS, writeNumber } from '../rig/lines.ts';

const LINE_BYTES = 80;
const LINES_PER_WRITE = 819;

const count = Number(process.argv[2]);
const line = Buffer.from(`flooding ${'0'.repeat(DIGITS)} `.padEnd(LINE_BYTES - 1, 'x').concat('\n'));
const piece = Buffer.alloc(LINE_BYTES * LINES_PER_WRITE, line);
for (let sent = 0; sent < count; ) {
  const lines = Math.min(LINES_PER_WRITE, count - sent);
  for (let k = 0; k < lines; k++) writeNumber(sent + k, piece, k * LINE_BYTES + 'flooding '.length);
  await writeAll(piece.subarray(0, lines * LINE_BYTES));
  sent += lines;
}
setInterval(() => {}, 1_000_000);

/** Writes everything; a pipe that is full and doesn't block is tried again. */
async function writeAll(bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await sleep(1);
    }
  }
}
