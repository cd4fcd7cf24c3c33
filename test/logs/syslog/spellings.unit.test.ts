/** Spellings of lines that are in use, over all framings, on the scalar reader and beside the WebAssembly fast path. */
import { describe, expect, it } from 'vitest';
import type { LogSource, TokenLookup } from '../../../src/logs/router/token-cache.ts';
import { FrameOutcome, LineReceiver, type LineTarget } from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import { readHeaderField } from '../../../src/logs/sources/rewrite-header.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { FrameScanner, FrameStatus, Patience } from '../../../src/logs/syslog/framing.ts';
import type { SyslogHeader } from '../../../src/logs/syslog/header.ts';
import { type LogRecord, readRecord } from '../../../src/logs/syslog/record.ts';
import { isSameTime, readSpellings, type Spelling, storedTime } from '../../support/senders/spellings.ts';

const SPELLINGS = readSpellings();
const SOURCE: LogSource = {
  token: '',
  tokenBytes: Buffer.alloc(0),
  app: '00000000-0000-4000-8000-000000000001' as AppId,
  source: 'app',
  sourceBytes: Buffer.from('app'),
};
const HOST = '192.0.2.99';

/** The program that a line names, and the rest of it as it is stored. */
interface Stored extends LogRecord {
  readonly program?: string;
}

class Target implements LineTarget {
  private readonly builder: BatchBuilder;
  private readonly programs: (string | undefined)[] = [];

  constructor(bytesMax: number) {
    this.builder = new BatchBuilder(bytesMax);
  }

  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    source: LogSource,
    host: Uint8Array,
  ) {
    this.programs.push(readHeaderField(bytes, header.sourceStart, end));
    if (!this.builder.add(bytes, start, end, header, source.sourceBytes, host)) expect.fail('it’s full');
  }

  addRecords(records: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) this.programs.push(undefined);
    if (!this.builder.addRecords(records, count)) expect.fail('it’s full');
  }

  flushInBackground(): void {}
  async whenStored(): Promise<void> {}

  lines(): Stored[] {
    const batch = this.builder.takeBatch();
    if (!batch) return [];
    const bytes = Buffer.from(batch.bytes);
    const cursor = new RecordCursor(bytes);
    const lines: Stored[] = [];
    while (cursor.advance())
      lines.push({ ...readRecord(cursor, bytes), program: this.programs[lines.length] });
    return lines;
  }
}

function receiver(bytesMax: number): { receiver: LineReceiver; target: Target } {
  const target = new Target(bytesMax);
  const router: TokenLookup & { batcher(): LineTarget } = {
    tokensVersion: 1,
    lookupToken: () => null,
    loadToken: async () => null,
    batcher: () => target,
  };
  const counters = createListenerCounters('tcp');
  return {
    receiver: new LineReceiver({ router, counters, host: HOST, authenticatedSource: SOURCE }),
    target,
  };
}

function expectAsSpelled(stored: Stored, spelling: Spelling, fromMs: number): void {
  const { host, pid: dyno, program, message, priority } = spelling;
  const { timestamp } = stored;
  const found = [stored.hostname, stored.dyno, stored.program, stored.message, stored.priority];
  // The fast path doesn't say which program it is.
  const wanted = [host === '-' ? HOST : host, dyno, stored.program && program, message, priority];
  if (found.some((one, i) => one !== wanted[i])) expect(found, spelling.line).toEqual(wanted);
  const time = storedTime(spelling, fromMs);
  const isRight = time === undefined ? Date.parse(timestamp) >= fromMs : isSameTime(timestamp, time);
  if (!isRight) expect.fail(`${spelling.line}: ${timestamp} is not ${time ?? 'now'}`);
}

const withoutEnd = ({ line }: Spelling): string => line.replace(/[\0\n]+$/, '');

/** Scans a stream as the TCP listener does. */
function takeStream(stream: Buffer, fastPath: boolean): Stored[] {
  const { receiver: to, target } = receiver(4_000_000);
  const scanner = new FrameScanner();
  scanner.setInput(stream);
  scanner.patience = Patience.ended;
  for (;;) {
    const { framing } = scanner;
    if (fastPath && framing !== undefined) scanner.advanceTo(to.takeFastPath(stream, scanner.pos, framing));
    const status = scanner.next();
    if (status === FrameStatus.partial) break;
    if (status !== FrameStatus.complete) expect.fail(`at ${scanner.pos}: ${status}`);
    const outcome = to.take(stream, scanner.start, scanner.end);
    if (outcome !== FrameOutcome.accepted) expect.fail(`at ${scanner.pos}: ${outcome}`);
  }
  expect(scanner.resyncCount).toBe(0);
  return target.lines();
}

const counted = (line: string): Buffer => Buffer.from(`${Buffer.byteLength(line)} ${line}`);

describe('spellings of lines', () => {
  it('are many, each of them once', () => {
    expect(SPELLINGS.length).toBeGreaterThan(600);
    expect(new Set(SPELLINGS.map(({ line }) => line)).size).toBe(SPELLINGS.length);
  });

  it.each(SPELLINGS)('in a datagram: $name: $line', (spelling) => {
    const { receiver: to, target } = receiver(64_000);
    const fromMs = Date.now();
    const bytes = Buffer.from(spelling.line.replace(/\0+$/, ''));
    expect(to.take(bytes, 0, bytes.length)).toBe(FrameOutcome.accepted);
    const [stored, ...more] = target.lines();
    expect(more).toEqual([]);
    expectAsSpelled(stored, spelling, fromMs);
  });

  it('octet counted, one behind the other, with and without the fast path', () => {
    const fromMs = Date.now();
    const stream = Buffer.concat(SPELLINGS.map((spelling) => counted(withoutEnd(spelling))));
    const stored = takeStream(stream, false);
    expect(stored).toHaveLength(SPELLINGS.length);
    for (const [i, spelling] of SPELLINGS.entries()) expectAsSpelled(stored[i], spelling, fromMs);
    const fast = takeStream(stream, true);
    expect(fast.some(({ program }) => program === undefined)).toBe(true);
    const comparable = (lines: Stored[]) =>
      lines.map(({ program, timestamp, ...line }, i) => ({
        ...line,
        ...(SPELLINGS[i].time === null ? {} : { timestamp }),
      }));
    expect(comparable(fast)).toEqual(comparable(stored));
  });

  it.each(['\n', '\r\n', '\0'])('that end with %j', (trailer) => {
    const fromMs = Date.now();
    const spellings = SPELLINGS.filter(
      (spelling) => trailer === '\0' || !withoutEnd(spelling).includes('\n'),
    );
    const stored = takeStream(Buffer.from(spellings.map((one) => withoutEnd(one) + trailer).join('')), true);
    expect(stored).toHaveLength(spellings.length);
    for (const [i, spelling] of spellings.entries()) expectAsSpelled(stored[i], spelling, fromMs);
  });
});
