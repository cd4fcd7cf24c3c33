/** What stays and what goes: restarts, imports, retention, damage. */
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { batchOfLines, LogLines, seededRandom } from '../../../../bench/viewer/log-lines.ts';
import type { ImportedLine } from '../../../../drains/viewer/store/contract.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import { type AddedLine, addLines, asAdded, lineStoreForTest, type Rig, timeOf } from './line-store-rig.ts';

const START_MS = Date.UTC(2026, 10, 1, 12);

function texts(count: number, seed = 1, startMs = START_MS): string[] {
  const source = new LogLines(seed, startMs, 100);
  return Array.from({ length: count }, () => source.next());
}

async function allLines(rig: Rig, stream: AppId): Promise<AddedLine[]> {
  const { lines } = await rig.lines.search({ streams: [stream], direction: 'after', limit: 1_000_000 });
  return lines.map(asAdded).sort((a, b) => a.sequence - b.sequence);
}

function partFiles(rig: Rig, stream: AppId): string[] {
  return readdirSync(join(rig.folder, 'parts', stream))
    .filter((name) => name.endsWith('.part'))
    .map((name) => join(rig.folder, 'parts', stream, name));
}

async function* pieces(lines: readonly ImportedLine[], size: number): AsyncGenerator<ImportedLine[]> {
  for (let i = 0; i < lines.length; i += size) yield lines.slice(i, i + size);
}

function importable(all: readonly string[]): ImportedLine[] {
  return all.map((text) => ({
    timeMs: timeOf(text),
    receivedAtMs: START_MS + 5,
    record: batchOfLines([text]).bytes.subarray(32),
  }));
}

