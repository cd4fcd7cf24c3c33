import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bulkBytes,
  encodeBulk,
  ScriptCall,
} from '../../../../src/logs/store/redis/connection/script-call.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

const SHA = 'a'.repeat(40);

/** An array of bulk strings, as Redis reads them (RESP). */
function expected(parts: readonly (string | Uint8Array)[]): Buffer {
  const bulks = parts.map((part) => {
    const bytes = Buffer.from(part as Uint8Array);
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  });
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...bulks]);
}

describe('the call of a script', () => {
  it('is what Redis reads, however long arguments are, and however much longer they might have been', () => {
    const length = fc.oneof(
      fc.constantFrom(0, 1, 9, 10, 99, 100, 999, 1_000, 99_999, 100_000),
      fc.nat(3_000),
    );
    const written = fc.array(fc.tuple(length, fc.oneof(fc.constantFrom(0, 1, 2), fc.nat(20_000))), {
      maxLength: 8,
    });
    const encoded = fc.array(fc.oneof(fc.nat(), fc.string({ unit: 'grapheme-ascii' })), { maxLength: 8 });
    fc.assert(
      fc.property(encoded, written, fc.nat(2_000), (texts, contents, keyCount) => {
        const room = contents.reduce((sum, [size, more]) => sum + bulkBytes(size + more), 0);
        const before = encodeBulk(texts);
        const call = new ScriptCall(Buffer.alloc(ScriptCall.headBytes + before.length + room), keyCount);
        call.addEncoded(before, texts.length);
        const wanted = contents.map(([size, more], i) => {
          const content = Buffer.alloc(size, 65 + i);
          const at = call.beginBulk(size + more);
          call.bytes.set(content, at);
          call.endBulk(at + size);
          return content;
        });
        const rest = [`${keyCount}`, ...texts.map(String), ...wanted];
        expect(call.command('evalsha', SHA).equals(expected(['evalsha', SHA, ...rest]))).toBe(true);
        const source = 'return "é"';
        expect(call.command('eval', source).equals(expected(['eval', source, ...rest]))).toBe(true);
      }),
      { numRuns: propertyRuns(100, 20) },
    );
  });
});
