/** Lines of plain text are framed where they stand in a body. Bodies of JSON and OTLP: test/fuzz/pairs/records.ts. */
import { describe, expect, it } from 'vitest';
import { PlainTextBody } from '../../../../src/logs/sources/formats/plain-text-body.ts';
import type { LineReceiver } from '../../../../src/logs/sources/line-receiver.ts';
import { FIRST_SEED, propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

const RUNS = propertyRuns(400);

describe('lines of plain text that are framed where they stand', () => {
  it(`are as those that get their header one by one (first seed ${FIRST_SEED})`, async () => {
    const random = seededRandom(FIRST_SEED);
    const below = (max: number): number => Math.floor(random() * max);
    for (let run = 0; run < RUNS; run++) {
      const pieces = Array.from(
        { length: below(8) },
        () =>
          [
            '\n',
            '\r\n',
            '\r',
            '',
            'ü',
            '\0',
            '<13>1 ',
            'x'.repeat(below(300)),
            'y'.repeat(run % 20 === 0 ? 95_000 : 3),
          ][below(9)],
      );
      const body = Buffer.from(pieces.join(['', '\n'][below(2)]));
      const dyno = ['web.1', undefined, 'a b'][below(3)];
      const header = `<190>1 - - app ${dyno?.replace(' ', '') ?? 'log'} - - `;
      const lines = body.toString('latin1').split('\n');
      if (lines.at(-1) === '') lines.pop();
      const expected = lines.map((line) => header + line.replace(/\r$/, ''));
      const text = new PlainTextBody(body, dyno);
      const whole = new Lines();
      text.take(whole.receiver);
      expect(whole.texts, `FUZZ_SEED=${FIRST_SEED}, run ${run}`).toEqual(expected);
      const sliced = new Lines();
      await text.takeInSlices(sliced.receiver);
      expect(sliced.texts, `in slices, FUZZ_SEED=${FIRST_SEED}, run ${run}`).toEqual(expected);
    }
  });
});

/** What a receiver is given. */
class Lines {
  readonly texts: string[] = [];
  readonly receiver = {
    takeFastPath: (_bytes: Uint8Array, at: number): number => at,
    take: (bytes: Uint8Array, start: number, end: number): void => {
      this.texts.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
    },
  } as unknown as LineReceiver;
}
