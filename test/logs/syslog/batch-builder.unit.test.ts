import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, MESSAGE_BYTES_MAX, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { type LineEncoder, syslogLineEncoder } from '../../../src/logs/syslog/encode.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { parseFrames } from '../../support/senders/frames.ts';
import {
  anyField,
  anyTimestamp,
  FOREIGN_TOKEN,
  oddStructuredData,
  validStructuredData,
} from '../../support/senders/odd-fields.ts';

const T = '2012-12-10T03:00:48.123456+00:00';
const SOURCE = Buffer.from('postgres');
const HOST = Buffer.from('10.0.0.1');

function add(builder: BatchBuilder, line: string | Buffer): boolean {
  const bytes = Buffer.concat([Buffer.from('before'), Buffer.from(line), Buffer.from('after')]);
  const end = bytes.length - 5;
  const header = new SyslogHeader();
  if (!scanHeader(bytes, 6, end, header)) throw new Error(`malformed: ${line}`);
  return builder.add(bytes, 6, end, header, SOURCE, HOST);
}

function build(...lines: (string | Buffer)[]): Batch {
  const builder = new BatchBuilder();
  for (const line of lines) if (!add(builder, line)) throw new Error('no room');
  return builder.takeBatch()!;
}

/** The texts of a batch's records. */
function texts(batch: Batch): string[] {
  const cursor = new RecordCursor(batch.bytes);
  const found: string[] = [];
  while (cursor.advance())
    found.push(Buffer.from(batch.bytes).toString('utf8', cursor.textStart, cursor.textEnd));
  return found;
}

/** Message bytes of each record. */
function messages(batch: Batch): Buffer[] {
  const cursor = new RecordCursor(batch.bytes);
  const found: Buffer[] = [];
  while (cursor.advance()) found.push(Buffer.from(batch.bytes.subarray(cursor.messageStart, cursor.textEnd)));
  return found;
}

function write(form: LineEncoder, batch: Batch): string[] {
  const out = Buffer.alloc(batch.bytes.length + batch.count * (Math.max(0, form.overheadBytes) + 1));
  const end = form.encode(new RecordCursor(batch.bytes), batch.bytes, batch.count, out, 0);
  return parseFrames(out.toString('utf8', 0, end));
}

