/** Texts that people and their files hold: searches, times, Procfile, .env, archives, messages. */
import assert from 'node:assert/strict';
import { batchOfLines } from '../../../bench/viewer/log-lines.ts';
import { readPapertrailLine } from '../../../drains/viewer/archive/formats/papertrail.ts';
import { parseGemfileLock } from '../../../src/apps/build/languages/gemfile.ts';
import { parseGoMod } from '../../../src/apps/build/languages/go-mod.ts';
import { parsePackageJson } from '../../../src/apps/build/nodejs/package-json.ts';
import { parseSlugIgnore } from '../../../src/apps/build/slugignore.ts';
import { FramedInput } from '../../../src/apps/host/one-off/framed-input.ts';
import { EnvFileError, formatEnvFile, parseEnvFile } from '../../../src/apps/processes/config/env-file.ts';
import { ProcfileError, parseProcfile } from '../../../src/apps/processes/config/procfile.ts';
import { TailraceError } from '../../../src/common/errors.ts';
import { parseNetworks } from '../../../src/common/http/trusted-proxies.ts';
import { TarError } from '../../../src/common/tar/tar-header.ts';
import { TarReader } from '../../../src/common/tar/tar-reader.ts';
import { parseAgo, parseDuration, parseTime } from '../../../src/common/time-expression.ts';
import { prepareQuery } from '../../../src/logs/query/query-matcher.ts';
import { parseQuery } from '../../../src/logs/query/query-parser.ts';
import { printQuery } from '../../../src/logs/query/query-printer.ts';
import { QuerySyntaxError } from '../../../src/logs/query/query-syntax.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { messageLevel } from '../../../src/logs/syslog/level.ts';
import { sanitize, terminalSafeJson } from '../../../src/logs/tails/output/sanitize.ts';
import { parseAnsi } from '../../../src/web/text/ansi.ts';
import { parseFields } from '../../../src/web/text/message-fields.ts';
import type { FuzzTarget } from '../engine/fuzz-target.ts';

/** Errors of these classes are answers. */
function answer<T>(
  read: () => T,
  ...refusals: (abstract new (
    ...values: never[]
  ) => Error)[]
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error && refusals.some((refusal) => error instanceof refusal))) throw error;
    assert(error.message.length > 10, 'the error says nothing');
    return undefined;
  }
}

const searchedLine = batchOfLines([
  `<134>1 2026-11-28T12:30:15.123456Z host app web.1 - - at=info path="/a b" status=500 {"user":{"id":7},"duration":"1.5s"} \u001b[31merror\u001b[0m é`,
]).bytes;

const query: FuzzTarget = {
  name: 'search-expression',
  bytesMax: 1_200,
  seeds: [
    'error -"health check" (status:>=500 OR status:404) source:router',
    'program:web.1 severity:error since:10m until:"2026-01-31 12:00"',
    'user.id:7 duration:>1s /a(b|c)+\\/d/i',
    'path:\'/a "b"\' -program:(a b c) AND x* OR y',
    '"OR" -(a -b) 10:30 ::1 http://x/y main(argc, argv)',
  ],
  words: [
    ' OR ',
    ' AND ',
    ' -',
    '(',
    ')',
    '"',
    "'",
    '/',
    '/i',
    ':',
    '>=',
    '<',
    'status:',
    'since:',
    '*',
    '?',
    '\\',
    '[a-',
    '{1,9}',
    '(?',
  ],
  check(input) {
    const text = input.toString();
    const read = answer(() => parseQuery(text), QuerySyntaxError);
    if (!read) return;
    const printed = printQuery(read);
    // With quotes of both kinds in one value it can't be in quotes: it is written as something that finds the same.
    if (!hasBothQuotes(read))
      assert.deepEqual(
        answer(() => parseQuery(printed), QuerySyntaxError),
        read,
        `read again: ${printed}`,
      );
    const prepared = answer(() => prepareQuery(text), QuerySyntaxError, TailraceError);
    const line = new RecordCursor(searchedLine);
    if (prepared?.matcher && line.advance()) prepared.matcher.matches(line, Buffer.from(searchedLine));
  },
};

function hasBothQuotes(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasBothQuotes);
  return typeof value === 'string' && value.includes('"') && value.includes("'");
}

