/** A dyno's output as frames, many lines at a time in WebAssembly, and line by line. */
import { type HeaderTemplate, LineBatch } from '../../../src/apps/forwarder/line-batch.ts';
import { Dice } from '../../support/properties/dice.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { describeDifference, type FuzzPair, PairDiffers } from './fuzz-pair.ts';

const TIME = '2026-11-28T12:30:15.123456+00:00';
const LINE_BYTES_MAX = 10_000;
const TEXTS = ['', '\r', '\r\r', 'x', 'a line', 'ü', '\0', '\x1b[31m', '<13>1 ', '12 ', ' '];
const LENGTHS = [14, 15, 16, 17, 31, 32, 33, 64, 900, 1_000];
const LONG_LENGTHS = [9_999, 10_000, 10_001, 20_000, 131_060, 131_072, 131_080];

function randomLine(dice: Dice): string {
  const kind = dice.below(200);
  if (kind === 0) return 'y'.repeat(dice.one(...LONG_LENGTHS));
  if (kind < 40) return 'z'.repeat(dice.one(...LENGTHS)) + dice.one('', '\r');
  return dice.one(...TEXTS) + dice.one(...TEXTS);
}

export const dynoOutput: FuzzPair = {
  name: 'dyno-output',
  inputs: 2_000,
  check(seed) {
    const dice = new Dice(seededRandom(seed));
    const lines = Array.from({ length: dice.below(9) }, () => randomLine(dice));
    const chunk = Buffer.from([...lines, ''].join('\n'));
    const beforeTimestamp = '<190>1 ';
    const afterTimestamp = ` host ${'t'.repeat(dice.one(0, 1, 40, 900, 2_040))} web.1 - - `;
    const header: HeaderTemplate = {
      beforeTimestamp,
      afterTimestamp,
      byteCount: beforeTimestamp.length + TIME.length + afterTimestamp.length,
    };
    const [bytesMax, linesMax] = [dice.one(100, 1_000, 1_500, 16_384, 524_288), dice.one(1, 3, 5_000)];
    const [fast, scalar] = ['a', 'b'].map((id) => new LineBatch(Buffer.alloc(bytesMax), linesMax, id)) as [
      LineBatch,
      LineBatch,
    ];
    const start = dice.below(2) === 0 ? 0 : chunk.indexOf(0x0a) + 1;
    const reached = fast.addChunk(header, TIME, chunk, start);
    let at = start;
    for (; at < reached; at = chunk.indexOf(0x0a, at) + 1) {
      const message = lineAt(chunk, at);
      if (!scalar.hasSpaceFor(LineBatch.frameBytesMax(header, message)))
        throw new PairDiffers(`there is no space for the line at ${at}`);
      scalar.add(header, TIME, message);
    }
    const [found, expected] = [fast, scalar].map((batch) => batch.body().toString('latin1'));
    if (at !== reached || found !== expected || fast.lineCount !== scalar.lineCount)
      throw new PairDiffers(`${describeDifference('frames', found, expected)}, up to ${reached} of ${at}`);
    // It stops early only where it has to.
    if (reached === chunk.length || header.byteCount > 2_000) return;
    const next = lineAt(chunk, reached);
    const hasSpace = fast.hasSpaceFor(LineBatch.frameBytesMax(header, next));
    if (hasSpace && next.length <= LINE_BYTES_MAX && reached - start < 100_000)
      throw new PairDiffers(`it stopped at ${reached} of ${chunk.length}, before ${next.length} bytes`);
  },
};

/** The message of the line at a place, without what ends it. */
function lineAt(chunk: Buffer, at: number): Buffer {
  const end = chunk.indexOf(0x0a, at);
  return chunk.subarray(at, end > at && chunk[end - 1] === 0x0d ? end - 1 : end);
}