describe('a batch', () => {
  it('has the source’s name where the token was', () => {
    expect(texts(build(`<134>1 ${T} db1 t.feff-49f1 primary ID7 [a k="v"] hello`))).toEqual([
      `<134>1 ${T} db1 postgres primary ID7 [a k="v"] hello`,
    ]);
  });

  it.each([
    ['no timestamp', '-'],
    ['no timestamp that one could read', 'yesterday'],
    ['an impossible one', '2012-13-41T03:00:48Z'],
  ])('is stamped with the time of arrival: %s', (_name, time) => {
    const before = Date.now();
    const [text] = texts(build(`<134>1 ${time} db1 t.x primary - - hello`));
    const match = /^<134>1 (\S+) db1 postgres primary - - hello$/.exec(text);
    expect(Date.parse(match![1])).toBeGreaterThanOrEqual(before);
    expect(Date.parse(match![1])).toBeLessThanOrEqual(Date.now());
  });

  it.each([
    ['no host', `<1>1 ${T} - t.x web.1 - - m`, `<1>1 ${T} 10.0.0.1 postgres web.1 - - m`],
    ['no dyno', `<1>1 ${T} h t.x`, `<1>1 ${T} h postgres - - - `],
    ['no msgid', `<1>1 ${T} h t.x web.1`, `<1>1 ${T} h postgres web.1 - - `],
    ['no structured data', `<1>1 ${T} h t.x web.1 - hi there`, `<1>1 ${T} h postgres web.1 - - hi there`],
    ['a dash as the whole rest', `<1>1 ${T} h t.x web.1 - -`, `<1>1 ${T} h postgres web.1 - - `],
    ['structured data, no message', `<1>1 ${T} h t.x web.1 - [a@1]`, `<1>1 ${T} h postgres web.1 - [a@1] `],
    ['an empty dyno', `<1>1 ${T} h t.x  - - m`, `<1>1 ${T} h postgres - - - m`],
    ['an empty msgid', `<1>1 ${T} h t.x web.1  - m`, `<1>1 ${T} h postgres web.1 - - m`],
    ['an empty host', `<1>1 ${T}  t.x web.1 - - m`, `<1>1 ${T} 10.0.0.1 postgres web.1 - - m`],
  ])('what is missing is filled in: %s', (_name, line, expected) => {
    expect(texts(build(line))).toEqual([expected]);
  });

  it('the sender’s line end isn’t part of the message, what is inside of it is', () => {
    const line = (message: string) => `<1>1 ${T} h t.x web.1 - - ${message}`;
    expect(messages(build(line('a\n'), line('b\r\n'), line('c\nd\n\n'), line('\n'), line('')))).toEqual(
      ['a', 'b', 'c\nd\n', '', ''].map((text) => Buffer.from(text)),
    );
  });

  it('one line end isn’t, whether or not its buffer has to grow for the line', () => {
    for (const end of ['\n\n', '\r\n\r\n', '\n\n\n\n']) {
      const lines = Array.from(
        { length: 100 },
        () => `<13>1 ${T} host token web.1 - - ${'x'.repeat(60)}${end}`,
      );
      const kept = end.replace(/\r?\n$/, '');
      expect(new Set(messages(build(...lines)).map((message) => message.toString().slice(60)))).toEqual(
        new Set([kept]),
      );
    }
  });

  it('keeps every byte of a message: NUL, bytes that are no UTF-8', () => {
    const message = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const line = Buffer.concat([Buffer.from(`<1>1 ${T} h t.x web.1 - - `), message, Buffer.from('.')]);
    expect(messages(build(line))).toEqual([Buffer.concat([message, Buffer.from('.')])]);
  });

  it('rejects a line when it is full, and takes it after it was closed', () => {
    const builder = new BatchBuilder(1_000);
    const line = `<1>1 ${T} h t.x web.1 - - ${'m'.repeat(300)}`;
    expect([add(builder, line), add(builder, line), add(builder, line)]).toEqual([true, true, false]);
    expect(builder.takeBatch()?.count).toBe(2);
    expect(add(builder, line)).toBe(true);
    expect(builder.takeBatch()?.count).toBe(1);
    expect(builder.takeBatch()).toBeUndefined();
  });

  it('reuses the buffer of a batch that isn’t read any more', () => {
    const builder = new BatchBuilder(1_000);
    const line = (name: string, text: string): string => `<1>1 ${T} h ${name} web.1 - - ${text}`;
    const memories = new Set<ArrayBufferLike>();
    let before: Batch | undefined;
    for (const length of [600, 700, 500, 10, 650, 20, 20, 600, 550]) {
      const text = `${length} ${'m'.repeat(length)}`;
      expect(add(builder, line('t.x', text))).toBe(true);
      const batch = builder.takeBatch()!;
      expect(texts(batch)).toEqual([line('postgres', text)]);
      if (length > 100) memories.add(batch.bytes.buffer);
      before?.memory?.release();
      before = batch;
    }
    expect(memories.size).toBeLessThan(4);
    // Small batches lie in a memory that Node.js shares between many: it must still be there for all.
    expect(Buffer.from('a text').toString()).toBe('a text');
  });

  it('keeps the memory for lines that are larger than it as well', () => {
    const builder = new BatchBuilder(1_000);
    const buffers = new Set<ArrayBufferLike>();
    for (let i = 0; i < 10; i++) {
      expect(add(builder, `<1>1 ${T} h t.x web.1 - - ${'m'.repeat(i % 2 ? 25_000 : 700)}`)).toBe(true);
      const batch = builder.takeBatch()!;
      buffers.add(batch.bytes.buffer);
      batch.memory?.release();
    }
    expect(buffers.size).toBeLessThan(4);
  });

  it('is its app’s alone, though empty ones of many apps share their memory', () => {
    const random = seededRandom(86);
    const builders = Array.from({ length: 20 }, () => ({
      builder: new BatchBuilder(),
      open: [] as string[],
    }));
    const held: { batch: Batch; lines: string[] }[] = [];
    const memories = new Set<number>();
    for (let i = 0; i < 2_000; i++) {
      const one = builders[Math.floor(random() * builders.length)];
      const text = `${i} ${'m'.repeat(random() < 0.9 ? 3_000 * random() : 30_000 * random())}`;
      for (const part of text.length > MESSAGE_BYTES_MAX ? [`${i}`] : [text]) {
        if (!add(one.builder, `<1>1 ${T} h t.x web.1 - - ${part}`)) expect.fail('it’s full');
        one.open.push(`<1>1 ${T} h postgres web.1 - - ${part}`);
      }
      if (random() < 0.7) {
        const batch = one.builder.takeBatch()!;
        held.push({ batch, lines: one.open });
        one.open = [];
        // Of each size they are in a region of their own; their buffers begin there at multiples of it.
        memories.add(batch.bytes.byteOffset);
      }
      if (held.length < 5) continue;
      const [{ batch, lines }] = held.splice(Math.floor(random() * held.length), 1);
      const stored = texts(batch);
      if (stored.join('\n') !== lines.join('\n')) expect(stored).toEqual(lines);
      batch.memory?.release();
    }
    // In those of twenty, not of hundreds.
    expect(memories.size).toBeGreaterThan(3);
    expect(memories.size).toBeLessThan(60);
  });

  it.each([500, 3_000, 9_000])('keeps no memory for its app between two batches of %i bytes', (length) => {
    const line = `<1>1 ${T} h t.x web.1 - - ${'m'.repeat(length)}`;
    const memories = new Set<ArrayBufferLike>();
    for (let app = 0; app < 20; app++) {
      const builder = new BatchBuilder();
      expect(add(builder, line)).toBe(true);
      const batch = builder.takeBatch()!;
      memories.add(batch.bytes.buffer);
      batch.memory?.release();
    }
    expect(memories.size).toBe(1);
  });

  it('takes one line that is larger than it', () => {
    const builder = new BatchBuilder(1_000);
    expect(add(builder, `<1>1 ${T} h t.x web.1 - - ${'m'.repeat(25_000)}`)).toBe(true);
    expect(builder.takeBatch()?.count).toBe(3);
  });
});

