import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchOfLines, LogLines, seededRandom } from '../../../../bench/viewer/log-lines.ts';
import type { ImportedLine, SearchRequest } from '../../../../drains/viewer/store/contract.ts';
import { fieldReader } from '../../../../drains/viewer/store/fields/field-reader.ts';
import type { JobRunner } from '../../../../drains/viewer/store/jobs/job.ts';
import { LocalRunner } from '../../../../drains/viewer/store/jobs/local-runner.ts';
import { parseQuery } from '../../../../src/logs/query/query-parser.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { newAppId } from '../../../support/batches.ts';
import {
  type AddedLine,
  addLines,
  asAdded,
  expectedLines,
  lineStoreForTest,
  openRig,
  textOfLine,
  timeOf,
} from './line-store-rig.ts';

const START_MS = Date.UTC(2026, 10, 1, 12);
const QUERIES = [
  '',
  'status=503',
  'CHECKOUT',
  '"has no queue"',
  'router -status=200 -status=201',
  'status:>=500',
  'level:error',
  'program:web.3',
  'source:heroku fwd="1',
  'user.id:>190000',
  '/took \\d\\d\\d ms/',
  'request_id=ab OR trace_id',
  '10.1',
  'nowhere-to-be-found',
  'queue OR checkout',
  'host:shop.example.com method:POST',
];

/** Of lines that some ask for in other words. */
const ODD_QUERIES = [
  'status:odd',
  'status:*',
  '-status:*',
  'status:7 OR method:odd',
  'odd:x',
  '-(status:odd OR level:info)',
  'nested.status:8',
];
const ODD_LINES = [
  'it has status:odd in its text',
  '{"nested":{"status":8},"status":"odd"}',
  'words before {"status":7,"method":"odd"}',
  'status=odd status=7',
  'sample#status=7 method=odd',
  '\x1b[31mstatus=odd\x1b[0m and a color',
  '{"status":[7,8]}',
  'status="o\\"dd" method=null',
];

/** Lines of three streams: most packed, some in the part that is being written, some only in the stream. */
async function filledRig() {
  const rig = openRig();
  const ids: AppId[] = [newAppId(), newAppId(), newAppId()];
  const all: AddedLine[] = [];
  const random = seededRandom(7);
  for (const [i, stream] of ids.entries()) {
    await rig.lines.follow(stream);
    // Minutes, whose times go back and forth by some seconds, or by an hour.
    const source = new LogLines(i + 1, START_MS, 200);
    const texts = Array.from({ length: 2_000 }, () => source.next());
    for (let k = 0; k < texts.length; k += 40)
      texts[k] = texts[k].slice(0, texts[k].indexOf(' - - ') + 5) + ODD_LINES[(k / 40) % ODD_LINES.length];
    for (let k = 0; k < texts.length; k += 50) {
      const other = Math.floor(random() * texts.length);
      if (random() < 0.3) [texts[k], texts[other]] = [texts[other], texts[k]];
    }
    all.push(...(await addLines(rig, stream, texts.slice(0, 1_200), 100)));
    await rig.lines.seal(stream);
    all.push(...(await addLines(rig, stream, texts.slice(1_200, 1_300), 7)));
    await rig.lines.seal(stream);
    all.push(...(await addLines(rig, stream, texts.slice(1_300), 150)));
  }
  return { rig, ids, all };
}

