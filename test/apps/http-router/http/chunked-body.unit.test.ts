import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkedBody } from '../../../../src/apps/http-router/http/chunked-body.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

function encoded(chunks: readonly Uint8Array[]): Buffer {
  const parts = chunks.map((chunk) =>
    Buffer.concat([Buffer.from(`${chunk.length.toString(16)};x="y"\r\n`), chunk, Buffer.from('\r\n')]),
  );
  return Buffer.concat([...parts, Buffer.from('0\r\nX-Trailer: yes\r\n\r\n')]);
}

test('however a body is split, its end is found and its content is complete', () => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 5 }), fc.array(fc.nat(300)), (chunks, cuts) => {
      const bytes = Buffer.concat([encoded(chunks), Buffer.from('next')]);
      const pieces: Buffer[] = [];
      const body = new ChunkedBody(pieces);
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      let start = 0;
      for (const end of ends) {
        if (body.done) break;
        start += body.take(bytes.subarray(start, end), 0);
      }
      expect(body.done).toBe(true);
      expect(bytes.subarray(start).toString()).toMatch(/^next$/);
      expect(Buffer.concat(pieces)).toEqual(Buffer.concat(chunks));
      expect(body.byteCount).toBe(Buffer.concat(chunks).length);
    }),
    { numRuns: propertyRuns(100, 20) },
  );
});

test.each([
  '\r\n',
  'g\r\n',
  '-1\r\n',
  '0x1\r\n',
  ' 1\r\n',
  '1 \r\n',
  '1\n',
  '1\rx',
  '1\r\nab',
  '1\r\na\n',
  '1\r\na\rx',
  '0\r\n\n',
  '0\r\n\rx',
  '0\r\nA: b\n',
  '1;\x00\r\n',
  '1000000000000\r\n',
  `1;${'x'.repeat(17_000)}`,
  `0\r\n${'A: b\r\n'.repeat(3000)}`,
])('a malformed body is rejected: %j', (text) => {
  expect(new ChunkedBody().take(Buffer.from(text), 0)).toBe(-1);
});
