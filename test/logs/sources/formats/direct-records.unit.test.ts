/**
 * Records of JSON, OTLP and text that are made where they stand in a body are, byte by byte, those of the lines that are parsed and taken one
 * by one by the scalar reader; and they count the same. For many more of them: `npm run fuzz`.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogSource } from '../../../../src/logs/router/token-cache.ts';
import {
  type ParseJob,
  parseBody,
  parseQuickly,
  parseValues,
} from '../../../../src/logs/sources/bodies/parse-body.ts';
import {
  type PackedLines,
  releasePackedLines,
  takePackedLines,
  takePackedLinesInSlices,
} from '../../../../src/logs/sources/formats/packed-lines.ts';
import { PlainTextBody } from '../../../../src/logs/sources/formats/plain-text-body.ts';
import { LineReceiver, type LineTarget } from '../../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../../src/logs/sources/listener-counters.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { HEADROOM } from '../../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../../src/logs/syslog/batch-builder.ts';
import { Dice } from '../../../support/properties/dice.ts';
import { FIRST_SEED, propertyRuns } from '../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { randomBody } from '../../../support/senders/random-records.ts';

const RUNS = propertyRuns(1_000);
const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';

function logSource(source: string): LogSource {
  return { token: TOKEN, tokenBytes: Buffer.from(TOKEN), app: APP, source, sourceBytes: Buffer.from(source) };
}

/** A receiver whose lines go into one batch. */
class Target {
  readonly counters = createListenerCounters('http');
  readonly receiver: LineReceiver;
  private readonly builder = new BatchBuilder(2_000_000);

  /** @param isScalar the fast path takes nothing */
  constructor(source: LogSource, host: string, isScalar = false) {
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
    });
    if (isScalar) this.receiver.takeFastPath = (_bytes, at) => at;
  }

  /** What it has taken. */
  get taken(): string {
    const batch = this.builder.takeBatch();
    const { lines, bytes, malformed, headerless } = this.counters;
    const text = Buffer.from(batch?.bytes.subarray(HEADROOM) ?? []).toString('latin1');
    return JSON.stringify({ count: batch?.count, lines, bytes, malformed, headerless, text });
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 12, 30, 15), toFake: ['Date'] });
});
afterEach(() => void vi.useRealTimers());

const SOURCES = ['app', 'a', 'heroku', 'a-source-with-quite-a-long-name'];
const HOSTS = ['127.0.0.1', '2001:db8::1', 'x'.repeat(200)];

/** Gives a body's lines to a receiver, by values and line by line. */
function takeScalar(job: ParseJob, source: LogSource, host: string): string {
  const target = new Target(source, host, true);
  let lines: PackedLines;
  try {
    lines = parseValues(job);
  } catch (error) {
    return String(error);
  }
  takePackedLines(lines, target.receiver);
  return target.taken;
}

