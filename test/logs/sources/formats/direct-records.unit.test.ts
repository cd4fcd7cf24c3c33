/**
 * Records of JSON, OTLP and text that are made where they stand in a body are, byte by byte, those of the lines that are parsed and taken one
 * by one by the scalar reader; and they count the same. For any bodies: test/fuzz/pairs/records.ts.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ParseJob, parseBody, parseQuickly } from '../../../../src/logs/sources/bodies/parse-body.ts';
import {
  releasePackedLines,
  takePackedLines,
  takePackedLinesInSlices,
} from '../../../../src/logs/sources/formats/packed-lines.ts';
import { PlainTextBody } from '../../../../src/logs/sources/formats/plain-text-body.ts';
import { BatchOfBody, logSource, takeScalar } from '../../../fuzz/pairs/records.ts';

const TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 12, 30, 15), toFake: ['Date'] });
});
afterEach(() => void vi.useRealTimers());

describe('records that are made where they stand', () => {
  it('are there until they are taken, whatever is read meanwhile', async () => {
    const source = logSource('app');
    const jobOf = (name: string): ParseJob & { readonly format: 'ndjson' } => ({
      format: 'ndjson',
      body: Buffer.from(
        `{"level":30,"msg":"one of ${name}"}\n{"level":30,"msg":"another of ${name}"}\n`.repeat(90),
      ),
    });
    const { recordForm: form } = new BatchOfBody(source, '10.0.0.1').receiver;
    const jobs = ['a', 'bb', 'ccc', 'dddd'].map(jobOf);
    const read = jobs.map((job) => parseQuickly({ ...job, form }));
    // The memory of one that isn't taken is given back before others are read.
    releasePackedLines(read[3]!);
    const others = ['e', 'ffffff'].map((name) => parseQuickly({ ...jobOf(name), form }));
    for (const [i, lines] of read.slice(0, 3).entries()) {
      const target = new BatchOfBody(source, '10.0.0.1');
      if (i === 1) await takePackedLinesInSlices(lines!, target.receiver);
      else takePackedLines(lines!, target.receiver);
      expect(target.taken).toBe(takeScalar(jobs[i], source, '10.0.0.1'));
      releasePackedLines(lines!);
    }
    // In slices, while another body is read.
    const target = new BatchOfBody(source, '10.0.0.1');
    const taking = takePackedLinesInSlices(others[1]!, target.receiver);
    parseQuickly({ ...jobs[0], form });
    await taking;
    expect(target.taken).toBe(takeScalar(jobOf('ffffff'), source, '10.0.0.1'));
    releasePackedLines(others[1]!);
    expect(others[1]?.bytes).toHaveLength(0);
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
        const target = new BatchOfBody(source, '10.0.0.1');
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
        const scalar = new BatchOfBody(source, '10.0.0.1', true);
        const { receiver } = scalar;
        Object.defineProperty(receiver, 'recordForm', { value: undefined });
        text.take(receiver);
        const direct = new BatchOfBody(source, '10.0.0.1');
        text.take(direct.receiver);
        const expected = scalar.taken;
        expect(direct.taken).toBe(expected);
        const sliced = new BatchOfBody(source, '10.0.0.1');
        await text.takeInSlices(sliced.receiver);
        expect(sliced.taken).toBe(expected);
      }
    },
  );
});