describe('a search', () => {
  let filled: Awaited<ReturnType<typeof filledRig>>;
  beforeAll(async () => {
    filled = await filledRig();
  });
  afterAll(() => filled.rig.close());

  const searchAll = async (request: Omit<SearchRequest, 'limit'>, limit: number) => {
    const found: AddedLine[] = [];
    for (let cursor = request.cursor; ; ) {
      const result = await filled.rig.lines.search({ ...request, limit, ...(cursor && { cursor }) });
      expect(result.lines.length).toBeLessThanOrEqual(limit);
      found.push(...result.lines.map(asAdded));
      cursor = result.cursor;
      if (cursor === undefined) return found;
    }
  };

  it.each(QUERIES)('finds what a look at every line finds, in both directions: %s', async (q) => {
    const { ids, all } = filled;
    const query = parseQuery(q).expression;
    const expected = expectedLines(all, q);
    const request = { streams: ids, ...(query && { query }) };
    expect(await searchAll({ ...request, direction: 'after' }, 997)).toEqual(expected);
    expect(await searchAll({ ...request, direction: 'before' }, 997)).toEqual(expected.toReversed());
    // The first page alone, and one within a span of time.
    const { lines } = await filled.rig.lines.search({ ...request, direction: 'before', limit: 10 });
    expect(lines.map(asAdded)).toEqual(expected.toReversed().slice(0, 10));
    const span = { fromMs: START_MS + 123_456, toMs: START_MS + 301_000 };
    expect(await searchAll({ ...request, ...span, direction: 'after' }, 501)).toEqual(
      expectedLines(all, q, span),
    );
  });

  it('ends with the reason when it is not wanted any more', async () => {
    const { ids, rig } = filled;
    const request = { streams: ids, direction: 'before', limit: 5 } as const;
    const signal = AbortSignal.abort(new Error('the reader has left'));
    await expect(rig.lines.search(request, { signal })).rejects.toThrow('the reader has left');
    await expect(rig.lines.search({ ...request, cursor: 'yesterday' })).rejects.toThrow('This is no cursor');
    await expect(rig.lines.search({ ...request, limit: 0 })).rejects.toThrow('limit is a number of lines');
    await expect(rig.lines.counts({ streams: ids, stepMs: 0 })).rejects.toThrow('step is a number');
  });

  it('of one stream finds no lines of others', async () => {
    const { ids, all, rig } = filled;
    const streams = [ids[1]];
    const result = await rig.lines.search({ streams, direction: 'after', limit: 100_000 });
    expect(result.lines.map(asAdded)).toEqual(expectedLines(all, '', { streams }));
    expect(result.cursor).toBeUndefined();
    expect(await rig.lines.search({ streams: [newAppId()], direction: 'after', limit: 5 })).toMatchObject({
      lines: [],
    });
  });

  it('counts lines as they are found', async () => {
    const { ids, all, rig } = filled;
    for (const [q, stepMs, fromMs] of [
      ['', 60_000, undefined],
      ['', 60_000, START_MS + 123_456],
      ['', 1_000, undefined],
      ['level:error', 60_000, undefined],
      ['level:error', 3_600_000, START_MS + 123_456],
      ['level:error', 1_000, undefined],
      ...QUERIES.map((q) => [q, 60_000, undefined] as const),
      ...ODD_QUERIES.map((q) => [q, 60_000, START_MS] as const),
    ] as const) {
      const query = parseQuery(q).expression;
      const buckets = await rig.lines.counts({
        streams: ids,
        stepMs,
        ...(fromMs !== undefined && { fromMs }),
        ...(query && { query }),
      });
      const expected = new Map<number, number>();
      for (const { timeMs } of expectedLines(all, q, { fromMs }))
        expected.set(
          Math.floor(timeMs / stepMs) * stepMs,
          (expected.get(Math.floor(timeMs / stepMs) * stepMs) ?? 0) + 1,
        );
      expect(buckets.map(({ startMs, error, warning, other }) => [startMs, error + warning + other])).toEqual(
        [...expected].sort(([a], [b]) => a - b),
      );
      if (q === 'level:error' && fromMs === undefined)
        expect(buckets.every(({ warning, other }) => warning + other === 0)).toBe(true);
    }
  });

  it.each([...QUERIES, ...ODD_QUERIES])('counts the values of a field in lines that match: %s', async (q) => {
    const { ids, all, rig } = filled;
    const query = parseQuery(q).expression;
    for (const [field, span] of [
      ['status', {}],
      ['program', { fromMs: START_MS + 123_456 }],
      ['user.ip', { fromMs: START_MS + 60_000, toMs: START_MS + 301_000 }],
      ['event', { toMs: START_MS + 301_000 }],
    ] as const) {
      const expected = new Map<string, number>();
      let missing = 0;
      const read = fieldReader(field);
      for (const { text } of expectedLines(all, q, span)) {
        const { bytes } = batchOfLines([text]);
        const line = new RecordCursor(bytes);
        line.advance();
        const value = read(line, bytes);
        if (value === undefined) missing++;
        else expected.set(value, (expected.get(value) ?? 0) + 1);
      }
      const { values, missingCount, otherCount } = await rig.lines.fieldValues({
        streams: ids,
        field,
        limit: 100_000,
        ...span,
        ...(query && { query }),
      });
      expect([field, missingCount, otherCount]).toEqual([field, missing, 0]);
      expect(new Map(values.map(({ value, count }) => [value, count]))).toEqual(expected);
    }
  });

  it('counts the values of a field, and lines without it', async () => {
    const { ids, all, rig } = filled;
    for (const field of [
      'status',
      'source',
      'level',
      'method',
      'user.ip',
      'event',
      'user',
      'program',
      'nothing',
    ]) {
      const { values, missingCount, otherCount } = await rig.lines.fieldValues({
        streams: ids,
        field,
        limit: 5,
      });
      for (const { value, count } of values)
        if (field !== 'level')
          expect(count).toBe(expectedLines(all, `${field}:=${value}`.replace('source:=', 'source:')).length);
      // Packed lines are counted without being read; with a query they are read.
      const { values: read } = await rig.lines.fieldValues({
        streams: ids,
        field,
        limit: 5,
        query: parseQuery('level:*').expression!,
      });
      expect(values).toEqual(read);
      expect(values.reduce((sum, { count }) => sum + count, missingCount + otherCount)).toBe(all.length);
    }
    expect((await rig.lines.fieldNames({ streams: ids })).slice(0, 3)).toContain('status');
  });

  it('gives what is around a line, and reads a stream from a line on', async () => {
    const { ids, all, rig } = filled;
    const own = all.filter(({ stream }) => stream === ids[0]);
    const around = await rig.lines.context({ stream: ids[0], sequence: 1_205 }, 10, 20);
    expect(around.map(asAdded)).toEqual(own.slice(1_194, 1_225));
    expect(await rig.lines.context({ stream: ids[0], sequence: 99_999 }, 10, 20)).toEqual([]);
    const read: AddedLine[] = [];
    for await (const lines of rig.lines.read(ids[0], 1_000)) read.push(...lines.map(asAdded));
    expect(read).toEqual(own.slice(1_000));
  });

  it('goes on at the same place while lines are packed and added', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    await rig.lines.follow(stream);
    const source = new LogLines(3, START_MS, 10);
    const all = await addLines(
      rig,
      stream,
      Array.from({ length: 500 }, () => source.next()),
    );
    const first = await rig.lines.search({ streams: [stream], direction: 'before', limit: 100 });
    await addLines(
      rig,
      stream,
      Array.from({ length: 500 }, () => source.next()),
    );
    await rig.lines.seal(stream);
    const second = await rig.lines.search({
      streams: [stream],
      direction: 'before',
      limit: 100,
      cursor: first.cursor!,
    });
    expect([...first.lines, ...second.lines].map(asAdded)).toEqual(all.slice(300).toReversed());
  });

  it('that has no time goes on where it ended, and finds the same', async () => {
    const rig = lineStoreForTest();
    const stream = newAppId();
    const source = new LogLines(4, START_MS, 1_000);
    const all: AddedLine[] = [];
    // A part each.
    for (let i = 0; i < 40; i++) {
      const lines = Array.from({ length: 20 }, () => source.next());
      await rig.lines.importLines(stream, `import ${i}`, importOf(lines));
      for (const text of lines) all.push({ stream, sequence: 0, timeMs: timeOf(text), text });
    }
    const query = parseQuery('status=503').expression!;
    const expected = expectedLines(all, 'status=503').map(({ text }) => text);
    for (const direction of ['before', 'after'] as const) {
      const found: string[] = [];
      let early = 0;
      for (let cursor: string | undefined, pages = 0; pages < 1_000; pages++) {
        const request = { streams: [stream], query, direction, limit: 50, ...(cursor && { cursor }) };
        const result = await rig.lines.search(request, { timeoutMs: 0 });
        found.push(...result.lines.map(textOfLine));
        if (result.searchedToMs !== undefined) early++;
        cursor = result.cursor;
        if (cursor === undefined) break;
      }
      expect(early).toBeGreaterThan(1);
      expect(found).toEqual(direction === 'after' ? expected : expected.toReversed());
    }
    // Who counts is told that it isn't all.
    for (const timeoutMs of [0, 600_000]) {
      let isPartial = false;
      const onTimeout = (): void => {
        isPartial = true;
      };
      const limits = { timeoutMs, onTimeout };
      const [bucket] = await rig.lines.counts({ streams: [stream], query, stepMs: 86_400_000_000 }, limits);
      expect([isPartial, bucket?.error === undefined]).toEqual([timeoutMs === 0, timeoutMs === 0]);
      const values = await rig.lines.fieldValues(
        { streams: [stream], query, field: 'status', limit: 5 },
        limits,
      );
      expect(values.values.length > 0).toBe(timeoutMs > 0);
    }
  });
});

