import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEADER_BYTES_MAX, SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

/** The fields of a line, or undefined when it is malformed. */
function fields(line: string | Buffer): Record<string, string | number> | undefined {
  const bytes = Buffer.from(line);
  const header = new SyslogHeader();
  if (!scanHeader(bytes, 0, bytes.length, header)) return undefined;
  const field = (start: number): string => bytes.toString('utf8', start).split(' ', 1)[0];
  return {
    priority: header.priority,
    time: field(header.timeStart),
    host: field(header.hostStart),
    source: field(header.sourceStart),
    dyno: field(header.dynoStart),
    msgid: field(header.msgidStart),
    structured: bytes.toString('utf8', header.sdStart, header.messageStart).trimEnd(),
    message: bytes.toString('utf8', header.messageStart),
  };
}

const T = '2012-12-10T03:00:48.123456Z';

describe('the fields of a line', () => {
  it('are found', () => {
    expect(fields(`<134>1 ${T} erlang t.feff console.1 ID7 - hello world`)).toEqual({
      priority: 134,
      time: T,
      host: 'erlang',
      source: 't.feff',
      dyno: 'console.1',
      msgid: 'ID7',
      structured: '-',
      message: 'hello world',
    });
  });

  it.each([
    '2012-12-10T03:00:48Z',
    '2012-12-10T03:00:48.1+00:00',
    '2012-12-10T03:00:48.123456-08:00',
    // What comes behind these looks like more of a common one.
    '2012-12-10T03:00:48.1234567Z',
    '2012-12-10T03:00:48.',
    '-',
    'yesterday',
  ])('are found whatever the timestamp: %s', (time) => {
    for (const host of ['h', '::1', '1234567Z', '12345678Z:1:::'])
      expect(fields(`<1>1 ${time} ${host} t.a web.1 - - m`)).toMatchObject({
        time,
        host,
        source: 't.a',
        message: 'm',
      });
  });

  it.each([
    ['no message', `<1>1 ${T} h t.a web.1 - -`, { dyno: 'web.1', structured: '-', message: '' }],
    ['an empty message', `<1>1 ${T} h t.a web.1 - - `, { structured: '-', message: '' }],
    ['no structured data', `<1>1 ${T} h t.a web.1 - hello there`, { structured: '', message: 'hello there' }],
    ['ends after MSGID', `<1>1 ${T} h t.a web.1 ID`, { dyno: 'web.1', msgid: 'ID', message: '' }],
    ['ends after PROCID', `<1>1 ${T} h t.a web.1`, { dyno: 'web.1', msgid: '', message: '' }],
    ['ends after APP-NAME', `<1>1 ${T} h t.a`, { source: 't.a', dyno: '', message: '' }],
    ['a message that looks like a dash', `<1>1 ${T} h t.a web.1 - -x`, { structured: '', message: '-x' }],
  ])('may be missing at the end: %s', (_name, line, expected) => {
    expect(fields(line)).toMatchObject(expected);
  });

  it.each([
    ['one element', '[a@1 k="v"]', 'm'],
    ['no parameters', '[a@1]', 'm'],
    ['no parameters behind an element with some', '[origin ip="192.0.2.1"][empty]', 'm'],
    ['no parameters before one', '[empty][origin ip="192.0.2.1"]', 'm'],
    ['more spaces', '[a@1  k="v" ]', 'm'],
    ['many', '[a@1 k="v" l="w"][b@2]', 'm'],
    ['escaped quotes, brackets and backslashes', '[a k="\\"\\]\\\\"]', 'm'],
    ['a bracket and a quote in a value', '[a k="] \\" ["]', 'm'],
    ['UTF-8', '[a k="grüße"]', 'm'],
  ])('structured data: %s', (_name, structured, message) => {
    expect(fields(`<1>1 ${T} h t.a web.1 - ${structured} ${message}`)).toMatchObject({ structured, message });
    expect(fields(`<1>1 ${T} h t.a web.1 - ${structured}`)).toMatchObject({ structured, message: '' });
  });

  it.each([
    '[info] started',
    '[',
    '[]',
    '[a',
    '[a k]x',
    '[a k="v]',
    '[a k="v"',
    '[a k="v\\',
    '[2026-01-01 10:00] x',
    '[main][INFO] x',
    '[a@1 k="v"][b x',
    '[x]y',
  ])('a bracket that isn’t structured data belongs to the message: %s', (message) => {
    expect(fields(`<1>1 ${T} h t.a web.1 - ${message}`)).toMatchObject({ structured: '', message });
  });
});

describe('malformed', () => {
  it.each([
    '',
    'hello',
    '<13>',
    '<13>1',
    `<192>1 ${T} h t.a web.1 - - m`,
    `<999>1 ${T} h t.a web.1 - - m`,
    `<1911>1 ${T} h t.a web.1 - - m`,
    `<>1 ${T} h t.a web.1 - - m`,
    `<x>1 ${T} h t.a web.1 - - m`,
    `<13>2 ${T} h t.a web.1 - - m`,
    `<13>Dec 10 03:00:48 h app: m`,
    `<13>1 ${T}`,
    `<13>1 ${T} h`,
  ])('%j', (line) => {
    expect(fields(line)).toBeUndefined();
  });

  it('a header that is longer than it may be', () => {
    const line = (length: number) => `<13>1 ${T} h t.a ${'x'.repeat(length)} - - m`;
    expect(fields(line(HEADER_BYTES_MAX - 200))).toBeDefined();
    expect(fields(line(HEADER_BYTES_MAX))).toBeUndefined();
    expect(fields(line(HEADER_BYTES_MAX * 20))).toBeUndefined();
  });

  it('a huge message doesn’t make a short header malformed', () => {
    const message = 'm'.repeat(HEADER_BYTES_MAX * 3);
    expect(fields(`<13>1 ${T} h t.a web.1 - - ${message}`)).toMatchObject({ message });
  });
});

describe('any bytes', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc
      .array(fc.constantFrom(...Buffer.from('<>1 -[]"\\=a0\n')), { maxLength: 60 })
      .map((bytes) => Uint8Array.from(bytes)),
  );

  it('never throw, and give fields in their order and within the line', () => {
    fc.assert(
      fc.property(noise, fc.boolean(), (bytes, headed) => {
        const line = Buffer.concat([
          Buffer.from(headed ? '<13>1 - h t.a ' : ''),
          bytes,
          Buffer.from(' after'),
        ]);
        const end = line.length - 6;
        const header = new SyslogHeader();
        if (!scanHeader(line, 0, end, header)) return;
        const { timeStart, hostStart, sourceStart, dynoStart, msgidStart, sdStart, messageStart } = header;
        const places = [
          0,
          timeStart,
          hostStart,
          sourceStart,
          dynoStart,
          msgidStart,
          sdStart,
          messageStart,
          end,
        ];
        expect(places).toEqual([...places].sort((a, b) => a - b));
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });
});
