/** The WebAssembly fast path gives the same results as the JavaScript path for what it supports; the rest it leaves alone. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Batch, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { FrameScanner, FrameStatus, Framing, Patience } from '../../../src/logs/syslog/framing.ts';
import { SyslogHeader, scanHeader, scanHerokuDrainHeader } from '../../../src/logs/syslog/header.ts';
import { isTimestamp } from '../../../src/logs/syslog/timestamp.ts';
import {
  codecMemory,
  decodeFrames,
  encodeFrames,
  type FrameSink,
  LineForm,
  type LineOwner,
  newScope,
} from '../../../src/logs/syslog/wasm/wasm-codec.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import {
  anyField,
  anyTimestamp,
  FOREIGN_TOKEN,
  oddStructuredData,
  validStructuredData,
} from '../../support/senders/odd-fields.ts';
import { ODD_FRAMES } from '../../support/senders/odd-frames.ts';

const T = '2012-12-10T03:00:48.123456+00:00';
const TOKEN = Buffer.from('t.feff49f1-0000-4000-8000-000000000000');
const SECOND_TOKEN = Buffer.from('t.feff49f1-0000-4000-8000-000000000001');
const SOURCE = Buffer.from('app');
const ANY = new Uint8Array(0);
const HOST = Buffer.from('sender');
const OWNER: LineOwner = { app: 'app', sourceBytes: SOURCE };

/** Takes lines with this token, or all lines. */
function sinkFor(
  token: Uint8Array,
  addRecords: (records: Uint8Array, count: number) => void,
): FrameSink<LineOwner> {
  const isAny = token.length === 0;
  return {
    host: HOST,
    owner: isAny ? OWNER : undefined,
    tokens: newScope(),
    names: 0,
    rules: 0,
    perSource: false,
    dataless: false,
    findOwner: (_key, tag) =>
      tag === Buffer.from(token).toString() ? { form: LineForm.asSent, owner: OWNER, dynoAt: 0 } : undefined,
    addRecords,
    mayAppend: false,
    openCell: undefined,
    onAppended: () => {},
    noteLast: () => {},
  };
}

/** The JavaScript path's records of the frames in `bytes[0, end)`. */
function slowly(bytes: Buffer, end: number, scan = scanHeader): Buffer {
  const builder = new BatchBuilder(4_000_000);
  const scanner = new FrameScanner();
  const header = new SyslogHeader();
  scanner.setInput(bytes.subarray(0, end));
  while (scanner.next() === FrameStatus.complete) {
    expect(scan(bytes, scanner.start, scanner.end, header)).toBe(true);
    builder.add(bytes, scanner.start, scanner.end, header, SOURCE, HOST);
  }
  return records(builder);
}

function records(builder: BatchBuilder): Buffer {
  const batch = builder.takeBatch();
  return batch ? Buffer.from(batch.bytes.subarray(32)) : Buffer.alloc(0);
}

function decode(
  bytes: Buffer,
  token: Uint8Array = TOKEN,
  dataless = false,
): { position: number; taken: Buffer } {
  const builder = new BatchBuilder(4_000_000);
  const addRecords = (taken: Uint8Array, count: number): void => {
    expect(builder.addRecords(taken, count)).toBe(true);
  };
  const sink = { ...sinkFor(token, addRecords), dataless };
  const position = decodeFrames(bytes, 0, Framing.counted, sink);
  return { position, taken: records(builder) };
}

const counted = (line: string): string => `${Buffer.byteLength(line)} ${line}`;

