import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { COMMIT_HEADER } from '../../../../src/logs/store/embedded/commit-log/commit-entry.ts';
import {
  CommitMemory,
  OpenCommitFile,
  SpilledEntries,
} from '../../../../src/logs/store/embedded/commit-log/commit-memory.ts';
import {
  forEachEntry,
  UnwrittenEntries,
} from '../../../../src/logs/store/embedded/commit-log/unwritten-entries.ts';
import {
  encodeFrameIdEntry,
  isChainOfEntries,
  readKnownEntry,
  type StreamEnd,
  writeEntryHeader,
} from '../../../../src/logs/store/embedded/segments/entry-format.ts';
import { batchOf, linesOf } from '../../../support/batches.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

/** The disk gives one byte back as another one. */
class DamagedEntries extends SpilledEntries {
  damagedAt = Number.NaN;

  override read(out: Buffer, at: number, bytes: number, offset: number): number {
    const read = super.read(out, at, bytes, offset);
    const { damagedAt } = this;
    if (damagedAt >= offset && damagedAt < offset + bytes) out[at + damagedAt - offset] ^= 1;
    return read;
  }
}

function spilledEntries(): DamagedEntries {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  const spilled = new DamagedEntries(join(folder, 'spilled.tmp'));
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

const SEED = 1;

/** A file of the log: in memory, and on the disk. */
class LogFile {
  readonly memory = new CommitMemory();
  readonly log: OpenCommitFile;
  private readonly fd: number;
  private size = 0;

  constructor() {
    const path = join(mkdtempSync(join(tmpdir(), 'tailrace-test-')), 'commits.log');
    this.fd = openSync(path, 'w');
    this.log = new OpenCommitFile(path);
    // It is read without its name as well.
    unlinkSync(path);
    rmSync(join(path, '..'), { recursive: true });
    onTestFinished(() => {
      closeSync(this.fd);
      this.log.close();
    });
  }

  /** Adds an entry; returns where it is in the newest piece of the memory. */
  add(entry: Buffer): number {
    const { memory } = this;
    const bytes = COMMIT_HEADER + entry.length;
    memory.reserve(bytes);
    const { at } = memory;
    entry.copy(memory.piece, at + COMMIT_HEADER);
    this.size += writeSync(this.fd, memory.piece, at, bytes, this.size);
    memory.keep(bytes);
    return at + COMMIT_HEADER;
  }

  /** Adds an entry that a process before this one wrote to the file. */
  addLeft(unwritten: UnwrittenEntries, batchBytes: number, entry: Buffer): void {
    const at = this.add(entry);
    const offset = this.memory.offsetInFile(this.memory.pieceNumber, at)!;
    const line = readKnownEntry(entry, 0, 0);
    unwritten.addLeft({ ...line, bytes: batchBytes, file: this.log, offset, entryBytes: entry.length });
  }

  /** Changes some bits of the file, or cuts it off there. */
  damage(random: () => number): void {
    const at = Math.floor(random() * this.size);
    if (random() < 0.3) ftruncateSync(this.fd, at);
    else writeSync(this.fd, Buffer.from([random() * 256, random() * 256]), 0, 2, at);
  }
}

/** A stream's entries, and what they should be. */
class Entries {
  readonly unwritten = new UnwrittenEntries(SEED);
  expected: string[] = [];
  private next = 1;
  private bytesSoFar = 0;

  /** The entry of one more batch of a line. */
  entry(text: string, frameId: string | undefined): { readonly batch: Buffer; readonly entry: Buffer } {
    const batch = Buffer.from(batchOf(text).bytes);
    this.bytesSoFar += batch.length;
    writeEntryHeader(
      batch,
      { count: 1, storedAtMs: this.next, bytesSoFar: this.bytesSoFar, first: this.next++ },
      SEED,
    );
    this.expected.push(text);
    const named = frameId === undefined ? [] : [encodeFrameIdEntry(frameId, SEED)];
    return { batch, entry: Buffer.concat([...named, batch]) };
  }

  check(): void {
    const { unwritten, expected } = this;
    const all = unwritten.read(0);
    // Each line is a batch.
    const from = 1 + (this.next % 7);
    const before = this.next - (this.next % 5);
    const wanted = all.filter(({ first }) => first >= from && first < before);
    expect(linesOf(unwritten.read(from, before))).toEqual(linesOf(wanted));
    const firsts: number[] = [];
    forEachEntry(unwritten.copy()!, 0, ({ first }) => firsts.push(first));
    const last = all.at(-1);
    expect([
      unwritten.count,
      unwritten.bytes,
      linesOf(all),
      firsts,
      last && unwritten.lastBefore(last.storedAtMs),
    ]).toEqual([
      expected.length,
      all.reduce((sum, { bytes }) => sum + bytes.length, 0),
      expected,
      all.map(({ first }) => first),
      all.at(-2)?.last,
    ]);
  }

  /** Where all of them end. */
  get end(): StreamEnd {
    return { next: this.next, bytesSoFar: this.bytesSoFar };
  }

  clear(): void {
    this.unwritten.clear();
    this.expected = [];
  }
}

it.each([1, 2, 3])('entries of many streams are read in order, wherever they are kept (seed %d)', (seed) => {
  const random = seededRandom(seed);
  const streams = Array.from({ length: 5 }, () => new Entries());
  // What a process before left.
  const leftFile = new LogFile();
  for (const [i, stream] of streams.entries())
    for (let left = i; left > 0; left--) {
      const frameId = left === 1 ? 'frame of another process' : undefined;
      const { batch, entry } = stream.entry(`left ${left}`, frameId);
      leftFile.addLeft(stream.unwritten, batch.length, entry);
    }
  const files = [new LogFile()];
  let spilledFiles = 0;
  let filesReadInLog = 0;
  for (let step = 0; step < 600; step++) {
    const stream = streams[Math.floor(random() * streams.length)];
    const chance = random();
    if (chance < 0.9) {
      const file = files.at(-1)!;
      const text = `${step} ${'x'.repeat(random() < 0.01 ? 400_000 : random() * 300)}`;
      const { batch, entry } = stream.entry(text, random() < 0.1 ? `frame ${step}` : undefined);
      const at = file.add(entry);
      stream.unwritten.add(file.memory.pieceNumber, at, batch.length);
    } else if (chance < 0.96) {
      // Another file begins; the oldest one leaves memory.
      files.push(new LogFile());
      if (files.length < 3) continue;
      const { memory, log } = files.shift()!;
      if (random() < 0.5) {
        filesReadInLog++;
        for (const { unwritten } of streams) unwritten.leaveInLog(memory, log);
        memory.release();
        continue;
      }
      const spilled = spilledEntries();
      spilledFiles++;
      for (const { unwritten } of streams) unwritten.spill(memory, spilled);
      memory.release();
      spilled.finish();
    } else stream.clear();
    if (step % 50 === 0) for (const one of streams) one.check();
  }
  for (const one of streams) one.check();
  expect(Math.min(spilledFiles, filesReadInLog)).toBeGreaterThan(3);
  for (const { memory } of files) memory.release();
});

/** Writes entries as a stream does, those between two gaps to a segment of their own. @returns the numbers of their lines */
function writeRuns({ unwritten, end }: Entries): number[] {
  const numbers: number[] = [];
  let from: StreamEnd = { next: 1, bytesSoFar: 0 };
  for (;;) {
    const behind = unwritten.takeBehindGap(from);
    const copy = unwritten.copy()!;
    let to = from;
    forEachEntry(copy, 0, ({ first, last, bytesSoFar }) => {
      numbers.push(first);
      to = { next: last + 1, bytesSoFar };
    });
    expect(isChainOfEntries(copy, from, to)).toBe(true);
    unwritten.clear();
    if (!behind) return numbers;
    expect(behind.first).toBeGreaterThan(to.next);
    expect(behind.first).toBeLessThan(end.next);
    from = { next: behind.first, bytesSoFar: behind.bytesBefore };
    unwritten.putBack(behind);
  }
}

it.each([1, 2, 3])(
  'what is damaged in a file is left out and told, and the rest is written (seed %d)',
  (seed) => {
    const random = seededRandom(seed);
    let damaged = 0;
    for (let round = 0; round < 15; round++) {
      const stream = new Entries();
      const { unwritten } = stream;
      const files = Array.from({ length: 3 }, () => new LogFile());
      // The oldest one is what a process before left, or this one's.
      const isLeft = random() < 0.5;
      for (const [number, file] of files.entries())
        for (let i = 0; i < 8; i++) {
          const { batch, entry } = stream.entry(
            'x'.repeat(random() * 300),
            i % 4 === 1 ? `frame ${i}` : undefined,
          );
          if (isLeft && number === 0) file.addLeft(unwritten, batch.length, entry);
          else {
            const at = file.add(entry);
            unwritten.add(file.memory.pieceNumber, at, batch.length);
          }
        }
      // The newest one is in memory, or all are in files.
      const inFiles = files.slice(0, random() < 0.5 ? 2 : 3);
      for (const { memory, log } of inFiles) unwritten.leaveInLog(memory, log);
      for (const file of inFiles) if (random() < 0.7) file.damage(random);
      const { end, expected } = stream;
      const isWhole = isChainOfEntries(unwritten.copy() ?? Buffer.of(0), { next: 1, bytesSoFar: 0 }, end);
      const read = unwritten.read(0);
      for (const { first, bytes } of read)
        expect(linesOf([{ ...read[0], bytes }])).toEqual([expected[first - 1]]);
      const kept = read.map(({ first }) => first);
      const { isDamaged } = unwritten;
      expect(isDamaged || isWhole).toBe(true);
      const lost = unwritten.dropDamaged({ next: 1, bytesSoFar: 0 }, end);
      const told = lost.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
      );
      expect([...kept, ...told].sort((a, b) => a - b)).toEqual(expected.map((_, i) => i + 1));
      if (told.length > 0) damaged++;
      expect(unwritten.read(0).map(({ first }) => first)).toEqual(kept);
      expect([unwritten.isDamaged, unwritten.count]).toEqual([false, kept.length]);
      expect(writeRuns(stream)).toEqual(kept);
      for (const { memory } of files) memory.release();
    }
    expect(damaged).toBeGreaterThan(5);
  },
);
