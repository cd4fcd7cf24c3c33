import { expect, test } from 'vitest';
import { ProcfileError, parseProcfile } from '../../../../src/apps/processes/config/procfile.ts';

test('a Procfile is read as foreman reads it', () => {
  const text =
    '# the app\n\nweb: node web.mjs --port $PORT\nworker:node worker.mjs   \nmy_type-2:   a: b # c\n';
  expect(parseProcfile(text)).toEqual([
    { type: 'web', command: 'node web.mjs --port $PORT', line: 3 },
    { type: 'worker', command: 'node worker.mjs', line: 4 },
    { type: 'my_type-2', command: 'a: b # c', line: 5 },
  ]);
});

test('CRLF and a byte order mark are tolerated', () => {
  expect(parseProcfile('\uFEFFweb: a\r\n\r\nworker: b\r\n')).toEqual([
    { type: 'web', command: 'a', line: 1 },
    { type: 'worker', command: 'b', line: 3 },
  ]);
});

test.each([
  ['', 1, 'no process type'],
  ['# nothing\n\n', 1, 'no process type'],
  ['web: a\nweb: b', 2, '"web" is already defined on line 1'],
  ['web: a\n__proto__: b', 2, '"__proto__" can\'t be a process type'],
  ['web: a\nnonsense', 2, 'is no entry'],
  ['web:', 1, 'has no command'],
  ['web:   ', 1, 'has no command'],
  ['\n  web: a', 2, 'starts with white space'],
  ['my web: a', 1, 'rename it'],
  ['wéb: a', 1, 'rename it'],
  [': a', 1, 'is no entry'],
  ['web: a\nw\0e\0b\0', 2, 'save the file as UTF-8'],
  [Buffer.from('\uFEFFweb: a', 'utf16le').toString('utf8'), 1, 'save the file as UTF-8'],
])('%j is refused', (text, line, part) => {
  const parse = () => parseProcfile(text);
  expect(parse).toThrow(ProcfileError);
  expect(parse).toThrow(expect.objectContaining({ line, message: expect.stringContaining(part) }));
});
