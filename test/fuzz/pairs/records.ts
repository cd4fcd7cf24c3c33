/** Bodies of JSON, OTLP and text whose lines are made where they stand, and those that are parsed and taken one by one: the same records. */
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import {
  type ParseJob,
  parseBody,
  parseQuickly,
  parseValues,
} from '../../../src/logs/sources/bodies/parse-body.ts';
import { OddRecords, packJsonRecords } from '../../../src/logs/sources/formats/json-records.ts';
import { packOtlpRecords } from '../../../src/logs/sources/formats/otlp-records.ts';
import {
  LinePacker,
  type PackedLines,
  releasePackedLines,
  takePackedLines,
  takePackedLinesInSlices,
} from '../../../src/logs/sources/formats/packed-lines.ts';
import { LineReceiver, type LineTarget } from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { HEADROOM } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { randomBody } from '../../support/senders/random-records.ts';
import { similarBody } from '../../support/senders/similar-records.ts';
import { describeDifference, type FuzzPair, PairDiffers, withClock } from './fuzz-pair.ts';

const NOW = Date.UTC(2026, 10, 28, 12, 30, 15);
const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';
const SOURCES = ['app', 'a', 'heroku', 'a-source-with-quite-a-long-name'].map(logSource);
const HOSTS = ['127.0.0.1', '2001:db8::1', 'x'.repeat(200)];
const BATCH_BYTES = 2_000_000;

export function logSource(source: string): LogSource {
  return { token: TOKEN, tokenBytes: Buffer.from(TOKEN), app: APP, source, sourceBytes: Buffer.from(source) };
}

/** A receiver whose lines go into one batch. */
export class BatchOfBody {
  readonly counters = createListenerCounters('http');
  readonly receiver: LineReceiver;
  private readonly builder = new BatchBuilder(BATCH_BYTES);

  /**
   * @param isScalar the fast path takes nothing
   * @param fromHerokuDrain the lines are in the form of Heroku's drains
   */
  constructor(source: LogSource, host: string, isScalar = false, fromHerokuDrain = false) {
    const { builder } = this;
    const target: LineTarget = {
      add: (bytes, start, end, header, of, at) =>
        void builder.add(bytes, start, end, header, of.sourceBytes, at),
      addRecords: (records, count) => void builder.addRecords(records, count),
      flushInBackground: () => {},
      whenStored: async () => {},
    };
    this.receiver = new LineReceiver({
      router: {
        tokensVersion: 1,
        lookupToken: () => source,
        loadToken: async () => source,
        batcher: () => target,
      },
      counters: this.counters,
      host,
      authenticatedSource: source,
      fromHerokuDrain,
    });
    if (isScalar) this.receiver.takeFastPath = (_bytes, at) => at;
  }

  /** What it has taken. */
  get taken(): string {
    const batch = this.builder.takeBatch();
    const { lines, bytes, malformed, headerless } = this.counters;
    const text = Buffer.from(batch?.bytes.subarray(HEADROOM) ?? []).toString('latin1');
    return `${batch?.count} records of ${lines} lines, ${bytes} bytes, ${malformed} malformed, ${headerless} headerless: ${text}`;
  }
}

/** Gives a body's lines to a receiver, by values and line by line. */
export function takeScalar(job: ParseJob, source: LogSource, host: string): string {
  try {
    return takenOneByOne(parseValues(job), source, host);
  } catch (error) {
    return String(error);
  }
}

function takenOneByOne(lines: PackedLines, source: LogSource, host: string): string {
  const target = new BatchOfBody(source, host, true);
  takePackedLines(lines, target.receiver);
  return target.taken;
}

/** The lines of a body, or what is said of it. */
function linesOf(parse: (job: ParseJob) => PackedLines, job: ParseJob): PackedLines | Error {
  try {
    return parse(job);
  } catch (error) {
    return error as Error;
  }
}

function inWords(lines: PackedLines | Error): string {
  return lines instanceof Error
    ? String(lines)
    : `${lines.count} lines: ${Buffer.from(lines.bytes).toString('latin1')}`;
}

/** What was taken the fast way so far: bodies by format whose records were all read where they stand, and lines by what they became. */
export const takenFast = { bodies: new Map<string, number>(), records: 0, frames: 0 };

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

/** Lines of a body, and records of a batch that are made of it; or a refusal. */
export const records: FuzzPair = {
  name: 'records',
  inputs: 1_500,
  check: (seed) =>
    withClock(NOW, () => {
      const body = randomBody(seed);
      const source = SOURCES[seed % SOURCES.length];
      const host = HOSTS[seed % HOSTS.length];
      const job: ParseJob = {
        ...body,
        source: { ...body.source, source: body.source.source && source.source },
      };
      const expectSame = (name: string, found: string, expected: string): void => {
        if (found === expected) return;
        throw new PairDiffers(
          `${describeDifference(name, found, expected)}\nof ${job.format} ${JSON.stringify(job.body.toString('latin1'))}`,
        );
      };
      const parsed = linesOf(parseValues, job);
      expectSame('lines', inWords(linesOf(parseBody, job)), inWords(parsed));
      const target = new BatchOfBody(source, host);
      const direct = { ...job, form: target.receiver.recordForm };
      const lines = linesOf(seed % 2 === 0 ? parseBody : (one) => parseQuickly(one) ?? LEFT_ALONE, direct);
      if (seed % 16 === 0 && isFast(job))
        takenFast.bodies.set(job.format, (takenFast.bodies.get(job.format) ?? 0) + 1);
      if (lines === LEFT_ALONE) return undefined;
      // How a refusal is worded depends on how much is looked at first.
      if (lines instanceof Error && parsed instanceof Error) return undefined;
      if (lines instanceof Error || parsed instanceof Error)
        return expectSame('records', inWords(lines), inWords(parsed));
      const finish = (): void => {
        expectSame('records', target.taken, takenOneByOne(parsed, source, host));
        for (const { isRecords, count } of lines.pieces ?? [])
          takenFast[isRecords ? 'records' : 'frames'] += count;
        releasePackedLines(lines);
      };
      if (seed % 32 === 0) return takePackedLinesInSlices(lines, target.receiver).then(finish);
      takePackedLines(lines, target.receiver);
      finish();
      return undefined;
    }),
};

/** There were too few bytes to say more, or it is to be parsed. */
const LEFT_ALONE: PackedLines = { bytes: new Uint8Array(0), count: 0 };

/** Records of one sender, of which the keys are known by those of the record before. */
export const similarRecords: FuzzPair = {
  name: 'similar-records',
  inputs: 1_000,
  check: (seed) =>
    withClock(NOW, () => {
      const { format, body } = similarBody(seed);
      const [source, host] = [SOURCES[0], HOSTS[0]];
      const target = new BatchOfBody(source, host);
      const lines = linesOf(parseBody, { format, body, form: target.receiver.recordForm });
      let found = String(lines);
      if (!(lines instanceof Error)) {
        takePackedLines(lines, target.receiver);
        found = target.taken;
      }
      const expected = takeScalar({ format, body }, source, host);
      if (found !== expected)
        throw new PairDiffers(
          `${describeDifference('records', found, expected)}\nof ${format} ${JSON.stringify(String(body))}`,
        );
    }),
};
