/** JSON that is none, or not what one would expect: taken whole, or rejected whole with one sentence. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BodyCase, BodySender, type ExpectedOutcome } from '../../../support/senders/body-cases.ts';
import { type Server, startServer } from '../../../support/server.ts';

const NO_JSON: ExpectedOutcome = [400, 'Bad request: the body is not valid JSON.'];
const noLine = (number: number): ExpectedOutcome => [
  400,
  `Bad request: line ${number} of the body is not valid JSON.`,
];
const TOO_DEEP: ExpectedOutcome = [400, 'Bad request: the JSON is nested too deep.'];
const TOO_MANY: ExpectedOutcome = [413, 'The body has over 100000 lines: send them in several requests.'];
const TOO_LARGE: ExpectedOutcome = [413, 'The body is over 8000000 bytes: send it in several requests.'];
const NOT_GZIP: ExpectedOutcome = [400, 'Bad request: the body is not valid gzip.'];
const gzip = { 'content-encoding': 'gzip' };
const type = (name: string): [ExpectedOutcome, Record<string, string>] => [
  [
    415,
    `Content-Type ${name} isn't supported: send application/logplex-1, text/plain, application/x-ndjson or application/json.`,
  ],
  { 'content-type': name },
];

const JSON_BODIES: BodyCase[] = [
  ['words', 'hello', NO_JSON],
  ['an object cut short', '{"msg":"a"', NO_JSON],
  ['an array cut short', '[{"msg":"a"},', NO_JSON],
  ['a text cut short', '"hel', NO_JSON],
  ['a trailing comma', '[{"msg":"a"},]', NO_JSON],
  ['a comma in front', '[,{"msg":"a"}]', NO_JSON],
  ['two commas', '[1,,2]', NO_JSON],
  ['no comma', '[1 2]', NO_JSON],
  ['no colon', '{"msg" "a"}', NO_JSON],
  ['a key without quotes', '{msg:"a"}', NO_JSON],
  ['single quotes', "{'msg':'a'}", NO_JSON],
  ['a comment', '{"msg":"a"} // b', NO_JSON],
  ['two values', '{"msg":"a"} {"msg":"b"}', NO_JSON],
  ['a bracket too many', '{"msg":"a"}}', NO_JSON],
  ['brackets that don’t match', '[{"msg":"a"]}', NO_JSON],
  ['NaN', '{"n":NaN}', NO_JSON],
  ['Infinity', '{"n":-Infinity}', NO_JSON],
  ['undefined', 'undefined', NO_JSON],
  ['True', 'True', NO_JSON],
  ['a number with leading zeros', '007', NO_JSON],
  ['a number with a plus', '+1', NO_JSON],
  ['a hexadecimal number', '0x10', NO_JSON],
  ['a number that ends with a point', '1.', NO_JSON],
  ['a lone minus', '-', NO_JSON],
  ['a control character in a text', '{"msg":"a\u0001"}', NO_JSON],
  ['a newline in a text', '{"msg":"a\nb"}', NO_JSON],
  ['a bad escape', '{"msg":"\\x41"}', NO_JSON],
  ['half an escape', '{"msg":"\\u12"}', NO_JSON],
  ['a NUL', '\u0000', NO_JSON],
  ['a NUL behind it', '{"msg":"a"}\u0000', NO_JSON],
  ['UTF-16', Buffer.from('{"msg":"a"}', 'utf16le'), NO_JSON],
  ['a form', 'msg=a', NO_JSON],
  ['XML', '<msg>a</msg>', NO_JSON],
  ['a prefix against scripts', ')]}\',\n{"msg":"a"}', NO_JSON],
  ['gzip without Content-Encoding', gzipSync('{"msg":"a"}'), NO_JSON],
  ['brackets, 200,000 deep', '['.repeat(200_000) + ']'.repeat(200_000), TOO_DEEP],
  ['objects, 100,000 deep', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, TOO_DEEP],
  ['brackets that are only opened', '['.repeat(1_000_000), TOO_DEEP],
  ['braces that are only opened', '{"a":'.repeat(200_000), TOO_DEEP],
  ['an object and 99,990 newlines before a letter', `{}${'\n'.repeat(99_990)}x`, NO_JSON],
  [
    'more keys than an object may have',
    `{${Array.from({ length: 20_001 }, (_, i) => `"k${i}":1`).join(',')}}`,
    [400, 'Bad request: an object in it has over 20000 keys.'],
  ],
  [
    'more objects than a body may have',
    `{"msg":[${'[],'.repeat(1_000_000)}[]]}`,
    [413, 'The JSON has over 1000000 objects and arrays.'],
  ],
  ['too many lines under a name', `{"logs":[${'{},'.repeat(100_000)}{}]}`, TOO_MANY],
  ['too many elements', `[${'1,'.repeat(100_000)}1]`, TOO_MANY],
  ['too large', `"${'x'.repeat(8_000_000)}"`, TOO_LARGE],
  ['a gzip bomb', gzipSync(Buffer.alloc(50_000_000, 0x20)), TOO_LARGE, gzip],
  ['no gzip', '{"msg":"a"}', NOT_GZIP, gzip],
  ['gzip cut short', gzipSync('{"msg":"a"}').subarray(0, 15), NOT_GZIP, gzip],
  ['XML that says so', '<a/>', ...type('application/xml')],
  ['a type that ends with json', '{}', ...type('application/vnd.api+json')],
  ['a type without a slash', '{}', ...type('json')],
  // Odd, but JSON: taken.
  ['nothing', '', 0],
  ['white space', ' \r\n\t', 0],
  ['an empty array', '[]', 0],
  ['an empty object', '{}', 1],
  ['null', 'null', 1],
  ['an array of nulls', '[null,null]', 2],
  ['arrays in an array', '[[],[[]]]', 2],
  ['a byte order mark', '\ufeff{"msg":"a"}', 1],
  ['a lone surrogate', '{"msg":"\\ud800"}', 1],
  ['invalid UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), 1],
  ['the same key twice', '{"msg":"a","msg":"b"}', 1],
  ['a key that is __proto__', '{"msg":"a","__proto__":{"toString":1}}', 1],
  ['an empty key', '{"msg":"a","":1}', 1],
  ['a key of a million characters', `{"msg":"a","${'k'.repeat(1_000_000)}":1}`, 1],
  ['ten thousand keys', `{"msg":"a"${Array.from({ length: 10_000 }, (_, i) => `,"k${i}":1`).join('')}}`, 1],
  ['a number of a million digits', `{"msg":"a","n":${'1'.repeat(1_000_000)}}`, 1],
  ['a message of a megabyte', `{"msg":"${'m'.repeat(1_000_000)}"}`, 1],
  ['a time that is none', '{"msg":"a","time":"yesterday"}', 1],
  ['a time that is an object', '{"msg":"a","time":{"x":1}}', 1],
  ['a time beyond all clocks', '{"msg":"a","time":1e300}', 1],
  ['a negative time', '{"msg":"a","time":-1}', 1],
  ['a level that is none', '{"msg":"a","level":{"x":1}}', 1],
  ['a level of 1e99', '{"msg":"a","level":1e99}', 1],
  ['a hostname of several words', '{"msg":"a","hostname":"a b\\nc"}', 1],
  ['a dyno that breaks out', '{"msg":"a","dyno":"x - - <0>1 evil"}', 1],
  ['a value that breaks out', '{"msg":"a","k":"\\"] evil"}', 1],
  ['a message that is an array', '{"msg":[1,2]}', 1],
  ['a message with line ends', '{"msg":"a\\r\\nb\\u0000c"}', 1],
  ['brackets and quotes in texts', `{"msg":"${'[{\\"'.repeat(2_000)}"}`, 1],
  ['a hundred arrays in each other', `${'['.repeat(100)}${']'.repeat(100)}`, 1],
  ['a level that every object has', '{"msg":"a","level":"constructor"}', 1],
  ['a list of lines', '{"logs":[{"message":"a"},{"message":"b"}]}', 2],
  ['a list of lines with what they have in common', '{"logs":["a","b","c"],"service":"shop"}', 3],
  ['a list of events', '{"events":[{"message":"a"},{"message":"b"}]}', 2],
  ['a list of records', '{"records":[{"a":1}]}', 1],
  ['a list of nothing', '{"logs":[]}', 0],
  ['a line with a list of events', '{"user":"ada","events":[{"a":1},{"b":2}]}', 1],
  ['a line with a message and logs', '{"message":"a","logs":[{},{}]}', 1],
  ['a line with a list of numbers', '{"events":[1,2,3]}', 1],
  ['a line with no logs', '{"user":"ada","logs":[]}', 1],
  ['objects over several lines, one behind the other', '{\n"msg":"a"\n}\n{\n"msg":"b"\n}', 2],
  ['several objects, one a line, under the name of one', '{"msg":"a"}\n{"msg":"b"}', 2],
];

const NDJSON_BODIES: BodyCase[] = [
  ['a bad line among good ones', '{"msg":"a"}\n{\n{"msg":"b"}\n', noLine(2)],
  ['a bad first line', 'x\n{"msg":"a"}\n', noLine(1)],
  ['a bad last line without its newline', '{"msg":"a"}\n{"msg":', noLine(2)],
  ['a bad line behind empty ones', '\n\n{"msg":"a"}\n\nx\n', noLine(5)],
  ['an array over several lines', '[\n1\n]', noLine(1)],
  ['an object over several lines', '{\n"msg":"a"\n}', noLine(1)],
  ['two objects in a line', '{"msg":"a"}{"msg":"b"}\n', noLine(1)],
  ['objects with commas between', '{"msg":"a"},\n{"msg":"b"}\n', noLine(1)],
  ['a NUL between lines', '{"msg":"a"}\n\0\n', noLine(2)],
  ['a record separator', '\u001e{"msg":"a"}\n', noLine(1)],
  ['lines that end with carriage returns alone', '{"msg":"a"}\r{"msg":"b"}\r', noLine(1)],
  ['too many lines', '1\n'.repeat(100_001), TOO_MANY],
  ['a line that is nested too deep', `1\n${'['.repeat(200_000)}${']'.repeat(200_000)}\n`, TOO_DEEP],
  ['nothing', '', 0],
  ['blank lines', '\n\r\n \n', 0],
  ['an array a line', '[1]\n[2]\n', 2],
  ['lines of different kinds', '1\n"two"\n{"msg":"three"}\nnull\r\ntrue', 5],
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

describe('JSON', () => {
  it('at least sixty', () => expect(JSON_BODIES.length + NDJSON_BODIES.length).toBeGreaterThanOrEqual(60));
  for (const one of JSON_BODIES) it(one[0], () => sender.check('http', 'application/json', one));
  for (const one of NDJSON_BODIES)
    it(`lines: ${one[0]}`, () => sender.check('http', 'application/x-ndjson', one));

  it('after all of that every line has its source, and the next request is taken', async () => {
    expect((await sender.send('application/json', '{"msg":"the last"}')).statusCode).toBe(200);
    const lines = (await server.readLines(sender.app, 'format=json&lines=1000')).map((text) =>
      JSON.parse(text),
    );
    expect(lines.at(-1)).toMatchObject({ source: 'app', message: 'the last' });
    expect(lines.filter(({ source }) => source !== 'app')).toEqual([]);
    expect(lines.filter(({ dyno }) => / /.test(dyno))).toEqual([]);
  });
});
