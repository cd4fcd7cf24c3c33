/** Small bodies of gzip are unpacked at once: with the same result as on a thread, whatever is in them. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { constants, deflateRawSync, gunzip, gunzipSync, gzipSync, type ZlibOptions } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../../../src/logs/sources/bodies/body-memory.ts';
import {
  DECOMPRESSORS,
  type Decompress,
  gunzipQuickly,
  readBody,
} from '../../../../src/logs/sources/bodies/read-body.ts';
import { inflateGzip } from '../../../../src/logs/sources/bodies/wasm/wasm-inflate.ts';
import { FIRST_SEED, propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

/** So many that the shares of them below hold, whatever the seed. */
const RUNS = propertyRuns(300, 60);
const MAX_BYTES = 200_000;

let onThread = 0;
const counted: Decompress = (body, options, done) => {
  onThread++;
  gunzip(body, options, done);
};

/** What a body is unpacked to, or what is said of it. */
async function outcomeOf(body: Buffer, decompressors: Readonly<Record<string, Decompress>>): Promise<string> {
  const request = Object.assign(Readable.from([Buffer.from(body)]), {
    headers: { 'content-encoding': 'gzip' },
    complete: true,
  });
  try {
    const unpacked = await readBody(
      request as unknown as IncomingMessage,
      MAX_BYTES,
      new BodyMemory().reserve(),
      decompressors,
    );
    return unpacked.toString('latin1');
  } catch (error) {
    return String(error);
  }
}

describe('a body of gzip', () => {
  it(`is unpacked at once as it is on a thread (first seed ${FIRST_SEED})`, async () => {
    const random = seededRandom(FIRST_SEED);
    const below = (max: number): number => Math.floor(random() * max);
    const text = (): Buffer =>
      Buffer.from('a line of text '.repeat(below([2, 20, 300, 9_000, 30_000][below(5)])) + String(random()));
    for (let run = 0; run < RUNS; run++) {
      let body = gzipSync(text());
      if (below(6) === 0) body = Buffer.concat([body, gzipSync(text())]);
      if (below(6) === 0) body = body.subarray(0, below(body.length + 1));
      if (below(6) === 0) body[below(body.length)] = below(256);
      if (below(6) === 0) body = Buffer.concat([body, Buffer.alloc(below(20), below(2))]);
      // A length that isn't that of what is in it.
      if (below(6) === 0 && body.length > 4)
        body.writeUInt32LE([0, 1, 100, 0xffffffff][below(4)], body.length - 4);
      const [atOnce, later] = [
        await outcomeOf(body, DECOMPRESSORS),
        await outcomeOf(body, { ...DECOMPRESSORS, gzip: counted }),
      ];
      if (atOnce !== later) expect(atOnce, `FUZZ_SEED=${FIRST_SEED}, run ${run}`).toBe(later);
    }
    expect(onThread).toBeGreaterThan(RUNS / 2);
  });

  it(`is unpacked by the fast path as zlib does it, or left alone (first seed ${FIRST_SEED})`, () => {
    const random = seededRandom(FIRST_SEED);
    const below = (max: number): number => Math.floor(random() * max);
    const strategies = [
      constants.Z_DEFAULT_STRATEGY,
      constants.Z_FILTERED,
      constants.Z_HUFFMAN_ONLY,
      constants.Z_RLE,
      constants.Z_FIXED,
    ];
    const options = (): ZlibOptions => ({
      level: below(10),
      strategy: strategies[below(5)],
      memLevel: 1 + below(9),
      windowBits: 9 + below(7),
    });
    /** Of all bytes or few, which come back near or far, so that codes are short and long, and there are several blocks. */
    const bytes = (): Buffer => {
      const length = below([2, 40, 400, 9_000, 140_000][below(5)]);
      const symbols = [1, 2, 20, 256][below(4)];
      const parts: Buffer[] = [];
      for (let made = 0; made < length; ) {
        const some = Buffer.from(
          Array.from({ length: 1 + below(60) }, () => below(below(symbols) + 1) * below(4)),
        );
        const part =
          parts.length > 0 && below(2) === 0
            ? parts[below(parts.length)]
            : Buffer.from(some.toString('latin1').repeat(1 + below(3)), 'latin1');
        parts.push(part);
        made += part.length;
      }
      return Buffer.concat(parts).subarray(0, length);
    };
    let taken = 0;
    let refused = 0;
    for (let run = 0; run < RUNS; run++) {
      const plain = bytes();
      const body = gzipSync(plain, options());
      const isDamaged = below(3) === 0;
      for (let left = isDamaged ? 1 + below(3) : 0; left > 0; left--)
        body[below(body.length)] ^= 1 << below(8);
      const unpacked = inflateGzip(body);
      if (!unpacked) {
        refused++;
        continue;
      }
      taken++;
      const right = isDamaged ? gunzipSync(body) : plain;
      if (!unpacked.equals(right)) expect(unpacked, `FUZZ_SEED=${FIRST_SEED}, run ${run}`).toEqual(right);
    }
    expect(taken).toBeGreaterThan(RUNS / 3);
    expect(refused).toBeGreaterThan(RUNS / 12);
  });

  it('is unpacked by the fast path with the longest codes that there are', () => {
    // Each symbol about as often as the two rarer ones together: each code is a bit longer than the one before.
    const symbols: number[] = [];
    for (let i = 0, some = 1, before = 1; i < 21; i++, [before, some] = [some, before + some])
      for (let left = some; left > 0; left--) symbols.push(i * 11);
    const plain = Buffer.from(symbols);
    const unpacked = inflateGzip(gzipSync(plain, { strategy: constants.Z_HUFFMAN_ONLY, memLevel: 9 }));
    expect(unpacked?.equals(plain)).toBe(true);
  });

  it.each([
    [100, true],
    [200, false],
  ])('of %i pieces that were flushed is unpacked by the fast path: %s', (pieces, isTaken) => {
    // Each has a block, and an empty one behind it.
    const piece = deflateRawSync('a line', { finishFlush: constants.Z_FULL_FLUSH });
    const whole = gzipSync('a line'.repeat(pieces));
    const blocks = Array.from({ length: pieces }, () => piece);
    const body = Buffer.concat([whole.subarray(0, 10), ...blocks, deflateRawSync(''), whole.subarray(-8)]);
    expect(inflateGzip(body)?.toString()).toBe(isTaken ? 'a line'.repeat(pieces) : undefined);
    expect(gunzipQuickly(body)?.toString()).toBe('a line'.repeat(pieces));
  });

  it.each([
    [
      'a name in its header',
      Buffer.concat([Buffer.from([31, 139, 8, 8, 0, 0, 0, 0, 0, 3, 97, 0]), gzipSync('a line').subarray(10)]),
    ],
    ['two members', Buffer.concat([gzipSync('a '), gzipSync('line')])],
    ['more than it says', Buffer.concat([gzipSync('a line').subarray(0, -4), Buffer.from([3, 0, 0, 0])])],
    [
      'another sum',
      Buffer.concat([gzipSync('a line').subarray(0, -8), Buffer.alloc(4), Buffer.from([6, 0, 0, 0])]),
    ],
    [
      'half of it missing',
      Buffer.concat([gzipSync('a line of text').subarray(0, 16), gzipSync('a line of text').subarray(-8)]),
    ],
    [
      'nothing in it but a header and a trailer',
      Buffer.from([31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
  ])('is left to zlib by the fast path with %s', (_what, body) => {
    expect(inflateGzip(body)).toBeUndefined();
  });
});
