/** What a tail session decides, without a store, a socket or a clock. */
import { describe, expect, it } from 'vitest';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import type { StreamReader } from '../../../src/logs/store/stream-reader.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { SSE_ENCODINGS, WEBSOCKET_ENCODINGS } from '../../../src/logs/tails/output/encodings.ts';
import {
  chunkBatchesEnd,
  chunkEndAfter,
  lowerBound,
  TailCursor,
  type TailRange,
  upperBound,
} from '../../../src/logs/tails/tail-cursor.ts';
import { OutageNotices } from '../../../src/logs/tails/tail-notices.ts';
import { TailSession, type TailSink } from '../../../src/logs/tails/tail-session.ts';

const TAIL: TailRange = { tail: true };
const HISTORY: TailRange = { tail: false };

/** A batch of lines `first` to `last`, stored in the second of its first line. */
function batch(first: number, last: number, lineBytes = 100): StoredBatch {
  const count = last - first + 1;
  return { bytes: Buffer.alloc(count * lineBytes), count, first, last, storedAtMs: first * 1_000 };
}

/** A cursor with a clock that is set by hand. */
function cursorAt(range: TailRange): { cursor: TailCursor; setClock: (ms: number) => void } {
  let ms = 0;
  const cursor = new TailCursor(range, () => ms);
  return {
    cursor,
    setClock: (now) => {
      ms = now;
    },
  };
}

describe('a range of a stream', () => {
  it('begins after a position, or with the first line after a time, whichever is later', () => {
    expect(lowerBound(TAIL, 100, 0)).toBe(0);
    expect(lowerBound({ ...TAIL, after: 40 }, 100, 0)).toBe(40);
    expect(lowerBound({ ...TAIL, after: 40 }, 100, 60)).toBe(60);
    expect(lowerBound({ ...TAIL, after: 40 }, 100, 20)).toBe(40);
  });

  it('begins at the newest line when a position is above that: the stream was dropped', () => {
    expect(lowerBound({ ...TAIL, after: 500 }, 100, 0)).toBe(100);
  });

  it('ends before a position or with the last line of a time, whichever is earlier', () => {
    const anyTime = Number.POSITIVE_INFINITY;
    expect(upperBound(HISTORY, 100, anyTime)).toBe(100);
    expect(upperBound({ ...HISTORY, before: 50 }, 100, anyTime)).toBe(49);
    expect(upperBound({ ...HISTORY, before: 50 }, 100, 30)).toBe(30);
    expect(upperBound({ ...HISTORY, before: 500 }, 100, anyTime)).toBe(100);
    expect(upperBound({ ...HISTORY, before: 0 }, 100, anyTime)).toBe(0);
  });
});

describe('a chunk', () => {
  it('ends with a multiple of 512 lines, whoever reads it and wherever they are', () => {
    const lines = batch(1, 10_000);
    expect([0, 1, 511].map((position) => chunkEndAfter(position, lines))).toEqual([512, 512, 512]);
    expect([512, 1_000, 1_023].map((position) => chunkEndAfter(position, lines))).toEqual([
      1_024, 1_024, 1_024,
    ]);
  });

  it('has fewer lines where they are long, and at least two', () => {
    expect(chunkEndAfter(0, batch(1, 10, 1_000))).toBe(128);
    expect(chunkEndAfter(0, batch(1, 10, 5_000))).toBe(32);
    expect(chunkEndAfter(0, batch(1, 2, 10_000_000))).toBe(2);
  });

  it('has the batches up to its end', () => {
    const batches = [batch(1, 200), batch(201, 400), batch(401, 600), batch(601, 800)];
    expect(chunkBatchesEnd(batches, 0, 512)).toBe(3);
    expect(chunkBatchesEnd(batches, 2, 512)).toBe(3);
    expect(chunkBatchesEnd(batches, 3, 1_024)).toBe(4);
  });

  it('ends where lines are missing, since that has to be reported before the next', () => {
    expect(chunkBatchesEnd([batch(1, 10), batch(11, 20), batch(31, 40)], 0, 512)).toBe(2);
  });
});

