/** Lines are copied as bytes where they can be, and formatted as strings where they can't: the result has to be the same. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { forEachMatch } from '../../../src/logs/tails/line-scan.ts';
import {
  PLAIN_TEXT_ENCODINGS,
  SSE_ENCODINGS,
  type TailEncoding,
  WEBSOCKET_ENCODINGS,
} from '../../../src/logs/tails/output/encodings.ts';
import { formatJsonLine, formatTextLine } from '../../../src/logs/tails/output/line-format.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const ALL = { after: 0, through: Number.MAX_SAFE_INTEGER, count: Number.POSITIVE_INFINITY };

interface Line {
  readonly dyno: string;
  readonly msgid: string;
  readonly data: string;
  readonly message: Uint8Array;
}

function batchOf(lines: readonly Line[]): StoredBatch {
  const builder = new BatchBuilder(1_000_000);
  const header = new SyslogHeader();
  for (const { dyno, msgid, data, message } of lines) {
    const bytes = Buffer.concat([
      Buffer.from(`<190>1 2012-12-10T03:00:48.123456+00:00 host token ${dyno} ${msgid} ${data} `),
      message,
    ]);
    if (!scanHeader(bytes, 0, bytes.length, header)) throw new Error('no line');
    builder.add(bytes, 0, bytes.length, header, Buffer.from('app'), Buffer.from('here'));
  }
  const batch = builder.takeBatch()!;
  return { ...batch, first: 1, last: batch.count, storedAtMs: 0 };
}

/** The slow path. */
function written(batch: StoredBatch): { texts: string[]; jsons: string[] } {
  const texts: string[] = [];
  const jsons: string[] = [];
  forEachMatch([batch], ALL, new LineFilter(), (line, bytes, sequence) => {
    texts.push(formatTextLine(line, bytes));
    jsons.push(formatJsonLine(line, bytes, sequence));
  });
  return { texts, jsons };
}

function textOf(wire: TailEncoding<Buffer>, batch: StoredBatch): string {
  return wire.encode([batch], ALL, new LineFilter()).lines.toString('utf8');
}

/** A frame's payload (RFC 6455 section 5.2). */
function payloadOf(batch: StoredBatch, format: 'text' | 'json'): { position: string; lines: unknown[] } {
  const frame = WEBSOCKET_ENCODINGS[format].encode([batch], ALL, new LineFilter()).lines;
  expect(frame[0]).toBe(0x81);
  const size = frame[1] < 126 ? 2 : frame[1] === 126 ? 4 : 10;
  const length =
    size === 2 ? frame[1] : size === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  expect(frame.length).toBe(size + length);
  return JSON.parse(frame.toString('utf8', size));
}

const character = fc.oneof(
  fc.constantFrom(
    '"',
    '\\',
    '\t',
    '\n',
    '\r',
    '\x1b',
    '\x1b[31m',
    '\x7f',
    '\x85',
    '\u2028',
    '\u202e',
    '\ufeff',
  ),
  fc.string({ unit: 'binary', maxLength: 2 }),
  fc.constantFrom('é', '€', '水', '🎉', '\u00a0', '\u2066', '\u206a', '\uffff'),
  fc.string({ unit: 'grapheme-ascii', maxLength: 5 }),
);
const message = fc.oneof(
  fc.array(character, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''))),
  fc.uint8Array({ maxLength: 12 }),
  // Whatever UTF-8 can be broken into.
  fc
    .array(
      fc.constantFrom(0x41, 0x80, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf8),
      {
        maxLength: 8,
      },
    )
    .map((bytes) => Uint8Array.from(bytes)),
);
const line = fc.record({
  dyno: fc.constantFrom('web.1', 'w"1', 'wéb.1', '-'),
  msgid: fc.constantFrom('-', 'ID47', '--'),
  data: fc.constantFrom('-', '[a@1 b="c \\" d"]', '[a@1 b="ü"]'),
  message,
});

describe('encoded lines', () => {
  it('are the same as formatted strings, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
        const batch = batchOf(lines);
        const { texts, jsons } = written(batch);
        const last = String(batch.last);
        expect(textOf(PLAIN_TEXT_ENCODINGS.text, batch)).toBe(texts.map((text) => `${text}\n`).join(''));
        expect(payloadOf(batch, 'text')).toEqual({ position: last, lines: texts });
        const data = texts.map((text) => `data: ${text.replaceAll('\n', '\ndata: ')}\n`).join('');
        expect(textOf(SSE_ENCODINGS.text, batch)).toBe(`id: ${last}\n${data}\n`);
        const objects = jsons.map((json) => JSON.parse(json));
        expect(payloadOf(batch, 'json')).toEqual({ position: last, lines: objects });
        const plain = textOf(PLAIN_TEXT_ENCODINGS.json, batch);
        expect(
          plain
            .trimEnd()
            .split('\n')
            .map((json) => JSON.parse(json)),
        ).toEqual(objects);
        expect(plain).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });

  it.each([1, 100, 126, 500, 70_000])('have a valid WebSocket frame with %i bytes more', (size) => {
    const batch = batchOf(
      Array.from({ length: Math.ceil(size / 5_000) }, () => ({
        dyno: 'web.1',
        msgid: '-',
        data: '-',
        message: Buffer.alloc(Math.min(size, 5_000), 'x'),
      })),
    );
    expect(payloadOf(batch, 'text').lines).toHaveLength(batch.count);
  });

  it('are those of a range', () => {
    const batch = batchOf(
      Array.from({ length: 10 }, (_, i) => ({
        dyno: 'web.1',
        msgid: '-',
        data: '-',
        message: Buffer.from(`${i}`),
      })),
    );
    const write = (after: number, through: number, count = 99): string[] => {
      const { lines } = PLAIN_TEXT_ENCODINGS.text.encode(
        [batch],
        { after, through, count },
        new LineFilter(),
      );
      return lines.toString().match(/(?<=: )\d/g) ?? [];
    };
    expect(write(0, 3)).toEqual(['0', '1', '2']);
    expect(write(8, 99)).toEqual(['8', '9']);
    expect(write(4, 99, 2)).toEqual(['4', '5']);
    expect(write(10, 99)).toEqual([]);
  });
});
