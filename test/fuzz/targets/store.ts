/** Files of the stores: bytes that a disk may have changed. What is read of them is what was written, or it is said to be damaged. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchOfLines, LogLines } from '../../../bench/viewer/log-lines.ts';
import { BlockDamage, decodeBlock, encodeBlock } from '../../../drains/viewer/store/blocks/block-format.ts';
import {
  encodePartEnd,
  PartDamageError,
  readDirectory,
  readSection,
} from '../../../drains/viewer/store/parts/part-format.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { readCommitFile } from '../../../src/logs/store/embedded/commit-log/commit-entry.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { checksumSeed } from '../../../src/logs/store/embedded/segments/entry-format.ts';
import { scanBytes } from '../../../src/logs/store/embedded/segments/entry-scan.ts';
import { HEADROOM } from '../../../src/logs/syslog/batch.ts';
import { batchOf, newAppId, textsOf } from '../../support/batches.ts';
import type { FuzzTarget } from '../engine/fuzz-target.ts';

const APPS = Array.from({ length: 3 }, newAppId) as [AppId, AppId, AppId];
const BYTES_MAX = 16_384;

/** What a store with a few batches of two apps leaves on the disk. */
async function writeFiles(): Promise<{ segment: Buffer; commits: Buffer; written: ReadonlySet<string> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-fuzz-'));
  const retention = { lines: 1e9, bytes: 1e6, ageMs: 1e12 };
  const store = new EmbeddedStore({ folder, retention, durability: 'process' });
  const written = new Set<string>();
  try {
    const batches = ['one', 'two', 'three'].map((text) => batchOf(`${text} line`, `another ${text}`));
    for (const batch of batches) written.add(records(batch.bytes));
    await store.append(APPS[0], batches[0]);
    await store.append(APPS[0], batches[1], { frameId: 'frame' });
    await Promise.all(APPS.map((app) => store.append(app, batches[2])));
    // Those that come together go to the commit log.
    for (const batch of batches) await Promise.all(APPS.map((app) => store.append(app, batch)));
    const newest = (path: string): Buffer => readFileSync(join(path, readdirSync(path).sort().at(-1)!));
    return {
      segment: newest(join(folder, 'streams', APPS[0])),
      commits: newest(join(folder, 'commits')),
      written,
    };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a batch what is its lines. */
function records(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(HEADROOM)).toString('latin1');
}

const { segment, commits, written } = await writeFiles();

const segments: FuzzTarget = {
  name: 'store-segment',
  bytesMax: BYTES_MAX,
  seeds: [segment],
  check(input) {
    let reached = 0;
    scanBytes(input, { offset: 0, bytesSoFar: 0 }, checksumSeed(APPS[0]), {
      onEntry(entry, batch) {
        assert(entry.start >= reached && entry.end <= input.length, 'an entry is where it can not be');
        reached = entry.end;
        if (batch.length > 0 && entry.count > 0) assert(written.has(records(batch)), 'a line was changed');
      },
      onDamage(from, to) {
        assert(from >= reached && to > from && to <= input.length, 'damage is where it can not be');
        reached = to;
      },
    });
    assert.equal(reached, input.length, 'bytes are neither read nor damaged');
  },
};

const commitLog: FuzzTarget = {
  name: 'store-commit-log',
  bytesMax: BYTES_MAX,
  seeds: [commits],
  check(input) {
    const { batches, damagedBytes } = readCommitFile(input, APPS);
    assert(damagedBytes >= 0 && damagedBytes <= input.length);
    for (const list of batches.values())
      for (const { stored } of list) {
        const lines = records(stored.bytes);
        assert(written.has(lines), `a line was changed: ${textsOf(stored)}`);
      }
  },
};

function block(): Buffer {
  const lines = new LogLines(1, Date.UTC(2026, 10, 28, 12), 100);
  const batch = batchOfLines(Array.from({ length: 20 }, () => lines.next()));
  const times = { minMs: 1_790_000_000_000, maxMs: 1_790_000_001_000 };
  const runs = [{ count: batch.count, receivedAtMs: 1_790_000_000_500 }];
  return encodeBlock({
    first: 1,
    count: batch.count,
    ...times,
    records: Buffer.from(batch.bytes.subarray(HEADROOM)),
    runs,
  } as never);
}
const BLOCK = block();
const LINES = Buffer.from(decodeBlock(BLOCK).bytes.subarray(0, decodeBlock(BLOCK).end)).toString('latin1');

const blocks: FuzzTarget = {
  name: 'viewer-block',
  bytesMax: BYTES_MAX,
  seeds: [BLOCK],
  check(input) {
    try {
      const { bytes, end } = decodeBlock(input);
      assert.equal(Buffer.from(bytes.subarray(0, end)).toString('latin1'), LINES, 'a line was changed');
    } catch (error) {
      if (!(error instanceof BlockDamage)) throw error;
    }
  },
};

const SECTIONS = [
  { id: 1, bytes: Buffer.from('the blocks') },
  { id: 2, bytes: Buffer.alloc(100, 'counts') },
];
const parts: FuzzTarget = {
  name: 'viewer-part',
  bytesMax: BYTES_MAX,
  seeds: [Buffer.concat([BLOCK.subarray(0, 100), encodePartEnd(SECTIONS, 100)])],
  check(input) {
    const readAt = (offset: number, length: number): Buffer => input.subarray(offset, offset + length);
    try {
      const places = readDirectory(input.length, readAt);
      for (const { id, bytes } of SECTIONS) {
        const read = readSection(places, id, readAt);
        if (read) assert(read.equals(bytes), 'a section was changed');
      }
    } catch (error) {
      if (!(error instanceof PartDamageError)) throw error;
    }
  },
};

export const STORE_TARGETS: readonly FuzzTarget[] = [segments, commitLog, blocks, parts];