describe('what comes next', () => {
  it('is after the position, up to the end of the chunk, of its batches, or of the range', () => {
    const { cursor } = cursorAt(HISTORY);
    cursor.start(10, 300);
    const count = Number.POSITIVE_INFINITY;
    expect(cursor.nextRange(batch(1, 100), 512)).toEqual({ after: 10, through: 100, count });
    expect(cursor.nextRange(batch(101, 900), 128)).toEqual({ after: 10, through: 128, count });
    expect(cursor.nextRange(batch(101, 900), 512)).toEqual({ after: 10, through: 300, count });
  });

  it('is nothing when a range without `tail` was scanned, whether lines match or not', () => {
    const { cursor } = cursorAt(HISTORY);
    cursor.start(0, 10);
    cursor.advance({ count: 0, last: 9 });
    expect(cursor.isDone).toBe(false);
    cursor.advance({ count: 0, last: 10 });
    expect(cursor.isDone).toBe(true);
  });

  it('never ends with `tail`', () => {
    const { cursor } = cursorAt(TAIL);
    cursor.start(0, 10);
    cursor.advance({ count: 10, last: 10 });
    expect(cursor.isDone).toBe(false);
  });

  it('ends with the last of the lines that were asked for, also with `tail`', () => {
    const { cursor } = cursorAt({ ...TAIL, first: 5 });
    cursor.start(0, 100);
    expect(cursor.isUnlimited).toBe(false);
    cursor.advance({ count: 3, last: 30 });
    expect(cursor.nextRange(batch(1, 100), 512)).toEqual({ after: 30, through: 100, count: 2 });
    expect(cursor.isDone).toBe(false);
    cursor.advance({ count: 2, last: 60 });
    expect(cursor.isDone).toBe(true);
  });

  it('is nothing at once when none are asked for', () => {
    expect(cursorAt({ ...TAIL, first: 0 }).cursor.isDone).toBe(true);
  });

  it('never goes back', () => {
    const { cursor } = cursorAt(TAIL);
    cursor.start(50, 100);
    cursor.advance({ count: 1, last: 40 });
    cursor.skipMissingEnd(30, 0);
    expect(cursor.position).toBe(50);
    cursor.skipMissingEnd(100, 0);
    expect(cursor.position).toBe(100);
  });
});

describe('lines that are gone', () => {
  it('are a loss at the end of the stream too, where the reader was promised them', () => {
    const fresh = cursorAt(TAIL).cursor;
    fresh.start(0, 100);
    expect(fresh.skipMissingEnd(100, 7)).toBeUndefined();
    expect(fresh.position).toBe(100);
    const resumed = cursorAt({ ...TAIL, after: 40 }).cursor;
    resumed.start(40, 100);
    expect(resumed.skipMissingEnd(100, 7)).toEqual({
      count: 60,
      sinceMs: undefined,
      untilMs: 7,
      position: 100,
    });
    expect(resumed.skipMissingEnd(100, 8)).toBeUndefined();
  });

  it('are no loss before the first that a reader gets, unless they resume', () => {
    const fresh = cursorAt(TAIL).cursor;
    fresh.start(0, 100);
    expect(fresh.skipGap(batch(50, 60))).toBeUndefined();
    expect(fresh.position).toBe(49);

    const resumed = cursorAt({ ...TAIL, after: 10 }).cursor;
    resumed.start(10, 100);
    expect(resumed.skipGap(batch(50, 60))).toEqual({
      count: 39,
      sinceMs: undefined,
      untilMs: 50_000,
      position: 49,
    });
    expect(resumed.position).toBe(49);
  });

  it('are counted from the last line that was sent, with the time of its batch', () => {
    const { cursor } = cursorAt(TAIL);
    cursor.start(0, 100);
    expect(cursor.skipGap(batch(1, 10))).toBeUndefined();
    cursor.nextRange(batch(1, 10), 512);
    cursor.advance({ count: 10, last: 10 });
    expect(cursor.skipGap(batch(31, 40))).toEqual({
      count: 20,
      sinceMs: 1_000,
      untilMs: 31_000,
      position: 30,
    });
    expect(cursor.skipGap(batch(31, 40))).toBeUndefined();
  });

  it('are none when a batch begins before the position', () => {
    const { cursor } = cursorAt({ ...TAIL, after: 35 });
    cursor.start(35, 100);
    expect(cursor.skipGap(batch(31, 40))).toBeUndefined();
    expect(cursor.position).toBe(35);
  });
});

