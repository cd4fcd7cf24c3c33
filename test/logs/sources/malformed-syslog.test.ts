/** Malformed and unusual syslog over TCP and UDP: what becomes of it. Lines behind it are never lost. */
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logplexLine, octetCounted, sendOverTcp, TIME } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** What is to become of it: lines of the app, lines of an unknown source, malformed frames. */
interface Outcome {
  readonly messages?: readonly string[];
  readonly malformed?: number;
  readonly unknown?: number;
}

const MALFORMED: Outcome = { malformed: 1 };
const UNKNOWN: Outcome = { unknown: 1 };
const took = (...messages: string[]): Outcome => ({ messages });
const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** `T` stands for the app's token. */
const FRAMING: [string, string | Buffer, Outcome][] = [
  ['a length with leading zeros', `0050 <13>1 ${TIME} h T - - - m`, took('m')],
  ['a length of zero', '0 <13>x', UNKNOWN],
  ['a negative length', '-5 <13>x', MALFORMED],
  ['a length with a plus', '+5 <13>x', MALFORMED],
  ['a hexadecimal length', '0x10 <13>x', MALFORMED],
  ['a length with a fraction', '5.0 <13>x', MALFORMED],
  ['a length with an exponent', '1e3 <13>x', MALFORMED],
  ['a length over 1 MiB', '1048577 <13>x', UNKNOWN],
  ['a length over 2^31', '2147483649 <13>x', UNKNOWN],
  ['a length over 2^32', '4294967297 <13>x', UNKNOWN],
  ['a length over 2^53', '9007199254740993 <13>x', UNKNOWN],
  ['a length of a thousand digits', `${'9'.repeat(1_000)} <13>x`, MALFORMED],
  ['1 MB of digits', '7'.repeat(1_000_000), MALFORMED],
  ['a length without a space', '99', MALFORMED],
  ['a length and a tab', '5\t<13>x', MALFORMED],
  ['a length before something without a PRI', '5 apples', MALFORMED],
  ['a length that is too small', `20 <13>1 ${TIME} h T - - - m`, took('m')],
  ['a length of one', '1 <13>x', UNKNOWN],
  ['nothing but spaces', '    ', MALFORMED],
  ['invalid UTF-8', bytes([0xff, 0xfe, 0xc0, 0x80]), MALFORMED],
  // Every second byte is a NUL, and NULs end lines.
  ['a UTF-16 line', Buffer.from('<13>1 x', 'utf16le').subarray(0, 13), { malformed: 7 }],
  ['escape codes', '\u001b[31mred\u001b[0m', MALFORMED],
  ['an HTTP request', 'GET / HTTP/1.1', MALFORMED],
  ['JSON', '{"message":"x"}', MALFORMED],
  ['a PROXY header, when it isn’t switched on', 'PROXY TCP4 10.0.0.1 10.0.0.2 1 2', MALFORMED],
  ['an SSH greeting', 'SSH-2.0-OpenSSH_9.2', MALFORMED],
];

