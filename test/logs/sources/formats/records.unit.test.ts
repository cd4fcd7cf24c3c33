/**
 * Bodies of JSON and OTLP give the same lines, or the same refusal, whether their records are read where they stand or parsed. Random
 * bodies of seeds that are printed; for many more of them:
 *
 *     PROPERTY_RUNS=300 npx vitest run --project unit test/logs/sources/formats/records.unit.test.ts
 *     FUZZ_SEED=12345 …
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ParseJob, parseBody, parseValues } from '../../../../src/logs/sources/bodies/parse-body.ts';
import { OddRecords, packJsonRecords } from '../../../../src/logs/sources/formats/json-records.ts';
import { packOtlpRecords } from '../../../../src/logs/sources/formats/otlp-records.ts';
import { LinePacker } from '../../../../src/logs/sources/formats/packed-lines.ts';
import { PlainTextBody } from '../../../../src/logs/sources/formats/plain-text-body.ts';
import type { LineReceiver } from '../../../../src/logs/sources/line-receiver.ts';
import { FIRST_SEED, propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { randomBody } from '../../../support/senders/random-records.ts';

const RUNS = propertyRuns(4_000);

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 12, 30, 15), toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The lines of a body, or what is said of it. */
function outcomeOf(
  parse: (job: ParseJob) => { readonly bytes: Uint8Array; readonly count: number },
  job: ParseJob,
): string {
  try {
    const { bytes, count } = parse(job);
    return `${count} ${Buffer.from(bytes).toString('latin1')}`;
  } catch (error) {
    return String(error);
  }
}

/** Are all records of a body read where they stand? */
function isFast({ format, body, dyno, source }: ParseJob): boolean {
  const [packer, odd] = [new LinePacker(), new OddRecords(0, 0)];
  try {
    return format === 'json' || format === 'ndjson'
      ? packJsonRecords(body, format === 'ndjson', dyno, packer, odd)
      : packOtlpRecords(body, format === 'otlp-json', source!, packer, odd);
  } catch {
    return false;
  }
}

describe('records that are read where they stand', () => {
  it(`are as those that are parsed (first seed ${FIRST_SEED})`, { timeout: 60_000 + RUNS * 10 }, () => {
    const random = seededRandom(FIRST_SEED);
    const fast = new Map<string, number>();
    let seed = FIRST_SEED;
    for (let run = 0; run < RUNS; run++) {
      const job = randomBody(seed);
      const parsed = outcomeOf(parseValues, job);
      const read = outcomeOf(parseBody, job);
      if (read !== parsed)
        expect(read, `FUZZ_SEED=${seed} ${job.format} ${JSON.stringify(job.body.toString())}`).toBe(parsed);
      if (isFast(job)) fast.set(job.format, (fast.get(job.format) ?? 0) + 1);
      seed = Math.floor(random() * 0x7fff_ffff);
    }
    // It isn't the parser beside itself.
    for (const format of ['json', 'ndjson', 'otlp-json', 'otlp-protobuf'])
      expect(fast.get(format) ?? 0, format).toBeGreaterThan(RUNS < 500 ? -1 : RUNS / 30);
    if (process.env.SHOW_FAST) process.stdout.write(`${JSON.stringify([...fast])} of ${RUNS}\n`);
  });
});

describe('lines of plain text that are framed where they stand', () => {
  it(`are as those that get their header one by one (first seed ${FIRST_SEED})`, async () => {
    const random = seededRandom(FIRST_SEED);
    const below = (max: number): number => Math.floor(random() * max);
    for (let run = 0; run < RUNS / 10; run++) {
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
