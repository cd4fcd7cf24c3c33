import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { rfc3164ToRfc5424 } from '../../../src/logs/syslog/rfc3164.ts';
import { formatTimestamp, isTimestamp } from '../../../src/logs/syslog/timestamp.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const NOW = new Date(2026, 10, 21, 9).getTime();
/** A time of this machine's clock, as it is stored. */
const local = (...parts: [number, number, number, number, number, number]): string =>
  formatTimestamp(new Date(...parts).getTime());
const read = (line: string): string | undefined => {
  const bytes = Buffer.from(line);
  return rfc3164ToRfc5424(bytes, 0, bytes.length, NOW)?.toString();
};

const T = local(2026, 10, 21, 8, 0, 0);
const micros = (time: string, digits: string): string => time.replace('.000000', `.${digits}`);

describe('lines of RFC 3164', () => {
  it.each([
    [
      'RFC 3164’s example',
      "<34>Oct 11 22:14:15 mymachine su: 'su root'",
      `<34>1 ${local(2026, 9, 11, 22, 14, 15)} mymachine su - - - 'su root'`,
    ],
    [
      'a day below ten',
      '<13>Nov  5 08:00:00 10.0.0.9 Use the BFG!',
      `<13>1 ${local(2026, 10, 5, 8, 0, 0)} 10.0.0.9 - - - - Use the BFG!`,
    ],
    ['a leading zero', '<13>Nov 05 08:00:00 h a: m', `<13>1 ${local(2026, 10, 5, 8, 0, 0)} h a - - - m`],
    ['a host with an umlaut', '<13>Nov 21 08:00:00 büro-1 su[123]: m', `<13>1 ${T} b?ro-1 su 123 - - m`],
    [
      'a host with an umlaut before a token',
      '<13>Nov 21 08:00:00 büro t.feff49f1-0000-4000-8000-000000000000: m',
      `<13>1 ${T} b?ro t.feff49f1-0000-4000-8000-000000000000 - - - m`,
    ],
    ['a word with an umlaut and no tag', '<13>Nov 21 08:00:00 büro zu', `<13>1 ${T} - - - - - büro zu`],
    ['a process id', '<13>Nov 21 08:00:00 h su[123]: m', `<13>1 ${T} h su 123 - - m`],
    ['a process id that is none', '<13>Nov 21 08:00:00 h su[web.1]: m', `<13>1 ${T} h su web.1 - - m`],
    ['a tag without a colon', '<13>Nov 21 08:00:00 h su[123] m', `<13>1 ${T} h su 123 - - m`],
    [
      'no host, as `logger` and many libraries have it',
      '<13>Nov 21 08:00:00 su[123]: m',
      `<13>1 ${T} - su 123 - - m`,
    ],
    ['no host, no process id', '<13>Nov 21 08:00:00 su: m', `<13>1 ${T} - su - - - m`],
    ['no time', '<13>su[123]: m', '<13>1 - - su 123 - - m'],
    ['no time, no process id', '<13>su: m', '<13>1 - - su - - - m'],
    ['nothing but a PRI', '<13>hello world', '<13>1 - - - - - - hello world'],
    ['no PRI', 'Nov 21 08:00:00 h nginx: m', `<13>1 ${T} h nginx - - - m`],
    [
      'nginx',
      '<190>Nov 21 08:00:00 h nginx: 1.2.3.4 - - "GET / HTTP/1.1" 200',
      `<190>1 ${T} h nginx - - - 1.2.3.4 - - "GET / HTTP/1.1" 200`,
    ],
    [
      'a token as tag',
      '<13>Nov 21 08:00:00 h t.feff49f1-0000-4000-8000-000000000000[7]: m',
      `<13>1 ${T} h t.feff49f1-0000-4000-8000-000000000000 7 - - m`,
    ],
    [
      'a token as host',
      '<13>Nov 21 08:00:00 t.feff49f1-0000-4000-8000-000000000000 su: m',
      `<13>1 ${T} t.feff49f1-0000-4000-8000-000000000000 su - - - m`,
    ],
    ['an IPv6 host', '<13>Nov 21 08:00:00 fe80::1 su[1]: m', `<13>1 ${T} fe80::1 su 1 - - m`],
    ['a path as tag', '<13>Nov 21 08:00:00 h postfix/smtpd[1]: m', `<13>1 ${T} h postfix/smtpd 1 - - m`],
    [
      'rsyslog’s time',
      '<13>2026-11-21T08:00:00.123456+01:00 h su[1]: m',
      '<13>1 2026-11-21T08:00:00.123456+01:00 h su 1 - - m',
    ],
    [
      'an offset without a colon',
      '<13>2026-11-21T08:00:00+0100 h su: m',
      '<13>1 2026-11-21T08:00:00+01:00 h su - - - m',
    ],
    [
      'nanoseconds',
      '<13>2026-11-21T08:00:00.123456789Z h su: m',
      '<13>1 2026-11-21T08:00:00.123456Z h su - - - m',
    ],
    ['milliseconds', '<13>Nov 21 08:00:00.123 h su: m', `<13>1 ${micros(T, '123000')} h su - - - m`],
    [
      'a year behind the day',
      '<13>Nov 21 2025 08:00:00 h su: m',
      `<13>1 ${local(2025, 10, 21, 8, 0, 0)} h su - - - m`,
    ],
    [
      'a year behind the time',
      '<13>Nov 21 08:00:00 2025 h su: m',
      `<13>1 ${local(2025, 10, 21, 8, 0, 0)} h su - - - m`,
    ],
    [
      'Cisco ASA',
      '<166>Nov 21 2026 08:00:00 fw1 : %ASA-6-302013: Built',
      `<166>1 ${T} fw1 %ASA-6-302013 - - - Built`,
    ],
    [
      'Cisco IOS',
      '<187>123: *Nov 21 08:00:00.123: %SYS-5-CONFIG_I: Configured',
      `<187>1 ${micros(T, '123000')} - %SYS-5-CONFIG_I - - - Configured`,
    ],
    ['UTC', '<13>Nov 21 08:00:00 UTC h su: m', '<13>1 2026-11-21T08:00:00.000000+00:00 h su - - - m'],
    ['capitals', '<13>NOV 21 08:00:00 h su: m', `<13>1 ${T} h su - - - m`],
    ['an indented message', '<13>Nov 21 08:00:00 h su:   m', `<13>1 ${T} h su - - -   m`],
    ['an empty message', '<13>Nov 21 08:00:00 h su:', `<13>1 ${T} h su - - - `],
    ['several lines', '<13>Nov 21 08:00:00 h java[1]: a\n\tat b\n', `<13>1 ${T} h java 1 - - a\n\tat b\n`],
    ['UTF-8', '<13>Nov 21 08:00:00 h su: grüße ✓', `<13>1 ${T} h su - - - grüße ✓`],
  ])('%s', (_name, line, expected) => {
    expect(read(line)).toBe(expected);
  });

  it.each([
    '<13>Feb 30 08:00:00 h su: m',
    '<13>Apr 31 08:00:00 h su: m',
    '<13>Dec 40 08:00:00 h su: m',
    '<13>Nov 00 08:00:00 h su: m',
    '<13>Nov 21 24:00:00 h su: m',
    '<13>Nov 21 08:60:00 h su: m',
    '<13>Nov 21 08:00:60 h su: m',
    '<13>Nov 21 99:99:99 h su: m',
    '<13>Feb 29 2025 08:00:00 h su: m',
    '<13>Nov 21 08:00:60 UTC h su: m',
  ])('have no time when no calendar has it: %s', (line) => expect(read(line)).toBe('<13>1 - h su - - - m'));

  it('take the year that is nearest', () => {
    const january = new Date(2027, 0, 1, 0, 5).getTime();
    const line = Buffer.from('<13>Dec 31 23:59:59 h su: m');
    expect(rfc3164ToRfc5424(line, 0, line.length, january)?.toString()).toContain(
      local(2026, 11, 31, 23, 59, 59),
    );
    const december = new Date(2026, 11, 31, 23, 59).getTime();
    const early = Buffer.from('<13>Jan 01 00:00:01 h su: m');
    expect(rfc3164ToRfc5424(early, 0, early.length, december)?.toString()).toContain(
      local(2027, 0, 1, 0, 0, 1),
    );
  });

  it.each(['junk', '', '<>x', '<999>x', '<192>Nov 21 08:00:00 h su: m', '<13', '13>x', 'Nov', '{"a":1}'])(
    'are none of it: %j',
    (line) => expect(read(line)).toBeUndefined(),
  );

  it('of any bytes: the header that is written can be read, the message keeps its bytes', () => {
    const piece = fc.constantFrom(
      '<13>',
      'Nov 21 08:00:00 ',
      'host ',
      'su',
      '[12]',
      ': ',
      ' ',
      '\n',
      '2026-11-21T08:00:00Z ',
      '*',
      '1: ',
      'é',
      '-',
    );
    const text = fc.array(fc.oneof(piece, fc.string({ maxLength: 8, unit: 'binary' })), { maxLength: 10 });
    fc.assert(
      fc.property(text, (pieces) => {
        const bytes = Buffer.from(pieces.join(''));
        const made = rfc3164ToRfc5424(bytes, 0, bytes.length, NOW);
        if (!made) return;
        const header = new SyslogHeader();
        expect(scanHeader(made, 0, made.length, header)).toBe(true);
        const message = made.subarray(header.messageStart).toString('latin1');
        expect(bytes.toString('latin1').endsWith(message)).toBe(true);
        const timeEnd = header.hostStart - 1;
        expect(made[header.timeStart] === 0x2d || isTimestamp(made, header.timeStart, timeEnd)).toBe(true);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });
});
