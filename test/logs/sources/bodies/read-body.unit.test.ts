/** Small bodies of gzip are unpacked at once: with the same result as on a thread, whatever is in them. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { gunzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../../../src/logs/sources/bodies/body-memory.ts';
import { DECOMPRESSORS, type Decompress, readBody } from '../../../../src/logs/sources/bodies/read-body.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

const RUNS = propertyRuns(300);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
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
});
