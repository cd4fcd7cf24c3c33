/** Bodies of `application/logplex-1` that are not quite right: taken whole, or rejected whole with one sentence. */
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BodyCase, BodySender, type ExpectedOutcome } from '../../../support/senders/body-cases.ts';
import { logplexBody, logplexLine, octetCounted, TIME } from '../../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../../support/server.ts';

const MALFORMED: ExpectedOutcome = [400, 'Malformed log messages'];
const MISCOUNTED: ExpectedOutcome = [400, 'Message count mismatch'];
const NOT_GZIP: ExpectedOutcome = [400, 'Bad request: the body is not valid gzip.'];
const TOO_LARGE: ExpectedOutcome = [413, 'The body is over 8000000 bytes: send it in several requests.'];
const good = logplexBody(['good']);
const join = (...parts: (string | Buffer | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
const gzip = { 'content-encoding': 'gzip' };
const count = (text: string) => ({ 'logplex-msg-count': text });
const encoding = (name: string): [ExpectedOutcome, Record<string, string>] => [
  [
    415,
    `Content-Encoding ${name} isn't supported: send gzip${'zstdDecompress' in process.getBuiltinModule('node:zlib') ? ' or zstd' : ''}, or none.`,
  ],
  { 'content-encoding': name },
];

const FRAMING: BodyCase[] = [
  ['nothing', '', 0],
  ['no length', 'hello\n', MALFORMED],
  ['a length with leading zeros', `0050 ${logplexLine('m')}`, MALFORMED],
  ['a length of zero', '0 x', MALFORMED],
  ['a negative length', '-5 hello', MALFORMED],
  ['a length with a plus', '+5 hello', MALFORMED],
  ['a hexadecimal length', '0x5 hello', MALFORMED],
  ['a length with a fraction', '5.0 hello', MALFORMED],
  ['a length with an exponent', '1e1 hello', MALFORMED],
  ['a length with a comma', '1,000 hello', MALFORMED],
  ['a length in full-width digits', '５ hello', MALFORMED],
  ['a length with a quote', '"5" hello', MALFORMED],
  ['a length that is one too large', '6 hello', MALFORMED],
  ['a length that is one too small', '4 hello', MALFORMED],
  ['a length over 1 MiB', '1048577 hello', MALFORMED],
  ['a length over 2^31', '2147483649 hello', MALFORMED],
  ['a length over 2^32', '4294967297 hello', MALFORMED],
  ['a length over 2^53', '9007199254740993 hello', MALFORMED],
  ['a length of a thousand digits', `${'9'.repeat(1_000)} hello`, MALFORMED],
  ['1 MB of digits', '7'.repeat(1_000_000), MALFORMED],
  ['a length and nothing else', '12', MALFORMED],
  ['a length and a space', '12 ', MALFORMED],
  ['a length and a tab', '5\thello', MALFORMED],
  ['a length and a newline', '5\nhello', MALFORMED],
  ['a length and a no-break space', '5\u00a0hello', MALFORMED],
  ['two spaces behind the length', '5  hello', MALFORMED],
  ['a space in front', join(' ', good), MALFORMED],
  ['a newline in front', join('\n', good), MALFORMED],
  ['a byte order mark in front', join('\ufeff', good), MALFORMED],
  ['a newline between frames', join(good, '\n', good), MALFORMED],
  ['a line end between frames', join(good, '\r\n', good), MALFORMED],
  ['a NUL between frames', join(good, [0], good), MALFORMED],
  ['a space behind the last frame', join(good, ' '), MALFORMED],
  ['a digit behind the last frame', join(good, '1'), MALFORMED],
  ['garbage behind a good frame', join(good, 'garbage'), MALFORMED],
  ['garbage in front of a good frame', join('garbage', good), MALFORMED],
  ['a frame that is cut short behind a good one', join(good, good.subarray(0, 40)), MALFORMED],
  ['nothing but a newline', '\n', MALFORMED],
  ['nothing but a NUL', '\0', MALFORMED],
  ['nothing but a space', ' ', MALFORMED],
  ['lines that end with newlines', `${logplexLine('a')}\n${logplexLine('b')}\n`, MALFORMED],
  ['lines that end with NULs', `${logplexLine('a')}\0`, MALFORMED],
  ['UTF-16', Buffer.from(good.toString(), 'utf16le'), MALFORMED],
  ['JSON', '[{"msg":"a"}]', MALFORMED],
  ['a form', 'a=b&c=d', MALFORMED],
  ['another HTTP request', 'POST /logs HTTP/1.1\r\n\r\n', MALFORMED],
  ['a TLS greeting', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), MALFORMED],
  ['a PROXY header', join('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', good), MALFORMED],
  ['gzip without Content-Encoding', gzipSync(good), MALFORMED],
];

const COUNTS: BodyCase[] = [
  ['too few', good, MISCOUNTED, count('0')],
  ['too many', good, MISCOUNTED, count('2')],
  ['a negative one', good, MISCOUNTED, count('-1')],
  ['one with a plus', good, MISCOUNTED, count('+1')],
  ['one with a fraction', good, MISCOUNTED, count('1.0')],
  ['a hexadecimal one', good, MISCOUNTED, count('0x1')],
  ['one with an exponent', good, MISCOUNTED, count('1e0')],
  ['a word', good, MISCOUNTED, count('one')],
  ['over 2^53', good, MISCOUNTED, count('9007199254740993')],
  ['several', good, MISCOUNTED, count('1, 1')],
  ['some, of nothing', '', MISCOUNTED, count('1')],
];

const LINES: BodyCase[] = [
  ['just words', octetCounted('just words'), 1],
  ['<999>', octetCounted(logplexLine('m').replace('190', '999')), 1],
  ['no PRI', octetCounted(logplexLine('m').slice(5)), 1],
  ['a PRI that never ends', octetCounted('<13'), 1],
  ['an empty PRI', octetCounted('<>1 x'), 1],
  ['a PRI and nothing else', octetCounted('<13>'), 1],
  ['version 2', octetCounted(logplexLine('m').replace('>1', '>2')), 1],
  ['a time that is none', octetCounted(logplexLine('m').replace(TIME, 'tomorrow')), 1],
  ['ends behind the time', octetCounted(`<13>1 ${TIME}`), 1],
  ['no structured data', octetCounted(`<190>1 ${TIME} host token web.1 - m`), 1],
  ['unterminated structured data', octetCounted(`<190>1 ${TIME} h token web.1 - [a@1 k="v m`), 1],
  ['a header of 9,000 bytes', octetCounted(`<190>1 ${TIME} ${'h'.repeat(9_000)} token web.1 - - m`), 1],
  ['one byte', '1 x', 1],
  ['one newline', '1 \n', 1],
  ['one space', '1  ', 1],
  ['one NUL', '1 \0', 1],
  ['invalid UTF-8', octetCounted(join(logplexLine(''), [0xff, 0xc0, 0x80])), 1],
  ['CR, LF and NUL inside', octetCounted(logplexLine('a\rb\nc\0d')), 1],
  ['1 MB without a header', octetCounted('x'.repeat(1_000_000)), 1],
  ['a count inside of the message', octetCounted(logplexLine('5 hello')), 1],
];

const PACKED: BodyCase[] = [
  ['no gzip at all', good, NOT_GZIP, gzip],
  ['nothing as gzip', '', NOT_GZIP, gzip],
  ['gzip cut short', gzipSync(good).subarray(0, -9), NOT_GZIP, gzip],
  ['gzip without its checksum', gzipSync(good).subarray(0, -8), NOT_GZIP, gzip],
  ['a wrong checksum', join(gzipSync(good).subarray(0, -8), Array(8).fill(7)), NOT_GZIP, gzip],
  ['zlib’s form', deflateSync(good), NOT_GZIP, gzip],
  ['gzip in gzip', gzipSync(gzipSync(good)), MALFORMED, gzip],
  ['a gzip bomb', gzipSync(Buffer.alloc(50_000_000, 0x31)), TOO_LARGE, gzip],
  ['too large', Buffer.alloc(8_000_001, 0x31), TOO_LARGE],
  ['deflate', deflateSync(good), ...encoding('deflate')],
  ['Brotli', good, ...encoding('br')],
  ['two encodings', gzipSync(good), ...encoding('gzip, gzip')],
  ['an encoding that isn’t one', good, ...encoding('none')],
  ['an encoding named as what every object has', good, ...encoding('constructor')],
  ['an encoding named as the prototype', good, ...encoding('__proto__')],
];

let server: Server;
let sender: BodySender;
beforeAll(async () => {
  server = await startServer();
  sender = new BodySender(server, await server.createApp(), '/logs');
});
afterAll(async () => {
  await sender.close();
  await server.close();
});

const check = (one: BodyCase): Promise<void> => sender.check('http', 'application/logplex-1', one);

describe('application/logplex-1', () => {
  it('at least sixty', () => {
    expect(FRAMING.length + COUNTS.length + LINES.length + PACKED.length).toBeGreaterThanOrEqual(60);
  });

  for (const one of FRAMING) it(`frames: ${one[0]}`, () => check(one));
  for (const one of COUNTS) it(`a count that is ${one[0]}`, () => check(one));
  for (const one of LINES) it(`a line that is ${one[0]}`, () => check(one));
  for (const one of PACKED) it(`packed: ${one[0]}`, () => check(one));

  it('after all of that, the next request is taken', async () => {
    await sender.send('application/logplex-1', logplexBody(['the last']));
    expect((await server.readMessages(sender.app)).at(-1)).toBe('the last');
  });
});

describe('application/logplex-1, each line with its own token', () => {
  const key = (): Record<string, string> => ({ authorization: `Bearer ${server.key}` });
  const own = (text: string): Buffer => octetCounted(text.replaceAll('TOKEN', sender.app.token));
  const nobodys: ExpectedOutcome = [
    401,
    'Unauthorized: none of the lines has a source token that is known as its APP-NAME; show one in ?token= for all of them.',
  ];
  it.each<[string, () => Buffer, ExpectedOutcome]>([
    ['a line of nobody', () => own(logplexLine('m', 't.00000000-0000-4000-8000-000000000000')), nobodys],
    ['a line that names a source', () => own(logplexLine('m', 'nginx')), nobodys],
    ['a line without a header', () => own('just words'), MALFORMED],
    ['a good line and one without a header', () => join(own(logplexLine('m', 'TOKEN')), own('x')), MALFORMED],
    [
      'a good line and one of nobody',
      () => join(own(logplexLine('m', 'TOKEN')), own(logplexLine('m', 't.x'))),
      1,
    ],
    ['an empty token', () => own(`<190>1 ${TIME} h  web.1 - - m`), nobodys],
    ['an old line', () => own('<13>Dec 10 03:00:48 h TOKEN: m'), MALFORMED],
  ])('%s', (name, bytes, outcome) => check([name, bytes(), outcome, key()]));
});