const word = fc.oneof(fc.constantFrom('-', 'web.1', 'x', '', 'a b', 'ü', 'ID47'), anyField);
const lines = fc
  .record({
    pri: fc.constantFrom('<13>1', '<190>1', '<191>1', '<192>1', '<0>1', '<007>1', '<13>2', '<13>', '13>1'),
    time: fc.constantFrom(
      T,
      '2012-12-10T03:00:48Z',
      '2012-12-10T03:00:48.1Z',
      '2012-12-10T03:00:48.123456-08:00',
      '-',
      '2012-13-10T03:00:48Z',
      '2012-12-10T03:00:48',
      '1970-01-01T00:00:00Z',
      '2199-01-01T00:00:00Z',
      'x',
    ),
    host: fc.oneof(fc.constantFrom('host', '-', '', 'h'), anyField),
    token: fc.constantFrom(TOKEN.toString(), TOKEN.toString(), TOKEN.toString(), 't.x', ''),
    dyno: word,
    msgid: word,
    structured: fc.oneof(
      { weight: 3, arbitrary: validStructuredData },
      { weight: 1, arbitrary: oddStructuredData },
      fc.constantFrom(
        '-',
        '-',
        '',
        '[a@1 k="v"]',
        '[a@1]',
        '[info]',
        '[a k="\\"]"][b@2 l="x"]',
        '[a k="v',
        '[',
        '[]',
        '-x',
      ),
    ),
    message: fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        `[tailrace@32473 token="${FOREIGN_TOKEN}"] m`,
        '',
        '\n',
        '\r\n',
        'a\n',
        'a\r\n',
        'a\nb',
        '[x] y',
        '\ufeffwith a mark',
        '\ufeff',
        '- z',
        'm'.repeat(9_990),
        'm'.repeat(10_000),
        'ü'.repeat(5_001),
      ),
    ),
  })
  .map((l) => [l.pri, l.time, l.host, l.token, l.dyno, l.msgid, l.structured, l.message].join(' '));

/** As Heroku's drains send them: the message is behind MSGID. */
const herokuLine = fc
  .tuple(
    fc.constantFrom(T, T, '2012-12-10T03:00:48Z', '-'),
    fc.constantFrom('host', 'host', '-', 'd.0c1b'),
    fc.constantFrom('app', 'heroku', 'a', '-', 'x'.repeat(48)),
    fc.constantFrom('web.1', 'router', '-', 'p'.repeat(128)),
    fc.constantFrom('-', '-', 'ID47'),
    fc.oneof(
      fc.string({ maxLength: 200, unit: 'binary' }),
      fc.constantFrom(
        '',
        '\n',
        '\r\n',
        'a\n',
        'a\r\n',
        '- z',
        '[a@1 k="v"] m',
        '[tailrace@32473 token="t.x"] m',
      ),
    ),
  )
  .filter(([, , , , , message]) => !message.startsWith('\ufeff'))
  .map(
    ([time, host, app, dyno, msgid, message]) => `<190>1 ${time} ${host} ${app} ${dyno} ${msgid} ${message}`,
  );

const commonLine = fc
  .tuple(fc.constantFrom('web.1', 'worker.12', '-'), fc.string({ maxLength: 200, unit: 'binary' }))
  .filter(([, message]) => !message.startsWith('\ufeff'))
  .map(([dyno, message]) => `<190>1 ${T} host ${TOKEN} ${dyno} - - ${message}`);