const TOKEN_ELEMENT = `[tailrace@32473 token="${FOREIGN_TOKEN}"]`;

describe('a stored header', () => {
  it.each([
    ['host', `<1>1 ${T} a\x1b[2Jb\x00 t.x p ID - m`, `<1>1 ${T} a?[2Jb? postgres p ID - m`],
    ['dyno', `<1>1 ${T} h t.x wörker\u202e\r1 ID - m`, `<1>1 ${T} h postgres w?rker??1 ID - m`],
    ['msgid', `<1>1 ${T} h t.x p I\x07D\x7f - m`, `<1>1 ${T} h postgres p I?D? - m`],
  ])('is PRINTUSASCII: %s', (_name, line, expected) => expect(texts(build(line))).toEqual([expected]));

  it('is no longer than RFC 5424 allows', () => {
    const [host, dyno, msgid] = [255, 128, 32].map((length) => 'x'.repeat(length));
    const expected = [`<1>1 ${T} ${host} postgres ${dyno} ${msgid} - m`];
    expect(texts(build(`<1>1 ${T} ${host} t.x ${dyno} ${msgid} - m`))).toEqual(expected);
    expect(texts(build(`<1>1 ${T} ${host}y t.x ${dyno}y ${msgid}y - m`))).toEqual(expected);
    expect(texts(build(`<1>1 ${T} ${host}${host} t.x ${dyno}${dyno} ${msgid}${msgid} - m`))).toEqual(
      expected,
    );
  });

  it('has a PRI without leading zeros', () => {
    expect(
      texts(build(`<007>1 ${T} h t.x p - - m`, `<00>1 ${T} h t.x p - - m`, `<0>1 ${T} h t.x p - - m`)),
    ).toEqual(['<7>1', '<0>1', '<0>1'].map((start) => `${start} ${T} h postgres p - - m`));
  });

  it.each([
    ['as the host', `<1>1 ${T} ${FOREIGN_TOKEN} t.x p ID - m`, `<1>1 ${T} 10.0.0.1 postgres p ID - m`],
    ['as the dyno', `<1>1 ${T} h t.x ${FOREIGN_TOKEN} ID - m`, `<1>1 ${T} h postgres - ID - m`],
    ['as the msgid', `<1>1 ${T} h t.x p ${FOREIGN_TOKEN} - m`, `<1>1 ${T} h postgres p - - m`],
    ['in the host', `<1>1 ${T} h-${FOREIGN_TOKEN} t.x p ID - m`, `<1>1 ${T} h-t.**** postgres p ID - m`],
    [
      'in the dyno',
      `<1>1 ${T} h t.x web/${FOREIGN_TOKEN}/1 ID - m`,
      `<1>1 ${T} h postgres web/t.****/1 ID - m`,
    ],
    [
      'in the msgid, cut off',
      `<1>1 ${T} h t.x p ${FOREIGN_TOKEN.slice(0, 32)} - m`,
      `<1>1 ${T} h postgres p - - m`,
    ],
    [
      'in a value',
      `<1>1 ${T} h t.x p - [a@1 k="${FOREIGN_TOKEN}"] m`,
      `<1>1 ${T} h postgres p - [a@1 k="t.****"] m`,
    ],
    ['in an element of its own', `<1>1 ${T} h t.x p - ${TOKEN_ELEMENT} m`, `<1>1 ${T} h postgres p - - m`],
    ['behind one', `<1>1 ${T} h t.x p - [x]${TOKEN_ELEMENT}[y] m`, `<1>1 ${T} h postgres p - [x][y] m`],
    [
      'in one that isn’t well formed',
      `<1>1 ${T} h t.x p - [tailrace@32473 token="${FOREIGN_TOKEN}] m`,
      `<1>1 ${T} h postgres p - - [tailrace@32473 token="t.****] m`,
    ],
    [
      'in one that stands behind a space',
      `<1>1 ${T} h t.x p - [a@1 k="v"] ${TOKEN_ELEMENT} m`,
      `<1>1 ${T} h postgres p - [a@1 k="v"] [tailrace@32473 token="t.****"] m`,
    ],
    [
      'in one behind a NILVALUE',
      `<1>1 ${T} h t.x p - - ${TOKEN_ELEMENT}`,
      `<1>1 ${T} h postgres p - - [tailrace@32473 token="t.****"]`,
    ],
  ])('has no token in it: %s', (_name, line, expected) => expect(texts(build(line))).toEqual([expected]));

  it('leaves a message alone: what an app writes is its own', () => {
    const line = `<1>1 ${T} h t.x p - [a@1 k="v"] \x1b[31m${FOREIGN_TOKEN}\u202e`;
    expect(texts(build(line))).toEqual([line.replace('t.x', 'postgres')]);
  });

  it('holds 8 KiB of structured data; more go in front of the message, without tokens and split like one', () => {
    const data = (length: number) => `[a@1 k="${'v'.repeat(length)}"]`;
    expect(texts(build(`<1>1 ${T} h t.x p - ${data(8_000)} m`))).toEqual([
      `<1>1 ${T} h postgres p - ${data(8_000)} m`,
    ]);
    expect(
      texts(build(`<1>1 ${T} h t.x p - ${data(9_000)}[b@1 k="${FOREIGN_TOKEN}"]${TOKEN_ELEMENT} m`)),
    ).toEqual([`<1>1 ${T} h postgres p - - ${data(9_000)}[b@1 k="t.****"] m`]);
    const batch = build(`<1>1 ${T} h t.x p - ${data(500_000)} m`);
    expect(batch.count).toBe(51);
    expect(Buffer.concat(messages(batch)).toString()).toBe(`${data(500_000)} m`);
  });

  it('can be read by the grammar, has its offsets right and no token in it, whatever comes', () => {
    const line = fc
      .tuple(
        fc.constantFrom('0', '13', '007', '191'),
        anyTimestamp.map((time) => time.replace(' ', 'T')),
        anyField,
        anyField,
        anyField,
        fc.oneof(fc.constantFrom('-', '', '[x]'), validStructuredData, oddStructuredData),
        fc.constantFrom('', 'm', '[x] m', '\ufeffm', TOKEN_ELEMENT),
      )
      .map(
        ([pri, time, host, dyno, msgid, data, message]) =>
          `<${pri}>1 ${time} ${host} t.x ${dyno} ${msgid} ${data} ${message}`,
      );
    const stored =
      /^<(?:0|[1-9]\d{0,2})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) (postgres) ([!-~]{1,128}) ([!-~]{1,32}) (-|(?:\[[!#-<>-\\^-~]+(?: [!#-<>-\\^-~]+="(?:[^"\\]|\\[\s\S])*")*\])+) ([\s\S]*)$/;
    fc.assert(
      fc.property(line, (text) => {
        const batch = build(text);
        const [found] = texts(batch);
        const [, time, host, source, , msgid, data, message] = stored.exec(found) ?? [];
        expect(Date.parse(time)).not.toBeNaN();
        const cursor = new RecordCursor(batch.bytes);
        cursor.advance();
        const from = (start: number): string =>
          Buffer.from(batch.bytes).toString('utf8', start, cursor.textEnd);
        expect(from(cursor.hostStart)).toMatch(`${host} ${source} `);
        expect(from(cursor.sourceStart).startsWith(source)).toBe(true);
        expect(from(cursor.msgidStart).startsWith(`${msgid} ${data} `)).toBe(true);
        expect(from(cursor.messageStart)).toBe(message);
        expect(found.slice(0, found.length - message.length)).not.toMatch(/t\.[\da-f]{8}-[\da-f]{4}-/i);
      }),
      { numRuns: propertyRuns(3_000) },
    );
  });
});

describe('a message that is too long', () => {
  const long = (message: string) => build(`<1>1 ${T} h t.x web.1 ID [a k="v"] ${message}`);

  it.each([
    [MESSAGE_BYTES_MAX, [MESSAGE_BYTES_MAX]],
    [MESSAGE_BYTES_MAX + 1, [MESSAGE_BYTES_MAX, 1]],
    [MESSAGE_BYTES_MAX * 3, [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX]],
  ])('of %i bytes becomes lines of %j', (length, lengths) => {
    const batch = long('m'.repeat(length));
    expect(batch.count).toBe(lengths.length);
    expect(messages(batch).map((message) => message.length)).toEqual(lengths);
  });

  it('is split between characters', () => {
    fc.assert(
      fc.property(fc.constantFrom('ü', '水', '🚰'), fc.nat(5), (character, offset) => {
        const message = 'x'.repeat(offset) + character.repeat(8_000);
        const parts = messages(long(message)).map((part) => part.toString('utf8'));
        expect(parts.join('')).toBe(message);
        expect(parts.join('')).not.toContain('\ufffd');
        for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      }),
      { numRuns: propertyRuns(30) },
    );
  });

  it('is split anyhow when it is no UTF-8', () => {
    const line = Buffer.concat([Buffer.from(`<1>1 ${T} h t.x web.1 - - `), Buffer.alloc(25_000, 0x80)]);
    expect(messages(build(line)).map((part) => part.length)).toEqual([10_000, 10_000, 5_000]);
  });

  it('has its structured data once', () => {
    const [first, second] = texts(long('m'.repeat(15_000)));
    expect(first).toMatch(/^<1>1 \S+ h postgres web.1 ID \[a k="v"\] m+$/);
    expect(second).toMatch(/^<1>1 \S+ h postgres web.1 ID - m+$/);
  });
});

describe('wire formats', () => {
  const lines = [
    `<134>1 ${T} db1 t.x primary ID7 [a k="v"] hello`,
    `<1>1 - - t.x`,
    `<191>1 ${T} h t.x web.1 - - ${'ü'.repeat(6_000)}`,
    `<13>1 ${T} h t.x web.1 - - multi\nline`,
  ];

  it('syslog: the drain’s token as the host, everything else as it was', () => {
    const written = write(syslogLineEncoder('d.1'), build(...lines));
    expect(written[0]).toBe(`<134>1 ${T} d.1 postgres primary ID7 [a k="v"] hello\n`);
    expect(written).toHaveLength(5);
  });

  it('strict: the sender’s own host', () => {
    const [first] = write(syslogLineEncoder(undefined), build(...lines));
    expect(first).toBe(`<134>1 ${T} db1 postgres primary ID7 [a k="v"] hello\n`);
  });

  it('what was written can be read again, whatever the message', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        (messages) => {
          const sent = messages.map((message) => message.replace(/\r?\n$/, ''));
          const batch = build(...sent.map((message) => `<13>1 ${T} h t.x web.1 - - ${message}`));
          const prefix = `<13>1 ${T} d.1 postgres web.1 - - `;
          const read = write(syslogLineEncoder('d.1'), batch);
          expect(read.map((text) => text.slice(prefix.length, -1))).toEqual(
            sent.map((message) => Buffer.from(message.replace(/\r?\n$/, '')).toString()),
          );
        },
      ),
      { numRuns: propertyRuns(100) },
    );
  });
});
