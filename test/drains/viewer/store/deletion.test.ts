/** Lines that are deleted from the viewer: found by nobody, in no file, while others stay what they were. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { batchOfLines } from '../../../../bench/viewer/log-lines.ts';
import { readQuery } from '../../../../src/logs/query/read-query.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { newAppId } from '../../../support/batches.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { lineStoreForTest, type Rig } from './line-store-rig.ts';

const ADA = 'ada@example.com';
const T0 = Date.parse('2026-01-02T03:04:05Z');
const byAda = readQuery(`user.email:${ADA}`).expression;

/** Every third one is Ada's; a second between two. */
async function add(rig: Rig, stream: AppId, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 10) {
    const texts = Array.from({ length: Math.min(10, to - n) }, (_, i) => {
      const email = (n + i) % 3 === 0 ? ADA : 'bob@example.com';
      const time = new Date(T0 + (n + i) * 1_000).toISOString();
      return `<190>1 ${time} host app web.1 - - {"n":${n + i},"user":{"email":"${email}"}}`;
    });
    await rig.streams.append(stream, batchOfLines(texts));
  }
}

async function numbers(rig: Rig, stream: AppId, query = readQuery('n:*').expression): Promise<number[]> {
  const found = await rig.lines.search({ streams: [stream], query, direction: 'after', limit: 1_000 });
  return found.lines.map(({ record }) => Number(/"n":(\d+)/.exec(record.toString('latin1'))?.[1]));
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

/** Files with the address, where it isn't compressed. */
function filesWith(rig: Rig): string[] {
  return readdirSync(rig.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(ADA));
}

describe('deleted lines', () => {
  it('are in no part and no stream; others have the same places, also after a start', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    await add(rig, stream, 0, 60);
    await rig.lines.seal(stream);
    await add(rig, stream, 60, 90);
    const before = await rig.lines.search({ streams: [stream], direction: 'after', limit: 1_000 });
    expect(filesWith(rig).length).toBeGreaterThan(0);
    const selection = { query: byAda };
    expect(await rig.lines.deleteLines(stream, selection, true)).toBe(30);
    expect(await numbers(rig, stream)).toEqual(upTo(90));

    expect(await rig.lines.deleteLines(stream, { ...selection, toMs: T0 + 30_000 })).toBe(10);
    expect(await numbers(rig, stream)).toEqual(upTo(90).filter((n) => n >= 30 || n % 3 !== 0));
    expect(await rig.lines.deleteLines(stream, selection)).toBe(20);
    const left = upTo(90).filter((n) => n % 3 !== 0);
    expect(await numbers(rig, stream)).toEqual(left);
    expect(await numbers(rig, stream, byAda)).toEqual([]);
    expect(filesWith(rig)).toEqual([]);
    const kept = before.lines.filter(({ record }) => !record.includes(ADA));
    const now = await rig.lines.search({ streams: [stream], direction: 'after', limit: 1_000 });
    expect(now.lines.map(({ sequence }) => sequence)).toEqual(kept.map(({ sequence }) => sequence));
    const [counted] = await rig.lines.counts({ streams: [stream], stepMs: 86_400_000 });
    expect(counted.other).toBe(60);

    await add(rig, stream, 90, 100);
    await rig.reopen();
    await rig.lines.ready;
    await rig.lines.checkFiles();
    expect(await numbers(rig, stream)).toEqual([...left, ...upTo(100).slice(90)]);
    expect(rig.lines.damage()).toEqual([]);
    // All that is left of a part.
    expect(await rig.lines.deleteLines(stream, { toMs: T0 + 1e9 })).toBe(70);
    expect(await numbers(rig, stream)).toEqual([]);
    await add(rig, stream, 100, 110);
    await rig.reopen();
    await rig.lines.ready;
    expect(await numbers(rig, stream)).toEqual(upTo(110).slice(100));
    expect(rig.problems).toEqual([]);
  });

  it('while searches go on: these find lines as they were, or without them', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    for (let i = 0; i < 5; i++) {
      await add(rig, stream, i * 100, i * 100 + 100);
      await rig.lines.seal(stream);
    }
    const searches = Array.from({ length: propertyRuns(20, 5) }, () => numbers(rig, stream));
    const deleted = rig.lines.deleteLines(stream, { query: byAda });
    searches.push(...Array.from({ length: propertyRuns(20, 5) }, () => numbers(rig, stream)));
    expect(await deleted).toBe(167);
    for (const found of await Promise.all(searches))
      expect(found.filter((n) => n % 3 !== 0)).toEqual(upTo(500).filter((n) => n % 3 !== 0));
    expect(rig.problems).toEqual([]);
    expect(rig.lines.damage()).toEqual([]);
  });
});