const NOW = Date.UTC(2026, 10, 28, 12);
const time: FuzzTarget = {
  name: 'time-expression',
  bytesMax: 64,
  seeds: [
    '10m',
    '1h30m ago',
    '-2d',
    '03:00',
    '3:04 pm',
    'yesterday 12:00',
    '2026-01-31 12:00',
    '2026-01-31T12:00:00.123+02:00',
    '1769860800',
    'today',
    'now',
  ],
  words: ['ago', 'pm', 'm', 'h', ' ', 'Z', '+02:00', ':', '-', 'T'],
  check(input) {
    const text = input.toString();
    for (const ms of [parseTime(text, NOW), parseDuration(text), parseAgo(text)])
      assert(ms === undefined || Number.isFinite(ms), `${ms}`);
    const duration = parseDuration(text);
    assert(duration === undefined || duration >= 0);
  },
};

const procfile: FuzzTarget = {
  name: 'procfile',
  seeds: ['web: node server.js --port $PORT\nworker: ./work\n# a comment\n\nrelease: rake db:migrate\r\n'],
  words: ['web:', 'release: ', '#', '\r', '\t'],
  check(input) {
    const entries = answer(() => parseProcfile(input.toString()), ProcfileError);
    if (!entries) return;
    assert.equal(new Set(entries.map(({ type }) => type)).size, entries.length);
    for (const { type, command } of entries) {
      assert.match(type, /^[A-Za-z0-9_-]+$/);
      assert(command.trim() !== '' && !command.includes('\n'));
    }
  },
};

const envFile: FuzzTarget = {
  name: 'env-file',
  seeds: ['A=1\nexport B="x\\ny" # c\nC=\'a\nb\'\nD: e\n__proto__=x\nE=a#b\n'],
  words: ['A=', 'export ', '"', "'", '\\', '#', ' #', '$', '`', ': '],
  check(input) {
    const values = answer(() => parseEnvFile(input.toString()), EnvFileError);
    if (!values) return;
    const written = formatEnvFile(values);
    if (!written.includes('\0')) assert.deepEqual(parseEnvFile(written), values, `read again: ${written}`);
  },
};

const slugIgnore: FuzzTarget = {
  name: 'slugignore',
  seeds: ['*.log\n/tmp\n!keep.log\nnode_modules/\na/**/b\n[a-c]?\\ \n'],
  words: ['**', '/', '!', '[', ']', '\\', '?', '*', '[!a]', '[[:alpha:]]'],
  check(input) {
    const isIgnored = parseSlugIgnore(input.toString());
    for (const path of ['a.log', 'tmp', 'keep.log', 'a/x/b', 'node_modules', '\xe9'])
      for (const isDirectory of [true, false]) isIgnored(path, isDirectory);
  },
};

function tarHeader(name: string, size: number, type: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('14724060512\0', 136);
  block.write(type, 156);
  block.write('ustar\0' + '00', 257);
  block.fill(' ', 148, 156);
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
const blocks = (text: string): Buffer => {
  const block = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  block.write(text, 'latin1');
  return block;
};
const TAR = Buffer.concat([
  tarHeader('dir/', 0, '5'),
  tarHeader('pax', 27, 'x'),
  blocks('27 path=dir/longer-name.js\n'),
  tarHeader('file', 5, '0'),
  blocks('hello'),
  tarHeader('link', 0, '2'),
  Buffer.alloc(1_024),
]);
const TAR_BYTES_MAX = 100_000;

const tar: FuzzTarget = {
  name: 'tar',
  seeds: [TAR],
  words: [
    'ustar',
    '\0',
    'path=',
    '11 path=a\n',
    '../',
    '/',
    '7777777',
    'x',
    'L',
    Buffer.alloc(512),
    tarHeader('a', 3, '0'),
    tarHeader('././@LongLink', 600, 'L'),
  ],
  async check(input) {
    const pieces = [input.subarray(0, 700), input.subarray(700)].filter(({ length }) => length > 0);
    const reader = new TarReader(toAsync(pieces), TAR_BYTES_MAX);
    let bytes = 0;
    try {
      for (let member = await reader.next(); member; member = await reader.next()) {
        let length = 0;
        for (let body = await reader.readBody(300); body; body = await reader.readBody(300))
          length += body.length;
        assert.equal(length, member.byteCount);
        bytes += length;
      }
    } catch (error) {
      if (!(error instanceof TarError)) throw error;
    }
    assert(bytes <= Math.min(TAR_BYTES_MAX, input.length), 'more bytes than there are');
  },
};

async function* toAsync(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

const framedInput: FuzzTarget = {
  name: 'rendezvous-frames',
  seeds: [Buffer.from('\0\0\0\x05hello\0\0\0\x01a\0\0\0\0', 'latin1'), Buffer.from('\0\0\0\x02hi', 'latin1')],
  words: [Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 1]), Buffer.from([0xff, 0xff, 0xff, 0xff])],
  check(input) {
    assert.equal(unframed([...input].map((byte) => Buffer.from([byte]))), unframed([input]));
  },
};