describe('a position is reported', () => {
  it('every half second while nothing matches', () => {
    const { cursor, setClock } = cursorAt(TAIL);
    cursor.start(0, 10_000);
    setClock(500);
    expect(cursor.advance({ count: 0, last: 512 })).toBe(false);
    setClock(501);
    expect(cursor.advance({ count: 0, last: 1_024 })).toBe(true);
    cursor.reported();
    setClock(1_001);
    expect(cursor.advance({ count: 0, last: 1_536 })).toBe(false);
  });

  it('by lines as well, which carry it', () => {
    const { cursor, setClock } = cursorAt(TAIL);
    cursor.start(0, 10_000);
    setClock(400);
    expect(cursor.advance({ count: 1, last: 512 })).toBe(false);
    setClock(900);
    expect(cursor.advance({ count: 0, last: 1_024 })).toBe(false);
    setClock(901);
    expect(cursor.advance({ count: 0, last: 1_536 })).toBe(true);
  });

  it('once as live, and from then on only with lines', () => {
    const { cursor, setClock } = cursorAt(TAIL);
    cursor.start(0, 10);
    expect(cursor.becomesLive()).toBe(true);
    expect(cursor.becomesLive()).toBe(false);
    setClock(10_000);
    expect(cursor.advance({ count: 0, last: 11 })).toBe(false);
  });
});

describe('an outage of the store', () => {
  it('is reported with how long it took', () => {
    let ms = 1_000;
    const messages: string[] = [];
    const notices = new OutageNotices(
      (message) => messages.push(message),
      () => ms,
    );
    notices.onChange(true);
    ms = 5_400;
    notices.onChange(false);
    expect(messages).toEqual([
      'The store is away: lines wait at their senders, and this tail goes on by itself when it is back.',
      'The store is back after 4 s: this tail goes on.',
    ]);
  });

  it('that wasn’t reported has no end that is', () => {
    const messages: string[] = [];
    new OutageNotices((message) => messages.push(message)).onChange(false);
    expect(messages).toEqual([]);
  });
});

describe('a notice before the session knows where it begins', () => {
  /** What a reader is told while the store is away from the beginning on. */
  function told(after: number | undefined): { position: number | undefined; json: string }[] {
    let onOutage: (unavailable: boolean) => void = () => {};
    const reader = {
      ready: new Promise(() => {}),
      onOutage: (listener: typeof onOutage) => {
        onOutage = listener;
        return () => {};
      },
    };
    const notices: { position: number | undefined; json: string }[] = [];
    const sink: TailSink<Buffer> = {
      encoding: SSE_ENCODINGS.json,
      write: () => {},
      notice: (_message, json, position) => notices.push({ position, json }),
      canWrite: () => true,
      end: () => {},
    };
    const session = new TailSession(
      reader as unknown as StreamReader,
      { tail: true, filter: new LineFilter({}), after },
      sink,
    );
    void session.start();
    onOutage(true);
    return notices;
  }

  it('has the position that the reader came with, and none when it came with none', () => {
    expect(told(42)).toEqual([{ position: 42, json: expect.stringContaining('"position":"42"') }]);
    expect(told(undefined)).toEqual([{ position: undefined, json: expect.not.stringContaining('position') }]);
  });

  it('is sent in no form with a position that isn’t known', () => {
    const sent = [SSE_ENCODINGS.text, WEBSOCKET_ENCODINGS.text].map(({ encodeOne }) =>
      [encodeOne('away', 7), encodeOne('away', undefined)].map(String),
    );
    expect(sent[0]).toEqual(['id: 7\ndata: away\n\n', 'data: away\n\n']);
    expect(sent[1].map((frame) => frame.slice(frame.indexOf('{')))).toEqual([
      '{"position":"7","lines":["away"]}',
      '{"lines":["away"]}',
    ]);
  });
});