describe('decoding', () => {
  // What both stamp is the same time.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('lines of Heroku’s drains, which have no structured data, to the same records', () => {
    let decoded = 0;
    fc.assert(
      fc.property(fc.array(herokuLine, { minLength: 1, maxLength: 30 }), (sent) => {
        const bytes = Buffer.from(sent.map(counted).join(''));
        const { position, taken } = decode(bytes, ANY, true);
        decoded += position;
        expect(taken.equals(slowly(bytes, position, scanHerokuDrainHeader))).toBe(true);
      }),
      { numRuns: propertyRuns(300) },
    );
    expect(decoded).toBeGreaterThan(0);
  });

  it('common lines: all of them, to the same records', () => {
    fc.assert(
      fc.property(fc.array(commonLine, { maxLength: 30 }), (sent) => {
        const bytes = Buffer.from(sent.map(counted).join(''));
        const { position, taken } = decode(bytes);
        expect(position).toBe(bytes.length);
        expect(taken.equals(slowly(bytes, position))).toBe(true);
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it('any lines: what it decodes is the same, and it stops at the start of a frame', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(commonLine, lines), { maxLength: 8 }),
        fc.boolean(),
        fc.nat(200),
        (sent, any, cut) => {
          const all = Buffer.from(sent.map(counted).join(''));
          const bytes = all.subarray(0, Math.max(0, all.length - cut));
          const { position, taken } = decode(bytes, any ? ANY : TOKEN);
          let start = 0;
          const starts = sent.map((line) => {
            const here = start;
            start += Buffer.byteLength(counted(line));
            return here;
          });
          expect([...starts, all.length]).toContain(position);
          expect(taken.equals(slowly(bytes, position))).toBe(true);
        },
      ),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('fields as long as they may be, and names that only look a little like tokens: all of them', () => {
    const field = (max: number): fc.Arbitrary<string> =>
      fc.oneof(
        fc
          .string({ minLength: 1, maxLength: max, unit: fc.constantFrom(...'t.-0aZ~!') })
          .filter((text) => text !== '-'),
        fc.constantFrom(
          'x'.repeat(max),
          'd.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d'.slice(0, max),
          'ingest.example.com',
        ),
      );
    fc.assert(
      fc.property(
        field(255),
        field(128),
        field(32),
        fc.constantFrom('-', '[a@1 k="words \\]"][b l=""]'),
        (host, dyno, msgid, data) => {
          const bytes = Buffer.from(counted(`<190>1 ${T} ${host} ${TOKEN} ${dyno} ${msgid} ${data} m`));
          const { position, taken } = decode(bytes);
          expect(position).toBe(bytes.length);
          expect(taken.equals(slowly(bytes, position))).toBe(true);
        },
      ),
      { numRuns: propertyRuns(500) },
    );
  });

  it('a field that isn’t stored as it is: never', () => {
    const fields = fc.tuple(
      anyField,
      anyField,
      anyField,
      fc.oneof(fc.constant('-'), validStructuredData, oddStructuredData),
    );
    fc.assert(
      fc.property(fields, ([host, dyno, msgid, data]) => {
        const line = `<190>1 ${T} ${host} ${TOKEN} ${dyno} ${msgid} ${data} m`;
        const bytes = Buffer.from(counted(line));
        const stored = slowly(bytes, bytes.length).subarray(12).toString();
        if (stored !== line.replace(String(TOKEN), String(SOURCE))) expect(decode(bytes).position).toBe(0);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('any timestamp: exactly those that are kept', () => {
    fc.assert(
      fc.property(anyTimestamp, (time) => {
        const bytes = Buffer.from(counted(`<190>1 ${time} host ${TOKEN} web.1 - - m`));
        const kept = isTimestamp(Buffer.from(time), 0, time.length);
        expect(decode(bytes).position).toBe(kept ? bytes.length : 0);
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });

  it('a date of NULs: not even as the first one of all', async () => {
    vi.resetModules();
    const fresh = await import('../../../src/logs/syslog/wasm/wasm-codec.ts');
    for (const time of [`${'\0'.repeat(10)}T03:00:48Z`, `${'\0'.repeat(16)}:48Z`]) {
      const bytes = Buffer.from(counted(`<190>1 ${time} host ${TOKEN} web.1 - - m`));
      expect(
        fresh.decodeFrames(
          bytes,
          0,
          Framing.counted,
          sinkFor(TOKEN, () => {}),
        ),
      ).toBe(0);
    }
  });

  it('a day that was today, and is none that can be since the clock was set back: not as it is', () => {
    const bytes = Buffer.from(counted(`<190>1 2026-11-28T12:30:14Z host ${TOKEN} web.1 - - m`));
    const reached = ['2026-11-28T12:30:15Z', '2026-11-26T12:30:15Z', '2026-11-28T12:30:15Z'].map((now) => {
      vi.setSystemTime(now);
      return decode(bytes).position;
    });
    expect(reached).toEqual([bytes.length, 0, bytes.length]);
  });

  it('any bytes: never throws, never goes back, decodes only what the JavaScript path would', () => {
    const noise = fc.array(fc.constantFrom(...Buffer.from(`0123456789 <>1-[]"\\=TZ:.+t\n`)), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(commonLine, noise, (line, bytes) => {
        const all = Buffer.concat([Buffer.from(counted(line)), Buffer.from(bytes)]);
        const { position, taken } = decode(all);
        expect([0, Buffer.byteLength(counted(line))]).toContain(position);
        expect(taken.length > 0).toBe(position > 0);
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  it('more than fits into its memory: all of it, window by window', () => {
    const sent = Array.from(
      { length: 12_000 },
      (_, i) => `<190>1 ${T} host ${TOKEN} web.1 - - ${i} ${'x'.repeat(i % 200)}`,
    );
    const bytes = Buffer.from(sent.map(counted).join(''));
    const { position, taken } = decode(bytes);
    expect(position).toBe(bytes.length);
    expect(taken.equals(slowly(bytes, position))).toBe(true);
  });

  it('another token, another source’s name: never confused with those of the call before', () => {
    const bytes = Buffer.from(counted(`<190>1 ${T} host ${TOKEN} web.1 - - m`));
    expect(decode(bytes).position).toBe(bytes.length);
    expect(decode(bytes, Buffer.from('t.other')).position).toBe(0);
    expect(decode(bytes).position).toBe(bytes.length);
  });
});

/** The lines of a connection's bytes as its listener takes them, with or without the fast path: their text as it is stored. */
function takeAll(bytes: Buffer, withFastPath: boolean): string[] {
  const found: string[] = [];
  const scanner = new FrameScanner();
  const header = new SyslogHeader();
  const takeRecords = (batch: Uint8Array, start: number): void => {
    const cursor = new RecordCursor(batch, start);
    while (cursor.advance())
      found.push(Buffer.from(batch.subarray(cursor.textStart, cursor.textEnd)).toString('latin1'));
  };
  const isKnown = (name: Buffer): boolean => name.equals(TOKEN) || name.equals(SECOND_TOKEN);
  const sink: FrameSink<LineOwner> = {
    ...sinkFor(TOKEN, (taken) => takeRecords(taken, 0)),
    findOwner: (_key, tag) =>
      isKnown(Buffer.from(tag)) ? { form: LineForm.asSent, owner: OWNER, dynoAt: 0 } : undefined,
  };
  const scan = (): void => {
    for (;;) {
      const { framing } = scanner;
      if (withFastPath && framing !== undefined)
        scanner.advanceTo(decodeFrames(bytes, scanner.pos, framing, sink));
      const status = scanner.next();
      if (status === FrameStatus.partial) return;
      if (status !== FrameStatus.complete) continue;
      const { start, end } = scanner;
      const builder = new BatchBuilder(40_000);
      const isOurs =
        scanHeader(bytes, start, end, header) &&
        isKnown(bytes.subarray(header.sourceStart, header.dynoStart - 1));
      if (isOurs) builder.add(bytes, start, end, header, SOURCE, HOST);
      const batch = builder.takeBatch();
      if (batch) takeRecords(batch.bytes, 32);
      else found.push(`other ${bytes.toString('latin1', start, end)}`);
    }
  };
  scanner.setInput(bytes);
  scan();
  scanner.patience = Patience.ended;
  scan();
  return found;
}

describe('whose lines they are', () => {
  it('more tokens than are kept, each of an app of its own: each line goes to its own app', () => {
    const APPS = 40_000;
    const tokens = Array.from(
      { length: APPS },
      (_, i) => `t.${randomUUID().slice(0, 28)}${`${i}`.padStart(8, '0')}`,
    );
    const owners = new Map(
      tokens.map((token, i): [string, LineOwner] => [token, { app: `${i}`, sourceBytes: SOURCE }]),
    );
    let asked = 0;
    let wrong = 0;
    let taken = 0;
    const sink: FrameSink<LineOwner> = {
      ...sinkFor(TOKEN, () => {}),
      findOwner: (_key, tag) => {
        asked++;
        return { form: LineForm.asSent, owner: owners.get(tag), dynoAt: 0 };
      },
      addRecords: (made, count, _bytes, owner) => {
        const text = Buffer.from(made).toString('latin1');
        taken += count;
        if (count !== 1 || !text.endsWith(` of ${owner.app}`)) wrong++;
      },
    };
    for (let round = 0; round < 3; round++) {
      for (let first = 0; first < APPS; first += 500) {
        const some = tokens.slice(first, first + 500);
        const bytes = Buffer.from(
          some.map((token, i) => counted(`<13>1 ${T} host ${token} web.1 - - of ${first + i}`)).join(''),
        );
        expect(decodeFrames(bytes, 0, Framing.counted, sink)).toBe(bytes.length);
      }
    }
    expect(taken).toBe(3 * APPS);
    expect(wrong).toBe(0);
    // Some were kept, and some had to make room.
    expect(asked).toBeGreaterThan(APPS);
    expect(asked).toBeLessThan(3 * APPS);
  });
});

describe('frames whose counts are wrong', () => {
  const line = (message: string): string => `<190>1 ${T} host ${TOKEN} web.1 - - ${message}`;
  const digits = fc.constantFrom('', ' 1', ' 12', '0', '7 5 ', ' 36 <13>', '\n<13>1 - ');
  const good = fc
    .tuple(fc.string({ maxLength: 150 }), digits)
    .map((both) => Buffer.from(counted(line(both.join('')))));
  const odd = fc
    .tuple(fc.constantFrom(...ODD_FRAMES), fc.string({ maxLength: 20 }), digits)
    .map(([kind, ...message]) => kind.make(line, message.join('')).wire);

  it('are taken the same way with and without the fast path', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: odd }), { maxLength: 12 }),
        fc.nat(60),
        (sent, cut) => {
          const all = Buffer.concat(sent);
          const bytes = all.subarray(0, Math.max(0, all.length - cut));
          expect(takeAll(bytes, true)).toEqual(takeAll(bytes, false));
        },
      ),
      { numRuns: propertyRuns(500) },
    );
  });

  it('also where the fast path’s memory ends, and goes on', () => {
    // One odd frame behind so many good ones that a window ends near it.
    const filler = Buffer.from(counted(line('x'.repeat(500))));
    const windowFrames = Math.floor(131_072 / filler.length);
    for (const kind of ODD_FRAMES)
      for (const before of [windowFrames - 1, windowFrames])
        for (let pad = 0; pad < 600; pad += 83) {
          const padding = Buffer.from(counted(line('p'.repeat(pad))));
          const odd = kind.make(line, `odd ${'.'.repeat(60)} 1`).wire;
          const sent = [
            padding,
            ...Array<Buffer>(before).fill(filler),
            odd,
            ...Array<Buffer>(14).fill(filler),
          ];
          const bytes = Buffer.concat(sent);
          expect(takeAll(bytes, true), `${kind.name}, ${before}, ${pad}`).toEqual(takeAll(bytes, false));
        }
  });

  it('also where it learns whose the next frame is, or its memory ends, before the frame shows that the one in front of it ended too late', () => {
    const filler = counted(line('x'.repeat(500)));
    const windowFrames = Math.floor(131_072 / filler.length);
    // Its count takes the first digit of the next one: what is left of that is a count, too, of a frame with a whole header.
    const first = line('its count is one too large');
    const second = `<190>1 ${T} host ${SECOND_TOKEN} web.1 - - ${'y'.repeat(903)}`;
    const pair = `${first.length + 1} ${first}${counted(second)}`;
    expect([first.length, second.length]).toEqual([120, 997]);
    for (const before of [0, 1, windowFrames - 2, windowFrames - 1, windowFrames])
      for (let pad = 0; pad < 600; pad += 29) {
        const padding = counted(line('p'.repeat(pad)));
        const bytes = Buffer.from(padding + filler.repeat(before) + pair + filler.repeat(3));
        const taken = takeAll(bytes, true);
        expect(taken, `${before}, ${pad}`).toEqual(takeAll(bytes, false));
        expect(taken.filter((text) => text.endsWith('yyy'))).toHaveLength(1);
      }
  });
});

describe('encoding', () => {
  const batchOf = (sent: readonly string[]): Batch => {
    // Not larger than it has to be: there are hundreds of them, and memory outside of the heap is given back late.
    const builder = new BatchBuilder(sent.reduce((sum, line) => sum + 2 * line.length + 600, 0));
    const header = new SyslogHeader();
    for (const line of sent) {
      const bytes = Buffer.from(line);
      expect(scanHeader(bytes, 0, bytes.length, header)).toBe(true);
      builder.add(bytes, 0, bytes.length, header, SOURCE, HOST);
    }
    return builder.takeBatch()!;
  };

  /** The same frames, field by field. */
  function plainly(batch: Batch, head: string, heroku: boolean, keepHost: boolean): string {
    const bytes = Buffer.from(batch.bytes);
    const cursor = new RecordCursor(bytes);
    let text = '';
    while (cursor.advance()) {
      const { textStart, hostStart, sourceStart, msgidStart, messageStart, textEnd } = cursor;
      const priorityAndTime = bytes.toString('utf8', textStart, hostStart);
      const host = keepHost ? bytes.toString('utf8', hostStart, sourceStart) : head;
      const rest = heroku
        ? `${bytes.toString('utf8', sourceStart, msgidStart)}- ${bytes.toString('utf8', messageStart, textEnd)}`
        : bytes.toString('utf8', sourceStart, textEnd);
      text += counted(`${priorityAndTime}${host}${rest}\n`);
    }
    return text;
  }

  it.each([
    ['Heroku’s form with newlines', 'host ', true, false],
    ['syslog with the drain’s token', 'd.0123 ', false, false],
    ['syslog with the sender’s host', '', false, true],
  ])('%s', (_name, head, heroku, keepHost) => {
    const message = fc.oneof(fc.string({ maxLength: 60 }), fc.constantFrom('', 'a\nb', 'm'.repeat(10_000)));
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), (messages) => {
        const batch = batchOf(messages.map((text) => `<13>1 ${T} h ${TOKEN} web.1 ID [a k="v"] ${text}`));
        const out = Buffer.alloc(batch.bytes.length + batch.count * 64);
        const form = { head: Buffer.from(head), heroku, keepHost, singleLine: false };
        const end = encodeFrames(batch.bytes, 32, batch.bytes.length, batch.count, form, out, 0);
        const wanted = plainly(batch, head, heroku, keepHost);
        expect(out.toString('utf8', 0, end)).toBe(wanted);
        // The same where lines were read, and bodies are written, in the module's memory.
        const [lines, body] = [codecMemory.lines.acquire(0)!, codecMemory.bodies.acquire(0)!];
        const read = lines.subarray(7);
        read.set(batch.bytes);
        const inPlace: [Uint8Array, Buffer][] = [
          [read, body],
          [read, out],
          [batch.bytes, body],
          [read, body.subarray(0, wanted.length + 3)],
        ];
        for (const [from, to] of inPlace) {
          const at = encodeFrames(from, 32, batch.bytes.length, batch.count, form, to, 3);
          expect(to.toString('utf8', 3, at)).toBe(wanted);
        }
        codecMemory.lines.release(lines);
        codecMemory.bodies.release(body);
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});