/** `Promise.withResolvers` isn't in the oldest Node.js. */
function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function* importOf(lines: readonly string[]): AsyncGenerator<ImportedLine[]> {
  yield lines.map((text) => ({
    timeMs: timeOf(text),
    receivedAtMs: timeOf(text),
    record: batchOfLines([text]).bytes.subarray(HEADROOM),
  }));
}

it('finds what is in a part while it is given its name, however long that takes', async () => {
  const local = new LocalRunner();
  const rename = deferred();
  const renamed = deferred();
  const runner: JobRunner = {
    async run(job) {
      const reply = await local.run(job);
      if (job.kind === 'seal') {
        renamed.resolve();
        await rename.promise;
      }
      return reply;
    },
    close: () => local.close(),
  };
  const rig = lineStoreForTest({ runner });
  const stream = newAppId();
  await rig.lines.follow(stream);
  const source = new LogLines(8, START_MS, 100);
  const all = await addLines(
    rig,
    stream,
    Array.from({ length: 3_000 }, () => source.next()),
  );
  const sealing = rig.lines.seal(stream);
  // The file has another name now, and nobody has been told.
  await renamed.promise;
  const searching = rig.lines.search({ streams: [stream], direction: 'after', limit: 5_000 });
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  rename.resolve();
  expect((await searching).lines.map(asAdded)).toEqual(all);
  await sealing;
});
