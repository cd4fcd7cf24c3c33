/** Requests that are changed a little, by a seed: what readers of HTTP disagree about is near what is right. */
import { seededRandom } from '../properties/seeded-random.ts';
import type { HttpVector } from './vectors.ts';

const ODD_BYTES = [
  '\0',
  '\r',
  '\n',
  ' ',
  '\t',
  '\v',
  '\f',
  ':',
  ';',
  ',',
  '"',
  '\x7f',
  '\x80',
  '\xff',
  '+',
  '-',
  '0',
  'x',
];
const ODD_LINES = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 0x5',
  'Content-Length: 5 5',
  'Content-Length : 5',
  'Content-Length:',
  'Content-Length: 18446744073709551621',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\vchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding: "chunked"',
  ' folded: value',
  '\tContent-Length: 5',
  'no colon',
  ': no name',
  'Host: other.example',
  'Connection: Content-Length, close',
  'Expect: 100-continue',
  'X: a\0b',
  `X: ${'y'.repeat(9_000)}`,
];
const ODD_SIZES = [
  '0x5',
  '+5',
  '-5',
  ' 5',
  '5 ',
  '5;a',
  '5;a="\r\n"',
  '5;',
  '5\t',
  '00000000000000005',
  'FFFFFFFFFFFFFFFFF',
  '5.',
  '',
  'g',
];
const ODD_VERSIONS = [
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/1.10',
  'HTTP/01.1',
  'http/1.1',
  'HTTP/1.',
  'HTTP/1.0',
  'HTTP /1.1',
  'HTTP/1.1 ',
];
const ODD_TARGETS = [
  'http://myapp.localhost/',
  'http://other.example/',
  '*',
  '//x',
  '/\0',
  '/ ',
  '/#x',
  '/\x80',
  'myapp.localhost:443',
  '',
];
const LINE_ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\r\n ', ''];

/** Good in every way: of two oddities at once each may be taken by somebody, and both by nobody. */
const BASES = [
  'GET / HTTP/1.1\r\nHost: myapp.localhost\r\nX-One: a\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: myapp.localhost\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: myapp.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: myapp.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
];

/** So many of them, each of which may lead to anything. The same seed gives the same. @param bases that are changed, good in every way */
export function mutantRequests(count: number, seed: number, bases: readonly string[] = BASES): HttpVector[] {
  const random = seededRandom(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
  const changes: readonly ((text: string) => string)[] = [
    (text) => splice(text, Math.floor(random() * text.length), 0, pick(ODD_BYTES)),
    (text) => splice(text, Math.floor(random() * text.length), 1, pick(ODD_BYTES)),
    (text) => splice(text, Math.floor(random() * text.length), 1, ''),
    (text) => afterLine(text, pick(lineStarts(text)), `${pick(ODD_LINES)}\r\n`),
    (text) => text.replace(/\r\n(?=[0-9a-fA-F]+\r\n)/, `\r\n${pick(ODD_SIZES)}\r\n`),
    (text) => text.replace(/(?<=\r\n)[0-9a-fA-F]+(?=\r\n)/, pick(ODD_SIZES)),
    (text) => text.replace(/HTTP\/1\.1/, pick(ODD_VERSIONS)),
    (text) => text.replace(/ \S+ (?=HTTP)/, ` ${pick(ODD_TARGETS)} `),
    (text) => {
      const ends = [...text.matchAll(/\r\n/g)].map(({ index }) => index);
      return ends.length === 0 ? text : splice(text, pick(ends), 2, pick(LINE_ENDS));
    },
  ];
  return Array.from({ length: count }, (_, i) => {
    const text = pick(changes)(pick(bases));
    return {
      name: `mutant ${i} of seed ${seed}: ${JSON.stringify(text.slice(0, 600))}`,
      rule: 'RFC 9112',
      expect: 'any',
      send: text,
    };
  });
}

const splice = (text: string, at: number, removed: number, added: string): string =>
  text.slice(0, at) + added + text.slice(at + removed);

const lineStarts = (text: string): number[] => [...text.matchAll(/\r\n/g)].map(({ index }) => index + 2);

const afterLine = (text: string, at: number | undefined, line: string): string =>
  splice(text, at ?? text.length, 0, line);