const HEADERS: [string, string | Buffer, Outcome][] = [
  ['no PRI', 'hello', MALFORMED],
  ['an empty PRI', '<>1 x', MALFORMED],
  ['a PRI that never ends', '<13', MALFORMED],
  ['a PRI of letters', '<ab>1 x', MALFORMED],
  ['a PRI over 191', `<192>1 ${TIME} h T - - - m`, MALFORMED],
  ['<999>', `<999>1 ${TIME} h T - - - m`, MALFORMED],
  ['a PRI of four digits', `<0013>1 ${TIME} h T - - - m`, MALFORMED],
  ['a negative PRI', `<-1>1 ${TIME} h T - - - m`, MALFORMED],
  ['a space in the PRI', `< 13>1 ${TIME} h T - - - m`, MALFORMED],
  ['nothing behind the version', '<13>1', MALFORMED],
  ['nothing behind the time', `<13>1 ${TIME}`, MALFORMED],
  ['nothing behind the host', `<13>1 ${TIME} h`, MALFORMED],
  ['a header of 9,000 bytes', `<13>1 ${TIME} ${'h'.repeat(9_000)} T - - - m`, MALFORMED],
  [
    'structured data of 9,000 bytes',
    `<13>1 ${TIME} h T - - [a@1 k="${'v'.repeat(9_000)}"] m`,
    took(`[a@1 k="${'v'.repeat(9_000)}"] m`),
  ],
  ['nobody', `<13>1 ${TIME} h - - - - m`, UNKNOWN],
  ['somebody else', `<13>1 ${TIME} h nginx - - - m`, UNKNOWN],
  ['a token that isn’t there', `<13>1 ${TIME} h t.00000000-0000-4000-8000-000000000000 - - - m`, UNKNOWN],
  ['half a token', `<13>1 ${TIME} h t.0000 - - - m`, UNKNOWN],
  ['an old line of nobody', '<13>Dec 10 03:00:48 h su: m', UNKNOWN],
  ['a PRI and a word', '<13>x', UNKNOWN],
  ['version 2', `<13>2 ${TIME} h T - - - m`, UNKNOWN],
  ['ends behind the token', `<13>1 ${TIME} h T`, took('')],
  ['ends behind the dyno', `<13>1 ${TIME} h T web.1`, took('')],
  ['ends behind the message id', `<13>1 ${TIME} h T web.1 ID`, took('')],
  ['no message', `<13>1 ${TIME} h T web.1 - -`, took('')],
  ['no time', '<13>1 - h T - - - m', took('m')],
  ['a time that is none', '<13>1 yesterday h T - - - m', took('m')],
  ['a time in the year 9999', '<13>1 9999-12-31T23:59:59Z h T - - - m', took('m')],
  ['a time of 1970', '<13>1 1970-01-01T00:00:00Z h T - - - m', took('m')],
  ['a 13th month', '<13>1 2012-13-10T03:00:48Z h T - - - m', took('m')],
  ['an old line with a 40th of December', '<13>Dec 40 03:00:48 h T: m', took('m')],
  ['unterminated structured data', `<13>1 ${TIME} h T - - [a@1 k="v m`, took('[a@1 k="v m')],
  ['structured data without a name', `<13>1 ${TIME} h T - - [] m`, took('[] m')],
  ['structured data without quotes', `<13>1 ${TIME} h T - - [a@1 k=v] m`, took('[a@1 k=v] m')],
  [
    'structured data that goes on without a space',
    `<13>1 ${TIME} h T - - [a@1 k="v"]m`,
    took('[a@1 k="v"]m'),
  ],
  ['a message of brackets', `<13>1 ${TIME} h T - - [[[[ m`, took('[[[[ m')],
  ['two spaces behind the host', `<13>1 ${TIME} h  T - - - m`, UNKNOWN],
  ['a byte order mark', `<13>1 ${TIME} h T - - - \ufeffm`, took('m')],
  ['half of a byte order mark', bytes(`<13>1 ${TIME} h T - - - `, [0xef, 0xbb]), took('\ufffd')],
  ['invalid UTF-8 in the message', bytes(`<13>1 ${TIME} h T - - - a`, [0xff], 'b'), took('a\ufffdb')],
  ['a carriage return in the message', `<13>1 ${TIME} h T - - - a\rb`, took('a b')],
];

async function outcome(
  protocol: 'tcp' | 'udp',
  push: (token: string) => Promise<void>,
  expected: Outcome,
): Promise<void> {
  const app = await server.createApp();
  const before = await server.sourceCounters(protocol);
  await push(app.token);
  await until('the line behind it', async () => (await server.readMessages(app)).includes('behind'));
  const after = await server.sourceCounters(protocol);
  const messages = await server.readMessages(app);
  expect({
    // The report of wrong counts comes a second later.
    messages: messages.filter((message) => message !== 'behind' && !message.startsWith('Octet counting: '))
      .length,
    malformed: after.malformed - before.malformed,
    unknown: after.unknownToken - before.unknownToken,
  }).toEqual({
    messages: expected.messages?.length ?? 0,
    malformed: expected.malformed ?? 0,
    unknown: expected.unknown ?? 0,
  });
}

const withToken = (text: string | Buffer, token: string): Buffer =>
  Buffer.isBuffer(text)
    ? Buffer.from(text.toString('latin1').replace(/ T /, ` ${token} `), 'latin1')
    : Buffer.from(text.replace(/(?<= )T(?=[ :]|$)/, token));

describe('over TCP', () => {
  it('at least sixty', () => expect(FRAMING.length + HEADERS.length).toBeGreaterThanOrEqual(60));

  it.each([...FRAMING, ...HEADERS])('a line that is %s', async (_name, text, expected) => {
    await outcome(
      'tcp',
      (token) =>
        sendOverTcp(
          server.syslogPort,
          withToken(text, token),
          '\n',
          octetCounted(logplexLine('behind', token)),
        ),
      expected,
    );
  });

  it.each(HEADERS)('a counted frame that is %s', async (_name, text, expected) => {
    if (!withToken(text, '').toString('latin1').startsWith('<')) return;
    await outcome(
      'tcp',
      (token) =>
        sendOverTcp(
          server.syslogPort,
          octetCounted(withToken(text, token)),
          `${logplexLine('behind', token)}\n`,
        ),
      expected,
    );
  });
});

describe('over UDP', () => {
  it.each(HEADERS)('a datagram that is %s', async (_name, text, expected) => {
    const socket = createSocket('udp4');
    const push = (datagram: Buffer | string): Promise<unknown> =>
      new Promise((resolve) => socket.send(datagram, server.syslogPort, '127.0.0.1', resolve));
    await outcome(
      'udp',
      async (token) => {
        await push(withToken(text, token));
        await push(logplexLine('behind', token));
      },
      expected,
    );
    socket.close();
  });
});
