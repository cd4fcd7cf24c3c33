import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SpilledEntries } from '../../../../src/logs/store/embedded/commit-log/commit-memory.ts';

function spilledEntries(): SpilledEntries {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  const spilled = new SpilledEntries(join(folder, 'spilled.tmp'));
  onTestFinished(() => {
    spilled.close();
    rmSync(folder, { recursive: true });
  });
  return spilled;
}

function add(spilled: SpilledEntries, entry: string): { readonly offset: number; readonly entry: string } {
  const offset = spilled.bytes;
  const bytes = Buffer.from(entry);
  bytes.copy(spilled.reserve(bytes.length));
  spilled.keep(bytes.length);
  return { offset, entry };
}

function read(spilled: SpilledEntries, { offset, entry }: ReturnType<typeof add>): string {
  const out = Buffer.alloc(entry.length);
  spilled.read(out, 0, entry.length, offset);
  return out.toString();
}

it('what was spilled can be read while more is added, and when all of it is in the file', () => {
  const spilled = spilledEntries();
  // More than fits into what waits to be written.
  const added = ['a', 'b', 'c'].map((text) => add(spilled, text.repeat(500_000)));
  for (const one of added) expect(read(spilled, one)).toBe(one.entry);
  spilled.finish();
  for (const one of added) expect(read(spilled, one)).toBe(one.entry);
});

it('of files to which nothing is added, none keeps memory', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let file = 0; file < 30; file++) {
    const spilled = spilledEntries();
    const added = add(spilled, `entry of ${file}`);
    spilled.finish();
    expect(read(spilled, added)).toBe(added.entry);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_194_304);
});
