/** What a reader has read and not emitted is in a file at every moment, for the process after one that is killed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeldBytesFile } from '../../../../src/apps/processes/output/held-bytes.ts';
import { LineReader } from '../../../../src/apps/processes/output/line-reader.ts';
import { TokenBucket } from '../../../../src/common/limits/token-bucket.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** A machine that has much else to do is no slow disk. */
const UNLIMITED = new TokenBucket(Number.POSITIVE_INFINITY, 0);

class Pipe extends Readable {
  override _read(): void {}
}

/** A handler that takes so many lines of a chunk, one chunk after the other. */
class Taker {
  text = '';
  private readonly capacities: readonly number[];
  private at = 0;
  private wake: (() => void) | undefined;

  constructor(capacities: readonly number[]) {
    this.capacities = capacities;
  }

  readonly onLine = (line: Buffer, byteCount: number): void => {
    this.text += line.toString() + '\n'.repeat(byteCount - line.length);
  };

  readonly onChunk = (chunk: Buffer, onWritable: () => void): number => {
    const lines = chunk.toString().match(/.*\n/g)!;
    const taken = lines.slice(0, this.capacities[this.at++ % this.capacities.length]).join('');
    this.text += taken;
    if (taken.length < chunk.length) this.wake = onWritable;
    return taken.length;
  };

  /** @returns false when nobody waits */
  writable(): boolean {
    const { wake } = this;
    this.wake = undefined;
    wake?.();
    return wake !== undefined;
  }
}

test('whatever is read, and whenever the handler is writable, what isn’t emitted is in the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-held-'));
  const path = join(folder, '1.held');
  const chunk = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 40 });
  try {
    fc.assert(
      fc.property(
        fc.array(chunk, { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 }),
        fc.string({ unit: fc.constantFrom('c', '\n'), maxLength: 10 }),
        (chunks, capacities, leftover) => {
          const pipe = new Pipe();
          const taker = new Taker(capacities);
          const file = new HeldBytesFile(path, UNLIMITED);
          const reader = new LineReader(pipe, taker, Buffer.from(leftover), file);
          let given = leftover;
          const check = () => expect(taker.text + HeldBytesFile.read(path)).toBe(given);
          check();
          for (const text of chunks) {
            given += text;
            pipe.emit('data', Buffer.from(text));
            check();
            if (taker.writable()) check();
          }
          // The next process reads it, and goes on.
          const left = HeldBytesFile.read(path)!;
          const next = new Taker([Number.POSITIVE_INFINITY]);
          const second = new HeldBytesFile(path, UNLIMITED);
          const other = new LineReader(new Pipe(), next, left, second);
          reader.discard();
          expect(taker.text + next.text + HeldBytesFile.read(path)).toBe(given);
          expect(other.partialLine.toString()).toBe(HeldBytesFile.read(path)!.toString());
          other.discard();
        },
      ),
      { numRuns: propertyRuns(30) },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('while the disk is slow nothing is saved, and nothing old is left', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-held-'));
  const path = join(folder, '1.held');
  const budget = new TokenBucket(100, performance.now());
  try {
    const pipe = new Pipe();
    const reader = new LineReader(pipe, new Taker([1]), undefined, new HeldBytesFile(path, budget));
    pipe.emit('data', Buffer.from('begun'));
    expect(HeldBytesFile.read(path)?.toString()).toBe('begun');
    budget.take(1_000_000);
    pipe.emit('data', Buffer.from(' and more'));
    expect(HeldBytesFile.read(path)).toEqual(Buffer.alloc(0));
    pipe.emit('data', Buffer.from(' and more'));
    expect(HeldBytesFile.read(path)).toEqual(Buffer.alloc(0));
    reader.discard();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a file that is missing, or cut off, has nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-held-'));
  const path = join(folder, '2.held');
  try {
    expect(HeldBytesFile.read(path)).toBeUndefined();
    writeFileSync(path, 'ab');
    expect(HeldBytesFile.read(path)).toEqual(Buffer.alloc(0));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