describe('the line store', () => {
  it('finds each line once after restarts, wherever it was', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(1_500));
    await rig.lines.seal(stream);
    all.push(...(await addLines(rig, stream, texts(2_500, 2))));
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual(all);
    all.push(...(await addLines(rig, stream, texts(10, 3))));
    await rig.lines.seal(stream);
    expect(await allLines(rig, stream)).toEqual(all);
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual(all);
    expect(rig.lines.damage()).toEqual([]);
  });

  it('says that nothing can be packed as long as that is so, once, and goes on by itself', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    // A file where the stream's folder has to be made.
    const folder = join(rig.folder, 'parts', stream);
    writeFileSync(folder, '');
    const all = await addLines(rig, stream, texts(1_500));
    await rig.lines.seal(stream);
    expect(rig.lines.trouble).toMatch(
      /^Lines can't be packed \(.+\): they stay in their stream, and it is tried again\.$/,
    );
    expect(rig.problems).toEqual([rig.lines.trouble]);
    expect(await allLines(rig, stream)).toEqual(all);
    rmSync(folder);
    await rig.lines.seal(stream);
    expect(rig.lines.trouble).toBeUndefined();
    expect(rig.lines.packedThrough(stream)).toBe(1_500);
  });

  it('finds lines that have left their stream, and says how many there are', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(1_500));
    await rig.lines.seal(stream);
    expect(rig.lines.packedThrough(stream)).toBe(1_500);
    await rig.streams.dropStream(stream);
    expect(await allLines(rig, stream)).toEqual(all);
    const [summary] = await rig.lines.summaries();
    expect(summary).toMatchObject({
      stream,
      lines: 1_500,
      rawBytes: all.reduce((sum, { text }) => sum + text.length, 0),
      firstMs: Math.min(...all.map(({ timeMs }) => timeMs)),
      lastMs: Math.max(...all.map(({ timeMs }) => timeMs)),
    });
  });

  it('reads on when lines are packed, put together and trimmed under a reader', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(1_500));
    const found: AddedLine[] = [];
    let turn = 0;
    for await (const lines of rig.lines.read(stream, 0)) {
      found.push(...lines.map(asAdded));
      if (turn++ > 0) continue;
      // What is read next was in the stream alone.
      await rig.lines.seal(stream);
      for (let i = 0; i < 10; i++) {
        all.push(...(await addLines(rig, stream, texts(10, i))));
        await rig.lines.seal(stream);
      }
      await until('parts are few', () => partFiles(rig, stream).length < 6);
      await rig.streams.dropStream(stream);
    }
    expect(found).toEqual(all);
    expect(rig.lines.damage()).toEqual([]);
  });

  it('gives no number twice when the end of the stream was lost in a power cut', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(200));
    await rig.lines.seal(stream);
    // Parts are synced; of the stream nothing is left.
    rmSync(join(rig.folder, 'streams'), { recursive: true });
    await rig.reopen();
    await rig.lines.ready;
    all.push(...(await addLines(rig, stream, texts(100, 2))));
    expect(all.at(-1)?.sequence).toBe(300);
    expect(await allLines(rig, stream)).toEqual(all);
    await rig.lines.seal(stream);
    expect(await allLines(rig, stream)).toEqual(all);
  });

  it('makes one part of many small ones', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all: AddedLine[] = [];
    for (let i = 0; i < 30; i++) {
      all.push(...(await addLines(rig, stream, texts(20, i))));
      await rig.lines.seal(stream);
    }
    await until('parts are few', () => partFiles(rig, stream).length <= 12);
    expect(await allLines(rig, stream)).toEqual(all);
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual(all);
  });

  it('removes old lines for good, also when they are still in the stream', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    await addLines(rig, stream, texts(100));
    await rig.lines.seal(stream);
    const kept = await addLines(rig, stream, texts(100, 2, Date.now() + 3_600_000));
    await rig.lines.seal(stream);
    // Their sender's clock is behind: they have just come.
    expect(await rig.lines.removeBefore(stream, START_MS + 3_600_000)).toBe(0);
    // Its last line isn't archived yet.
    const soon = Date.now() + 60_000;
    expect(await rig.lines.removeBefore(stream, soon, 99)).toBe(0);
    expect(await rig.lines.shrinkTo(stream, 0, 99)).toBe(0);
    expect(await rig.lines.removeBefore(stream, soon)).toBe(100);
    expect(await allLines(rig, stream)).toEqual(kept);
    expect(await rig.lines.shrinkTo(stream, 0)).toBe(100);
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual([]);
    const later = await addLines(rig, stream, texts(10, 3));
    await rig.lines.seal(stream);
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual(later);
    await rig.lines.dropStream(stream);
    expect(await allLines(rig, stream)).toEqual([]);
    expect(readdirSync(join(rig.folder, 'parts'))).toEqual([]);
  });

  it('takes lines of the past once, and all of them or none', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(50));
    const old = texts(2_000, 9, START_MS - 86_400_000);
    const lines = importable(old);
    expect(await rig.lines.importLines(stream, 'day 1', pieces(lines, 300))).toBe(2_000);
    expect(await rig.lines.importLines(stream, 'day 1', pieces(lines, 300))).toBe(0);
    const failing = async function* (): AsyncGenerator<ImportedLine[]> {
      yield* pieces(lines.slice(0, 1_900), 100);
      throw new Error('the archive ended early');
    };
    await expect(rig.lines.importLines(stream, 'day 2', failing())).rejects.toThrow(
      'the archive ended early',
    );
    expect(await rig.lines.importLines(stream, 'day 2', pieces(lines.slice(0, 7), 2))).toBe(7);
    // Of a stream that has nothing yet.
    const fresh = newAppId();
    expect(await rig.lines.importLines(fresh, 'empty', pieces([], 1))).toBe(0);
    const unreadable: AsyncIterable<ImportedLine[]> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('unreadable')) }),
    };
    await expect(rig.lines.importLines(fresh, 'unread', unreadable)).rejects.toThrow('unreadable');
    const expected = [...old.slice(0, 7), ...old, ...all.map(({ text }) => text)];
    for (const reopened of [false, true]) {
      if (reopened) await rig.reopen();
      const found = await allLines(rig, stream);
      expect(found.map(({ text }) => text)).toEqual(expected);
      expect(new Set(found.map(({ sequence }) => sequence)).size).toBe(expected.length);
    }
    const { lines: newest } = await rig.lines.search({ streams: [stream], direction: 'before', limit: 60 });
    expect(newest[59].sequence).toBeLessThan(0);
    expect(await rig.lines.context(newest[59], 3, 3)).toHaveLength(7);
    expect(await rig.lines.importLines(stream, 'day 1', pieces(lines, 300))).toBe(0);
  });

  it('opens beside what others have put into its folders, and leaves it there', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(100));
    await rig.lines.seal(stream);
    const folder = join(rig.folder, 'parts', stream);
    for (const name of ['1_50.part', '1.unfinished', 'lost+found']) mkdirSync(join(folder, name));
    for (const name of ['90_10.part', 'junk.part']) writeFileSync(join(folder, name), 'junk');
    await rig.reopen();
    expect(await allLines(rig, stream)).toEqual(all);
    expect(rig.lines.damage()).toEqual([]);
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining(['1_50.part', 'lost+found', '90_10.part', 'junk.part']),
    );
  });

  it('says what was in files that somebody has removed, down or running, and goes on', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all: AddedLine[] = [];
    for (let i = 0; i < 4; i++) {
      all.push(...(await addLines(rig, stream, texts(500, i, START_MS + i * 60_000))));
      await rig.lines.seal(stream);
    }
    const ranges = (): unknown[] => rig.lines.damage().map(({ stream: whose, lines }) => [whose, lines]);
    const fileOf = (first: number): string =>
      partFiles(rig, stream).find((path) => path.includes(`/${first}_`))!;
    // While it runs: of searches, and of whoever asks.
    rmSync(fileOf(501));
    expect(await allLines(rig, stream)).toEqual(
      all.filter(({ sequence }) => sequence < 501 || sequence > 1_000),
    );
    await rig.lines.checkFiles();
    expect(ranges()).toEqual([[stream, { first: 501, last: 1_000 }]]);
    rmSync(fileOf(1));
    await rig.lines.checkFiles();
    expect(ranges()).toEqual([
      [stream, { first: 501, last: 1_000 }],
      [stream, { first: 1, last: 500 }],
    ]);
    expect(await rig.lines.counts({ streams: [stream], stepMs: 60_000 })).not.toEqual([]);
    // While it doesn't; of the last one the stream has the lines yet, and they are packed again.
    const cut = fileOf(1_001);
    const last = fileOf(1_501);
    rmSync(last);
    truncateSync(cut, 10_000);
    await rig.reopen();
    await until('the cut file', () => rig.lines.damage().length === 3);
    const kept = await allLines(rig, stream);
    const lost = rig.lines.damage();
    expect(lost.slice(0, 2)).toMatchObject(
      [
        { file: expect.stringMatching(/501_1000/), lines: { first: 501, last: 1_000 } },
        {
          lines: { first: 1, last: 500 },
          reason: 'its file is gone, with 500 lines',
          times: { firstMs: timeOf(all[0].text) },
        },
      ].sort((a, b) => a.lines.first - b.lines.first),
    );
    const inCut = lost[2].lines!;
    expect(kept).toEqual(
      all.filter(({ sequence: at }) => at > 1_000 && (at < inCut.first || at > inCut.last)),
    );
    expect(rig.problems.join('\n')).toMatch(
      /lines 1 to 500 of stream .+ of 2026-11-01T12:00:00.\d+Z to .+ are lost/,
    );
    // What would have been removed by now isn't missed.
    await rig.lines.seal(stream);
    await rig.lines.removeBefore(stream, START_MS + 10 * 60_000);
    await rig.reopen();
    expect(rig.lines.damage()).toEqual([]);
  });

  it('keeps what is whole of a damaged part, and says exactly which lines are lost', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const all = await addLines(rig, stream, texts(4_000));
    await rig.lines.seal(stream);
    const [path] = partFiles(rig, stream);
    const whole = readFileSync(path);
    const random = seededRandom(11);
    const damages: (() => void)[] = [
      ...Array.from({ length: 30 }, () => () => {
        const bytes = Buffer.from(whole);
        bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8);
        writeFileSync(path, bytes);
      }),
      // Behind the blocks is a small part of the file, and the most important.
      ...Array.from({ length: 15 }, () => () => {
        const bytes = Buffer.from(whole);
        bytes[bytes.length - 1 - Math.floor(random() * 400)] ^= 0xff;
        writeFileSync(path, bytes);
      }),
      ...[0, 1, 63, 64, 1_000, 100_000, whole.length - 25, whole.length - 1].map((length) => () => {
        writeFileSync(path, whole);
        truncateSync(path, length);
      }),
      () => writeFileSync(path, Buffer.alloc(whole.length)),
      () =>
        writeFileSync(
          path,
          Buffer.concat([whole.subarray(0, 70_000), Buffer.alloc(4_096), whole.subarray(74_096)]),
        ),
    ];
    let losses = 0;
    for (const damage of damages) {
      damage();
      await rig.reopen();
      const found = await allLines(rig, stream);
      const lost = new Set<number>();
      for (const { stream: whose, lines, file } of rig.lines.damage()) {
        expect([whose, file]).toEqual([stream, path]);
        for (let sequence = lines!.first; sequence <= lines!.last; sequence++) lost.add(sequence);
      }
      expect(found).toEqual(all.filter(({ sequence }) => !lost.has(sequence)));
      losses += lost.size;
      const counts = await rig.lines.counts({ streams: [stream], stepMs: 60_000 });
      const counted = counts.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0);
      expect(counted).toBeGreaterThanOrEqual(found.length);
    }
    expect(losses).toBeGreaterThan(4_000);
    // New lines are packed beside it.
    const later = await addLines(rig, stream, texts(10, 2));
    await rig.lines.seal(stream);
    expect((await allLines(rig, stream)).slice(-10)).toEqual(later);
  });
});
