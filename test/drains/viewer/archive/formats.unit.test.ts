/** Lines in and out of files: Papertrail's archives, ours, JSON and text of other programs, and files that are damaged. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupFolder, periodOf } from '../../../../drains/viewer/archive/file-names.ts';
import {
  ArchiveLineWriter,
  readArchiveLine,
} from '../../../../drains/viewer/archive/formats/archive-line.ts';
import { papertrailLine, readPapertrailLine } from '../../../../drains/viewer/archive/formats/papertrail.ts';
import { FileLines, type ReadLine } from '../../../../drains/viewer/archive/formats/read-lines.ts';
import { RecordWriter } from '../../../../drains/viewer/archive/formats/record-writer.ts';
import { textLines } from '../../../../drains/viewer/archive/formats/text-lines.ts';
import { importFile } from '../../../../drains/viewer/archive/import-file.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { type LogRecord, readRecord } from '../../../../src/logs/syslog/record.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { MemoryLineStore } from './memory-line-store.ts';

const STREAM = '11111111-1111-4111-8111-111111111111' as AppId;
const RECORD: LogRecord = {
  timestamp: '2023-11-28T20:00:00.123456+01:00',
  priority: 134,
  hostname: 'db-1',
  source: 'app',
  dyno: 'web.1',
  msgid: 'ID7',
  structuredData: '[a@1 user="7 \\"x\\""]',
  message: 'a\tb "c" {"d":"e\\n"}\nat f (g.js:1) ü 日本 \u001b[31mred\u001b[0m',
};
const ORIGIN = { stream: STREAM, streamName: 'shop', position: 7, receivedAtMs: 1_700_000_000_123 };

function recordOf({ record }: { record: Uint8Array }): LogRecord {
  const bytes = Buffer.from(record);
  const cursor = new RecordCursor(bytes, 0);
  cursor.advance();
  return readRecord(cursor, bytes);
}

function readAll(texts: readonly string[], lines = new FileLines('file')): ReadLine[] {
  return [...lines.take(texts), ...lines.end()];
}

describe('a line of an archive', () => {
  it('comes back as it was, with its place', () => {
    const [kept] = new RecordWriter().write(
      { record: RECORD, receivedAtMs: 1 },
      Date.parse(RECORD.timestamp),
    );
    const writer = new ArchiveLineWriter();
    writer.add(
      {
        ...kept,
        record: Buffer.from(kept.record),
        receivedAtMs: 1_700_000_000_123,
        stream: STREAM,
        sequence: 42,
      },
      'the "shop"',
    );
    const text = writer.take().toString();
    expect(text.endsWith('\n')).toBe(true);
    const [line] = readAll([text.trimEnd()]);
    expect(recordOf(line)).toEqual(RECORD);
    expect(line).toMatchObject({
      stream: STREAM,
      app: 'the "shop"',
      position: 42,
      receivedAtMs: 1_700_000_000_123,
    });
    expect(line.timeMs).toBe(Date.parse(RECORD.timestamp));
  });

  it('comes back whatever its message is', () => {
    const writer = new ArchiveLineWriter();
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (message) => {
        const stored = message.replace(/\r?\n$/, '');
        const [kept] = new RecordWriter().write(
          { record: { ...RECORD, message: stored }, receivedAtMs: 1 },
          2,
        );
        writer.add({ ...kept, record: Buffer.from(kept.record), stream: STREAM, sequence: 1 }, 'shop');
        const read = readArchiveLine(writer.take().toString());
        return read?.record.message === recordOf(kept).message;
      }),
      { numRuns: propertyRuns(100, 20) },
    );
  });

  it.each(['', '{', '[]', 'null', '{"message":"x"}', '{"timestamp":"x","message":1,"source":"a"}'])(
    'is none: %s',
    (text) => expect(readArchiveLine(text)).toBeUndefined(),
  );
});

describe('Papertrail’s archives', () => {
  it('are read as its help shows them', () => {
    const text =
      '50342052\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:37 -0800\t42424\tmysystem\t208.122.34.202\tUser\tInfo\ttestprogram\tLorem ipsum';
    const [line] = readAll([text]);
    expect(line).toMatchObject({ timeMs: 1_297_325_976_000, receivedAtMs: 1_297_325_977_000 });
    expect(recordOf(line)).toEqual({
      timestamp: '2011-02-10T08:19:36.000000+00:00',
      priority: 14,
      hostname: 'mysystem',
      source: 'testprogram',
      dyno: '-',
      msgid: '-',
      structuredData: '-',
      message: 'Lorem ipsum',
    });
  });

  it.each([
    [
      '2016-10-31T00:00:06Z',
      'Cron',
      'Warning',
      'app/web.1',
      'a\\tb\\nc\\\\d\\x',
      76,
      'app',
      'web.1',
      'a\tb\nc\\d\\x',
    ],
    ['2016-10-31T00:00:06.123+02:00', 'Local7', 'Error', 'heroku/router', '', 187, 'heroku', 'router', ''],
    ['2016-10-31 00:00:06', 'Kernel', 'Emergency', '/usr/bin/x', 'm', 0, '/usr/bin/x', '-', 'm'],
    ['2016-10-31 00:00:06 UTC', 'Authpriv', 'Notice', '', 'm\tn', 85, 'app', '-', 'm\tn'],
    ['2016-10-31 00:00:06 +0000', 'no such', 'thing', 'two words', 'm', 14, 'two_words', '-', 'm'],
  ])(
    'have times, names and escapes in many forms: %s %s %s',
    (time, facility, severity, program, message, ...rest) => {
      const [line] = readAll([
        `1\t${time}\t${time}\t2\tsys\t\t${facility}\t${severity}\t${program}\t${message}`,
      ]);
      const { priority, source, dyno, message: text } = recordOf(line);
      expect([priority, source, dyno, text]).toEqual(rest);
    },
  );

  it('are written so that cut finds the message in the tenth column, and read again', () => {
    const text = papertrailLine(RECORD, ORIGIN);
    const columns = text.split('\t');
    expect(columns).toHaveLength(10);
    expect(text.match(/\n/g)).toHaveLength(1);
    expect(columns.slice(1, 9)).toEqual([
      '2023-11-28T20:00:00.123456+01:00',
      '2023-11-14T22:13:20.123Z',
      '286331153',
      'db-1',
      '',
      'Local0',
      'Info',
      'app/web.1',
    ]);
    const read = readPapertrailLine(text.trimEnd());
    expect(read?.record).toEqual({ ...RECORD, msgid: '-', structuredData: '-' });
    expect(read?.receivedAtMs).toBe(ORIGIN.receivedAtMs);
    // The same line has the same id, another one another, a later one a higher one.
    const id = (origin: typeof ORIGIN): bigint => BigInt(papertrailLine(RECORD, origin).split('\t')[0]);
    expect(id(ORIGIN)).toBe(id({ ...ORIGIN }));
    expect(id(ORIGIN)).not.toBe(id({ ...ORIGIN, position: 8 }));
    expect(id({ ...ORIGIN, receivedAtMs: ORIGIN.receivedAtMs + 1 }) > id(ORIGIN)).toBe(true);
  });

  it('keep any message over a round trip', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (message) => {
        const text = papertrailLine({ ...RECORD, message }, ORIGIN).slice(0, -1);
        return !text.includes('\n') && readPapertrailLine(text)?.record.message === message;
      }),
      { numRuns: propertyRuns(100, 20) },
    );
  });

  it('say when they were by their names', () => {
    const hour = periodOf('papertrail/logs/54321/dt=2011-02-25/2011-02-25-15.tsv.gz');
    expect(hour).toEqual({
      fromMs: Date.parse('2011-02-25T15:00:00Z'),
      toMs: Date.parse('2011-02-25T16:00:00Z'),
    });
    expect(periodOf('2011-02-25.tsv.gz')?.toMs).toBe(Date.parse('2011-02-26T00:00:00Z'));
    expect(periodOf('x/dt=2023-11-28/2023-11-28-07_2.ndjson.gz')?.fromMs).toBe(
      Date.parse('2023-11-28T07:00:00Z'),
    );
    expect(periodOf('other.tsv.gz')).toBeUndefined();
    expect([groupFolder('../..'), groupFolder('Ünit/1'), groupFolder('..')]).toEqual([
      'group',
      'unit-1',
      'group',
    ]);
  });
});

describe('other files', () => {
  it('may be text of heroku logs, with stack traces in it', () => {
    const found = readAll([
      '2023-11-28T20:00:00.123456+00:00 app[web.1]: Error: no',
      '    at a (b.js:1)',
      '',
      '2023-11-28T20:00:01Z heroku[router]: at=info status=200',
    ]);
    expect(found.map(recordOf).map(({ source, dyno, message }) => [source, dyno, message])).toEqual([
      ['app', 'web.1', 'Error: no\n    at a (b.js:1)'],
      ['heroku', 'router', 'at=info status=200'],
    ]);
    expect(found[0].timeMs).toBe(Date.parse('2023-11-28T20:00:00.123Z'));
  });

  it('may be JSON of other programs, or syslog', () => {
    const [pino] = readAll(['{"level":50,"time":1700000000000,"msg":"failed","user":{"id":7}}']);
    expect(pino.timeMs).toBe(1_700_000_000_000);
    expect(recordOf(pino)).toMatchObject({ source: 'app', message: 'failed', priority: 187 });
    const [syslog] = readAll(['<165>1 2023-11-28T20:00:00Z h postfix 12 - - hello']);
    expect(recordOf(syslog)).toMatchObject({
      source: 'postfix',
      dyno: '12',
      priority: 165,
      message: 'hello',
    });
  });

  it('may have lines that can’t be read: they are counted, and the others taken', () => {
    const lines = new FileLines('x.tsv');
    const row = '1\t2016-10-31T00:00:06Z\t2016-10-31T00:00:06Z\t2\tsys\t\tUser\tInfo\tp\tm';
    expect(readAll([row, 'no row', '', row, `${row.slice(0, 30)}`], lines)).toHaveLength(2);
    expect(lines.problem).toBe(
      'x.tsv: 2 lines can\'t be read as papertrail, the first begins with "no row".',
    );
    const json = new FileLines('x.ndjson');
    expect(readAll(['{"message":"of no time"}', '{"x'], json)).toHaveLength(0);
    expect(json.unreadable).toBe(2);
    // In the file's words, not in those in which it is read.
    expect(json.problem).toBe(
      'x.ndjson: 2 lines can\'t be read as ndjson, the first begins with "{\\"message\\":\\"of no time\\"}", and has no time that can be read.',
    );
  });

  it.each(['1970-01-01T00:00:03Z', '1999-12-31T23:59:59Z', '2600-01-01T00:00:00Z'])(
    'of a clock that was not set (%s) have the time at which they were received then',
    (odd) => {
      const [line] = readAll([`1\t${odd}\t2016-10-31T00:00:06Z\t2\tsys\t\tUser\tInfo\tp\tm`]);
      expect(recordOf(line).timestamp).toBe('2016-10-31T00:00:06.000000+00:00');
      expect([line.timeMs, line.receivedAtMs]).toEqual(Array(2).fill(Date.UTC(2016, 9, 31, 0, 0, 6)));
    },
  );

  it.each(['hello world', 'a,b,c', '<html>', '\u0000\u0001'])(
    'are refused when nothing is known of them: %j',
    (text) => {
      expect(() => readAll([text])).toThrow(
        /^file can't be read: its first line is no JSON object, no line of Papertrail's/,
      );
    },
  );

  it('have long messages split, as they are when they are received', () => {
    const found = readAll([`2023-11-28T20:00:00Z app[web.1]: ${'x'.repeat(25_000)}`]);
    expect(found.map((line) => recordOf(line).message.length).reduce((a, b) => a + b)).toBe(25_000);
    expect(found.length).toBeGreaterThan(2);
  });
});

async function linesOf(bytes: Buffer): Promise<string[]> {
  const all: string[] = [];
  for await (const lines of textLines(Readable.from([bytes.subarray(0, 5), bytes.subarray(5)]), 'file'))
    all.push(...lines);
  return all;
}

describe('files', () => {
  const text = Buffer.from('one\r\ntwo ü\n\nlast');

  it('are read with and without gzip, and of several gzip files in one', async () => {
    expect(await linesOf(text)).toEqual(['one', 'two ü', '', 'last']);
    expect(await linesOf(gzipSync(text))).toEqual(['one', 'two ü', '', 'last']);
    expect(await linesOf(Buffer.concat([gzipSync('a\n'), gzipSync('b\n')]))).toEqual(['a', 'b']);
    expect(await linesOf(gzipSync(''))).toEqual([]);
    expect(await linesOf(gzipSync(`\uFEFF${text}`))).toEqual(['one', 'two ü', '', 'last']);
  });

  it.each([
    [
      'cut off',
      gzipSync(Buffer.alloc(100_000, 'abc\n')).subarray(0, 100),
      /^file was cut off: its gzip data end too early/,
    ],
    ['cut off within its header', gzipSync('x').subarray(0, 6), /^file was cut off/],
    [
      'damaged',
      Buffer.concat([gzipSync('x').subarray(0, -8), Buffer.alloc(8, 1)]),
      /^file is damaged: its gzip data can't be read/,
    ],
    ['of zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), /unpack it with "zstd -d" first/],
    ['without line ends', Buffer.alloc(1_100_000, 'x'), /^file isn't text: it has a line of more than/],
  ])('are refused with a sentence: %s', async (_name, bytes, sentence) => {
    await expect(linesOf(bytes)).rejects.toThrow(sentence);
  });
});

describe('an import', () => {
  let folder: string;
  let store: MemoryLineStore;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'import-'));
    store = new MemoryLineStore();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const row = (i: number): string =>
    `${i}\t2016-10-31T00:00:06Z\t2016-10-31T00:00:06Z\t2\tsys\t\tUser\tInfo\tp\tline ${i}\n`;
  const put = (name: string, bytes: Buffer | string): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };

  it('takes all lines of a large file, and of the same one nothing again, however it is compressed', async () => {
    const count = propertyRuns(50_000, 10_000);
    const text = Array.from({ length: count }, (_, i) => row(i)).join('');
    const path = put('a.tsv.gz', gzipSync(text));
    const first = await importFile(store.asStore, { stream: STREAM, path, name: 'a.tsv.gz' });
    expect(first).toMatchObject({ lines: count, unreadable: 0, format: 'papertrail', problem: undefined });
    const again = { stream: STREAM, path: put('a.tsv', text), name: 'a.tsv' };
    expect(await importFile(store.asStore, again)).toMatchObject({ lines: 0, importId: first.importId });
    expect([...store.imported.values()].map((lines) => lines.length)).toEqual([count]);
  });

  it('takes nothing of a file that was cut off', async () => {
    const whole = gzipSync(Array.from({ length: 5_000 }, (_, i) => row(i)).join(''));
    const path = put('a.tsv.gz', whole.subarray(0, whole.length - 20));
    await expect(importFile(store.asStore, { stream: STREAM, path, name: 'a.tsv.gz' })).rejects.toThrow(
      'a.tsv.gz was cut off',
    );
    expect(store.imported.size).toBe(0);
  });
});
