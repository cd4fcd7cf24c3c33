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
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { randomBody } from '../../../support/senders/random-records.ts';

const RUNS = propertyRuns(6_000);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));

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
