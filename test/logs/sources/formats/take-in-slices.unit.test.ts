/** Lines of a large body are taken in slices: others have their turns in between. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventLoopTurns } from '../../../../src/common/limits/turns.ts';
import { takeLogplexBodyInSlices } from '../../../../src/logs/sources/formats/logplex-body.ts';
import { LinePacker, takePackedLinesInSlices } from '../../../../src/logs/sources/formats/packed-lines.ts';
import { PlainTextBody } from '../../../../src/logs/sources/formats/plain-text-body.ts';
import { FrameOutcome, type LineReceiver } from '../../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../../src/logs/sources/listener-counters.ts';

/** Each line takes so long, on a clock that only lines move. */
const LINE_MS = 0.1;
const LINES = 5_000;

let nowMs = 0;
let taken = 0;
/** Lines that were taken within one turn of the event loop, at the most. */
let longest = 0;
let inTurn = 0;
const receiver = {
  take(): FrameOutcome {
    nowMs += LINE_MS;
    taken++;
    longest = Math.max(longest, ++inTurn);
    return FrameOutcome.accepted;
  },
  takeFastPath: (_bytes: Uint8Array, at: number): number => at,
} as unknown as LineReceiver;

beforeEach(() => {
  nowMs = 0;
  taken = 0;
  longest = 0;
  inTurn = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const next = eventLoopTurns.next.bind(eventLoopTurns);
  vi.spyOn(eventLoopTurns, 'next').mockImplementation(async () => {
    await next();
    inTurn = 0;
  });
});
afterEach(() => void vi.restoreAllMocks());

describe('a slice ends soon after a millisecond', () => {
  const expectSlices = (): void => {
    expect(taken).toBe(LINES);
    // Ten lines a millisecond; the clock is looked at once for sixteen.
    expect(longest).toBeLessThanOrEqual(32);
    expect(eventLoopTurns.next).toHaveBeenCalled();
  };

  it('of application/logplex-1', async () => {
    const options = { msgCount: undefined, tokenPerLine: false, counters: createListenerCounters('http') };
    await takeLogplexBodyInSlices(Buffer.from('1 a'.repeat(LINES)), receiver, options);
    expectSlices();
  });

  it('of plain text', async () => {
    await new PlainTextBody(Buffer.from('a\n'.repeat(LINES)), undefined).takeInSlices(receiver);
    expectSlices();
  });

  it('of JSON and OTLP', async () => {
    const packer = new LinePacker();
    for (let i = 0; i < LINES; i++) packer.add(`<190>1 - - token - - - ${i}`);
    await takePackedLinesInSlices(packer.pack(), receiver);
    expectSlices();
  });
});