function unframed(chunks: readonly Buffer[]): string {
  let text = '';
  const frames = new FramedInput();
  frames.push = (chunk: Buffer | null): boolean => {
    text += chunk === null ? '|end' : chunk.toString('latin1');
    return true;
  };
  for (const chunk of chunks) {
    if (text.endsWith('|end')) break;
    frames._transform(chunk, 'latin1', () => {});
  }
  frames.destroy();
  return text;
}

const files: FuzzTarget = {
  name: 'build-files',
  seeds: [
    'module example.com/x\n\ngo 1.22\n\n// +heroku install ./cmd/...\n',
    'GEM\n  remote: https://rubygems.org/\n  specs:\n    rails (7.1.2)\n\nRUBY VERSION\n   ruby 3.2.2p53\n',
    '{"name":"x","engines":{"node":"20.x"},"scripts":{"start":"node ."},"workspaces":["a"],"packageManager":"pnpm@9.1.0"}',
  ],
  words: ['ruby ', 'go ', 'module ', '"engines":', '"scripts":', 'null', '[]', '{}'],
  check(input) {
    const text = input.toString();
    parseGemfileLock(text);
    parseGoMod(text);
    const json = parsed(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json))
      parsePackageJson(json as Readonly<Record<string, unknown>>);
  },
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const papertrail: FuzzTarget = {
  name: 'papertrail-line',
  seeds: [
    '1234567890\t2026-11-28 12:30:15\t2026-11-28 12:30:16\t77\tweb\t192.0.2.1\tUser\tInfo\tapp/web.1\thello\\tyou',
  ],
  words: ['\t', '\\n', '\\', 'UTC', '/', 'Local 7'],
  check(input) {
    const line = readPapertrailLine(input.toString());
    if (line)
      assert(Number.isInteger(line.record.priority) && line.record.priority >= 0, `${line.record.priority}`);
  },
};

const networks: FuzzTarget = {
  name: 'networks',
  seeds: ['10.0.0.0/8, 192.168.1.1', '2001:db8::/32,::1', 'loopback, private'],
  words: ['/', ',', '::', '/129', '/33', '10.0.0.1'],
  check(input) {
    const found = parseNetworks(input.toString());
    if (found) assert(found.every((network) => network !== ''));
  },
};

/** What a terminal would obey, or nobody sees. */
const OBEYED = /[\0-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
const message: FuzzTarget = {
  name: 'message',
  seeds: [
    '\u001b[31merror\u001b[0m: at=info path="/a b" {"a":{"b":[1,"c"]}} é \u202e',
    'level=warn msg="a\\"b" n=1.5s',
    '{"level":"error","msg":"x"}',
    '\u001b]0;title\u0007\u001b[2J',
  ],
  words: [
    '\u001b[',
    'm',
    '\u001b]',
    '\u0007',
    '="',
    '"',
    '{"',
    '":',
    '}',
    'level=',
    'ERROR',
    '\u009b',
    '\u2028',
  ],
  check(input) {
    const text = input.toString();
    const shown = sanitize(text);
    assert(!OBEYED.test(shown), JSON.stringify(shown));
    assert(!shown.replaceAll(/\u001b\[[0-9;:]*m/g, '').includes('\u001b'), JSON.stringify(shown));
    assert.equal(JSON.parse(terminalSafeJson(text)), text);
    const ansi = parseAnsi(text);
    for (const { from, to } of ansi.ranges) assert(0 <= from && from < to && to <= ansi.text.length);
    for (const { from, to } of parseFields(text).ranges) assert(0 <= from && from <= to && to <= text.length);
    messageLevel(text);
  },
};

export const TEXT_TARGETS: readonly FuzzTarget[] = [
  query,
  time,
  procfile,
  envFile,
  slugIgnore,
  tar,
  framedInput,
  files,
  papertrail,
  networks,
  message,
];
