import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packRecords, packRecordsInto, unpackRecords } from '../../../../src/logs/store/redis/packing.ts';
import { packRecordsFast } from '../../../../src/logs/store/redis/wasm/wasm-packing.ts';
import { HEADROOM, RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

interface Line {
  readonly text: Uint8Array;
  readonly host: number;
  readonly source: number;
  readonly msgid: number;
  readonly message: number;
}

function recordsOf(lines: readonly Line[]): Buffer {
  const records = lines.map(({ text, host, source, msgid, message }) => {
    const header = Buffer.alloc(RECORD_HEADER);
    header.writeUInt32LE(text.length, 0);
    header[4] = host;
    header.writeUInt16LE(source, 6);
    header.writeUInt16LE(msgid, 8);
    header.writeUInt16LE(message, 10);
    return Buffer.concat([header, text]);
  });
  return Buffer.concat([Buffer.alloc(HEADROOM), ...records]);
}

/** `<190>1 TIME HOST SOURCE DYNO MSGID SD MESSAGE` with the offsets of its fields. */
function line(time: string, host: string, source: string, dyno: string, message: string): Line {
  const head = Buffer.from(`<190>1 ${time} `);
  const text = Buffer.from(`<190>1 ${time} ${host} ${source} ${dyno} - - ${message}`);
  const at = head.length + Buffer.byteLength(host) + 1;
  const msgid = at + source.length + dyno.length + 2;
  return { text, host: head.length, source: at, msgid, message: msgid + 4 };
}

function isKept(batch: Buffer): void {
  const packed = packRecords(batch);
  expect(packed.length).toBeLessThanOrEqual(batch.length - HEADROOM);
  expect(unpackRecords(packed, batch.length).equals(batch)).toBe(true);
  isPackedAlike(batch);
}

/** The fast path gives the same bytes, and touches none in front of them. */
function isPackedAlike(batch: Buffer): void {
  const at = 7;
  const [slow, fast] = [packRecordsInto, packRecordsFast].map((pack) => {
    const out = Buffer.alloc(at + batch.length, 0xaa);
    return { end: pack(batch, out, at), out };
  });
  expect(fast.end).toBe(slow.end);
  expect(fast.out.subarray(at, fast.end).equals(slow.out.subarray(at, slow.end))).toBe(true);
  expect(fast.out.subarray(0, at).equals(Buffer.alloc(at, 0xaa))).toBe(true);
}

describe('packed records', () => {
  it('unpack to the same bytes, for typical lines', () => {
    const word = (...words: string[]) => fc.constantFrom(...words);
    const lines = fc.array(
      fc
        .tuple(
          word(
            '2026-11-21T08:34:08.490000+00:00',
            '2026-11-21T08:34:08.490001+00:00',
            '2027-01-01T00:00:00Z',
          ),
          word('host', 'a-longer-host', 'hosu'),
          word('app', 'heroku', 'apq'),
          word('web.1', 'web.2', 'worker.17'),
          fc.oneof(fc.string(), word('', 'GET / 200'), fc.string({ minLength: 200, maxLength: 20_000 })),
        )
        .map((parts) => line(...parts)),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(lines, (some) => isKept(recordsOf(some))),
      { numRuns: propertyRuns(100, 20) },
    );
  });

  it('unpack to the same bytes, for any bytes and field offsets', () => {
    const lines = fc.array(
      fc.uint8Array({ maxLength: 300 }).chain((text) =>
        fc
          .array(fc.nat({ max: Math.min(text.length, 255) }), { minLength: 4, maxLength: 4 })
          .map((places) => places.sort((a, b) => a - b))
          .map(([host, source, msgid, message]) => ({ text, host, source, msgid, message })),
      ),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(lines, (some) => isKept(recordsOf(some))),
      { numRuns: propertyRuns(100, 20) },
    );
    fc.assert(
      fc.property(lines, (some) => isKept(recordsOf([...some, ...some]))),
      { numRuns: propertyRuns(100, 20) },
    );
  });

  it('are the same of neighbors that share any number of bytes, and whose fields differ anywhere', () => {
    const time = '2026-11-21T08:34:08.490000+00:00';
    const text = Buffer.from(line(time, 'host', 'app', 'web.1', 'x'.repeat(300)).text);
    const { host, source, msgid, message } = line(time, 'host', 'app', 'web.1', '');
    for (let i = 0; i < text.length; i++) {
      const other = Buffer.from(text);
      other[i] ^= 1;
      const fields = { host, source, msgid, message };
      isKept(
        recordsOf([
          { text, ...fields },
          { text: other, ...fields },
          { text: other.subarray(0, Math.max(i, message)), ...fields },
          { text, ...fields },
        ]),
      );
    }
    for (const field of ['host', 'source', 'msgid', 'message'] as const) {
      const fields = { host, source, msgid, message };
      isKept(
        recordsOf([
          { text, ...fields },
          { text, ...fields, [field]: fields[field] + 1 },
        ]),
      );
    }
  });

  it('are the same of batches that are larger than the fast path’s memory', () => {
    const some = Array.from({ length: 60 }, (_, i) =>
      line('2026-11-21T08:34:08.490000+00:00', 'host', 'app', 'web.1', `${i}`.padEnd(10_000, '.')),
    );
    for (const count of [1, 51, 52, 53, 60]) isKept(recordsOf(some.slice(0, count)));
  });

  it('are much smaller for lines of one source', () => {
    const some = Array.from({ length: 100 }, (_, i) =>
      line(
        `2026-11-21T08:34:08.49${String(i).padStart(4, '0')}+00:00`,
        'host',
        'app',
        'web.1',
        `request ${i} done in ${i * 7} ms`.padEnd(80, '.'),
      ),
    );
    const batch = recordsOf(some);
    isKept(batch);
    const bytes = some.reduce((sum, { text }) => sum + text.length, 0);
    expect(packRecords(batch).length / bytes).toBeLessThan(0.75);
  });
});