describe('records that are made where they stand', () => {
  it(`are those of lines that are taken one by one (first seed ${FIRST_SEED})`, {
    timeout: 60_000 + RUNS * 10,
  }, async () => {
    const random = seededRandom(FIRST_SEED);
    let made = 0;
    let framed = 0;
    let seed = FIRST_SEED;
    for (let run = 0; run < RUNS; run++) {
      const body = randomBody(seed);
      const source = logSource(SOURCES[run % SOURCES.length]);
      const host = HOSTS[run % HOSTS.length];
      const job: ParseJob = { ...body, source: { source: source.source, keepService: run % 5 === 0 } };
      const form = new Target(source, host).receiver.recordForm;
      const expected = takeScalar(job, source, host);
      let lines: PackedLines | undefined;
      let direct: string;
      try {
        lines = run % 2 === 0 ? parseBody({ ...job, form }) : parseQuickly({ ...job, form });
        const target = new Target(source, host);
        if (lines) {
          if (run % 3 === 0) await takePackedLinesInSlices(lines, target.receiver);
          else takePackedLines(lines, target.receiver);
        }
        direct = target.taken;
      } catch (error) {
        direct = String(error);
      }
      // How a refusal is worded depends on how much is looked at first; `records.unit.test.ts` holds it.
      if (direct.startsWith('TailraceError') && expected.startsWith('TailraceError')) direct = expected;
      if (lines || direct.startsWith('TailraceError'))
        if (direct !== expected)
          expect(direct, `FUZZ_SEED=${seed} ${job.format} ${JSON.stringify(job.body.toString())}`).toBe(
            expected,
          );
      for (const { isRecords, count } of lines?.pieces ?? []) {
        if (isRecords) made += count;
        else framed += count;
      }
      seed = Math.floor(random() * 0x7fff_ffff);
    }
    if (process.env.SHOW_FAST)
      process.stdout.write(`${made} records, ${framed} frames beside them, of ${RUNS} bodies\n`);
    expect(made).toBeGreaterThan(RUNS < 500 ? -1 : RUNS / 4);
  });

  it('are there until they are taken, whatever is read meanwhile', async () => {
    const source = logSource('app');
    const jobOf = (name: string): ParseJob & { readonly format: 'ndjson' } => ({
      format: 'ndjson',
      body: Buffer.from(
        `{"level":30,"msg":"one of ${name}"}\n{"level":30,"msg":"another of ${name}"}\n`.repeat(90),
      ),
    });
    const { recordForm: form } = new Target(source, '10.0.0.1').receiver;
    const jobs = ['a', 'bb', 'ccc', 'dddd'].map(jobOf);
    const read = jobs.map((job) => parseQuickly({ ...job, form }));
    // The memory of one that isn't taken is given back before others are read.
    releasePackedLines(read[3]!);
    const others = ['e', 'ffffff'].map((name) => parseQuickly({ ...jobOf(name), form }));
    for (const [i, lines] of read.slice(0, 3).entries()) {
      const target = new Target(source, '10.0.0.1');
      if (i === 1) await takePackedLinesInSlices(lines!, target.receiver);
      else takePackedLines(lines!, target.receiver);
      expect(target.taken).toBe(takeScalar(jobs[i], source, '10.0.0.1'));
      releasePackedLines(lines!);
    }
    // In slices, while another body is read.
    const target = new Target(source, '10.0.0.1');
    const taking = takePackedLinesInSlices(others[1]!, target.receiver);
    parseQuickly({ ...jobs[0], form });
    await taking;
    expect(target.taken).toBe(takeScalar(jobOf('ffffff'), source, '10.0.0.1'));
    releasePackedLines(others[1]!);
    expect(others[1]?.bytes).toHaveLength(0);
  });

  it(`of one sender, whose keys differ a little (first seed ${FIRST_SEED})`, {
    timeout: 60_000 + RUNS * 10,
  }, () => {
    const dice = new Dice(seededRandom(FIRST_SEED));
    const source = logSource('app');
    const keys = ['level', 'time', 'pid', 'hostname', 'a-longer-name-of-a-key', 'status', 'req', 'msg'];
    const values = ['30', '1767225600000', '7', '"box"', '"x y"', '200', '{"level":1,"url":"/"}', '"done"'];
    const text = (): string => {
      const plain = (): string => 'x'.repeat(dice.below(20));
      const odd = (): string => dice.one('', ']', '\\"', '\\\\', '\\n', '\\u0041', 'é');
      return `"${plain()}${odd()}${plain()}${odd()}${plain()}"`;
    };
    const time = (): string => {
      const ms = 1_767_225_599_000 + dice.one(0, 1, 86_400) * 1_000 + dice.below(1_000);
      const seconds = `${Math.floor(ms / 1_000)}`;
      return dice.one(`${ms}`, `${ms}`, `${ms}.25`, seconds, `${seconds}.125`, JSON.stringify(new Date(ms)));
    };
    for (let run = 0; run < RUNS; run++) {
      const format = dice.one('json', 'ndjson');
      const behindCommas = dice.one('', '', ' ', format === 'json' ? '\n' : ' ');
      const records = Array.from({ length: 1 + dice.below(6) }, () => {
        const pairs = keys.map((key, i) => [key, values[i]]);
        pairs[1][1] = time();
        pairs[4][1] = text();
        pairs[7][1] = text();
        const at = dice.below(pairs.length);
        const key = pairs[at][0];
        switch (dice.below(12)) {
          case 0:
            pairs.splice(at, 1);
            break;
          case 1:
            pairs.splice(dice.below(pairs.length), 0, [key, '1']);
            break;
          case 2:
            pairs.splice(at, 0, ...pairs.splice(dice.below(pairs.length), 1));
            break;
          case 3:
            pairs[at][0] = `${key.slice(0, -1)}${dice.one('x', '', '"', '\\n', '\\u0061', 'é', '=')}`;
            break;
          case 4:
            pairs[at][0] = `${key}${dice.one('x', ' ', '_and_so_on_and_so_on')}`;
            break;
          case 5:
            pairs[at][1] = dice.one(
              'null',
              '123456789012345',
              '1234567890123456',
              '0',
              '01',
              '12.5',
              'true',
              '[]',
              '{}',
              '-0',
              '""',
              '1e3',
              '{"pid":1,"pid":2}',
              'x',
            );
            break;
          case 6:
            pairs[at][0] = dice.one(
              'message',
              'host',
              'dyno',
              'severity',
              'ts',
              'log',
              'date',
              '__proto__',
              '1',
            );
            break;
        }
        const [space, behind] = [dice.one('', '', '', ' '), dice.one('', '', ' ')];
        const before = dice.below(4) === 0 ? dice.one(' ', '') : behindCommas;
        return `{${pairs.map(([name, value]) => `"${name}"${space}:${behind}${value}`).join(`,${before}`)}}`;
      });
      const body = Buffer.from(format === 'json' ? `[${records.join(',')}]` : records.join('\n'));
      const target = new Target(source, '10.0.0.1');
      let direct: string;
      try {
        takePackedLines(parseBody({ format, body, form: target.receiver.recordForm }), target.receiver);
        direct = target.taken;
      } catch (error) {
        direct = String(error);
      }
      const expected = takeScalar({ format, body }, source, '10.0.0.1');
      if (direct !== expected) expect(direct, `FUZZ_SEED=${FIRST_SEED}, run ${run}: ${body}`).toBe(expected);
    }
  });

  const TRICKY: readonly (readonly [title: string, record: Record<string, unknown>])[] = [
    ['a host that is a dash', { host: '-', msg: 'x' }],
    ['an empty host', { host: '', msg: 'x' }],
    ['a host with a token in it', { host: `box-${TOKEN}`, msg: 'x' }],
    ['a dyno with a token in it', { dyno: TOKEN, msg: 'x' }],
    ['a long dyno', { dyno: 'd'.repeat(129), msg: 'x' }],
    ['data with a token', { auth: TOKEN, msg: 'x' }],
    ['data that ends as a token does', { auth: 't.0a1b2c3d-4e5f"', msg: 'x' }],
    ['data beyond ASCII', { user: 'Jürgen', msg: 'x' }],
    ['data with escapes', { path: 'a\\b"c]', nested: { a: ['"', ']'] }, msg: 'x' }],
    ['a byte order mark', { msg: '\ufeffx' }],
    ['nothing but a mark', { msg: '\ufeff' }],
    ['an element of our own in the message', { msg: '[tailrace@32473 token="x"] y' }],
    ['a line end', { msg: 'x\n' }],
    ['two line ends', { msg: 'x\r\n\r\n' }],
    ['nothing but a line end', { msg: '\r\n' }],
    ['an empty message', { msg: '' }],
    ['exactly as much as a message may have', { msg: 'x'.repeat(10_000) }],
    ['more than a message may have', { msg: 'x'.repeat(10_001) }],
    ['that much, and a line end', { msg: `${'x'.repeat(10_000)}\r\n` }],
    ['a message beyond ASCII', { msg: 'größer \ud83d\ude00' }],
    ['a message in brackets', { msg: '[x y="z"] w', status: 200 }],
  ];

  it.each(TRICKY)('with %s', (_title, record) => {
    const source = logSource('app');
    const records = [{ msg: 'before' }, record, record, { msg: 'behind', time: 1_767_225_600_000 }];
    for (const format of ['json', 'ndjson'] as const) {
      const text = records.map((one) => JSON.stringify(one));
      const body = Buffer.from(format === 'json' ? `[${text.join(',')}]` : text.join('\n'));
      for (const dyno of [undefined, 'web.1', TOKEN, 'x'.repeat(200)]) {
        const job: ParseJob = { format, body, dyno };
        const target = new Target(source, '10.0.0.1');
        const lines = parseBody({ ...job, form: target.receiver.recordForm });
        takePackedLines(lines, target.receiver);
        expect(target.taken).toBe(takeScalar(job, source, '10.0.0.1'));
      }
    }
  });

  it.each(TRICKY.flatMap(([title, { msg }]) => (typeof msg === 'string' ? [[title, msg] as const] : [])))(
    'of plain text with %s',
    async (_title, message) => {
      const source = logSource('web');
      const body = Buffer.from(`before\n${message}\n\n${message}`);
      for (const dyno of [undefined, 'web.1', TOKEN]) {
        const text = new PlainTextBody(body, dyno);
        const scalar = new Target(source, '10.0.0.1', true);
        const { receiver } = scalar;
        Object.defineProperty(receiver, 'recordForm', { value: undefined });
        text.take(receiver);
        const direct = new Target(source, '10.0.0.1');
        text.take(direct.receiver);
        const expected = scalar.taken;
        expect(direct.taken).toBe(expected);
        const sliced = new Target(source, '10.0.0.1');
        await text.takeInSlices(sliced.receiver);
        expect(sliced.taken).toBe(expected);
      }
    },
  );
});
