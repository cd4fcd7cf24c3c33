/** What anybody may send to a syslog port: frames, headers, structured data, the PROXY protocol. */
import assert from 'node:assert/strict';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import { FrameOutcome, LineReceiver, type LineTarget } from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import { PartialFrameBuffer } from '../../../src/logs/sources/syslog/partial-frame-buffer.ts';
import { readProxyHeader } from '../../../src/logs/sources/syslog/proxy-protocol.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { HEADROOM, MESSAGE_BYTES_MAX, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { StructuredDataScan, writeStructuredData } from '../../../src/logs/syslog/fields/structured-data.ts';
import { findToken } from '../../../src/logs/syslog/fields/token-text.ts';
import { hasByteOrderMark, MARK_BYTES } from '../../../src/logs/syslog/frame-boundary.ts';
import { FrameScanner, FrameStatus, Patience } from '../../../src/logs/syslog/framing.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import type { FuzzTarget } from '../engine/fuzz-target.ts';

const TOKEN = 't.7a6dc2be-4b36-4d45-bb3f-d62ef3a9ae1b';
const APP = '00000000-0000-4000-8000-000000000001' as AppId;

const LINES = [
  `<134>1 2026-11-28T12:30:15.123456Z host ${TOKEN} web.1 - - at=info path="/a b" status=200`,
  `<13>1 2026-11-28T12:30:15Z host ${TOKEN}/worker.2 - ID47 [a@1 b="c\\"d" e="f"][x y="\\]"] \ufeffhello é`,
  `<190>1 - - ${TOKEN} - - hello`,
  `<13>1 2026-11-28T12:30:15Z host app web.1 - [tailrace@32473 token="${TOKEN}"] hello`,
  `<34>Oct 11 22:14:15 mymachine ${TOKEN}: 'su root' failed for lonvick on /dev/pts/8`,
  `<13>Nov  3 04:05:06 host ${TOKEN}[123]: hello`,
  `<13>2026-11-28T12:30:15.123+02:00 host ${TOKEN}/web.1[7]: hello`,
  `<189>29: *Nov 28 12:30:15.123: %SYS-5-CONFIG_I: Configured by ${TOKEN}`,
  `<13>${TOKEN}: no time`,
  '\tat com.example.Main.main(Main.java:3)',
];
const counted = (line: string): string => `${Buffer.byteLength(line)} ${line}`;
const WORDS = [
  TOKEN,
  '<13>1 ',
  '<191>1 - - - - - - ',
  ' - ',
  '[a@1 b="c"]',
  '[tailrace@32473 token="',
  '"]',
  '5 <13>a',
  '\0',
  '\n',
];

const framing: FuzzTarget = {
  name: 'syslog-framing',
  seeds: [
    LINES.map(counted).join(''),
    LINES.join('\n'),
    LINES.join('\0'),
    `${LINES[0]}\n${counted(LINES[1])}${LINES[2]}\r\n`,
    '5 <13>a6 <13>bb',
    '9 <13>a\nb\n\n',
  ],
  words: WORDS,
  check(input) {
    const { found: whole, isMended } = frames([input]);
    const cuts = [...input.subarray(0, 4)].map((byte) => byte % (input.length + 1)).sort((a, b) => a - b);
    const pieces = [0, ...cuts].map((from, i) => input.subarray(from, cuts[i] ?? input.length));
    const { found: other, isMended: isOtherMended } = frames(pieces);
    // What is no count and separates nothing comes through, in its order, however it was cut; wrong counts are given up when the next chunk
    // or the end shows them to be wrong, and are counted.
    if (isMended || isOtherMended) return;
    const [some, all] = [content(other), content(whole)];
    if (!some.equals(all)) assert.equal(some.toString('latin1'), all.toString('latin1'));
  },
};

const isSeparator = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0 || (byte >= 0x30 && byte <= 0x39);

/** Of all frames what is neither a digit nor a separator, nor a byte order mark. It is written over them. */
function content(frames: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < frames.length; ) {
    if (hasByteOrderMark(frames, at)) at += MARK_BYTES;
    else if (isSeparator(frames[at])) at++;
    else frames[length++] = frames[at++];
  }
  return frames.subarray(0, length);
}

/** The frames of a connection, one behind the other, and whether something of it was given up. */
function frames(chunks: readonly Buffer[]): { found: Buffer; isMended: boolean } {
  const scanner = new FrameScanner();
  const partial = new PartialFrameBuffer();
  const found = Buffer.allocUnsafe(chunks.reduce((sum, { length }) => sum + length, 0));
  let length = 0;
  const read = (bytes: Buffer): void => {
    scanner.setInput(bytes);
    for (let before = -1; ; ) {
      const status = scanner.next();
      if (status === FrameStatus.partial) return;
      assert(scanner.pos > before, 'no byte was taken');
      before = scanner.pos;
      if (status !== FrameStatus.complete) continue;
      assert(0 <= scanner.start && scanner.start <= scanner.end && scanner.end <= bytes.length);
      assert(length + scanner.end - scanner.start <= found.length, 'frames have more bytes than came');
      length += bytes.copy(found, length, scanner.start, scanner.end);
    }
  };
  for (const chunk of chunks) {
    const bytes = partial.join(chunk);
    read(bytes);
    partial.keepFrom(bytes, scanner.pos);
  }
  scanner.patience = Patience.ended;
  read(partial.join(Buffer.alloc(0)));
  return { found: found.subarray(0, length), isMended: scanner.skippedCount + scanner.resyncCount > 0 };
}

const builder = new BatchBuilder(1_048_576);
const stored = new SyslogHeader();
const source: LogSource = {
  token: TOKEN,
  tokenBytes: Buffer.from(TOKEN),
  app: APP,
  source: 'app',
  sourceBytes: Buffer.from('app'),
};

/** Checks that what would be stored is as the store and all readers expect it. */
const target: LineTarget = {
  add(bytes, start, end, header, logSource, host) {
    assert(builder.add(bytes, start, end, header, logSource.sourceBytes, host), 'an empty batch has no room');
    const batch = builder.takeBatch()!.bytes;
    const line = new RecordCursor(batch, HEADROOM);
    while (line.advance()) checkStored(batch, line);
  },
  addRecords() {},
  flushInBackground() {},
  async whenStored() {},
};

export function checkStored(bytes: Uint8Array, line: RecordCursor): void {
  const { textStart, textEnd, hostStart, sourceStart, msgidStart, messageStart } = line;
  const text = Buffer.from(bytes.subarray(textStart, textEnd)).toString('latin1');
  assert(textEnd <= bytes.length && textStart < hostStart && hostStart < sourceStart, text);
  assert(sourceStart < msgidStart && msgidStart < messageStart && messageStart <= textEnd, text);
  assert(textEnd - messageStart <= MESSAGE_BYTES_MAX, 'the message is too long');
  assert(scanHeader(bytes, textStart, textEnd, stored), `no header: ${text}`);
  // A second byte order mark is the message's.
  const mark = hasByteOrderMark(bytes, messageStart) ? MARK_BYTES : 0;
  assert(stored.complete || stored.mayHoldToken || mark > 0, `not as it is stored: ${text}`);
  assert(stored.hostStart === hostStart && stored.sourceStart === sourceStart, text);
  assert(stored.msgidStart === msgidStart && stored.messageStart <= messageStart + mark, text);
  assert(findToken(bytes, textStart, messageStart) === -1, `a token in the header: ${text}`);
}

const receiver = new LineReceiver({
  router: {
    tokensVersion: 1,
    lookupToken: (token: string) => (token === TOKEN ? source : null),
    loadToken: async (token: string) => (token === TOKEN ? source : null),
    batcher: () => target,
  },
  counters: createListenerCounters('tcp'),
  host: 'sender.example',
});

const line: FuzzTarget = {
  name: 'syslog-line',
  seeds: LINES,
  words: WORDS,
  check(input) {
    const outcome = receiver.take(input, 0, input.length);
    assert(outcome !== FrameOutcome.needsTokenLookup && outcome !== FrameOutcome.rateLimited);
  },
};

const own = new LineReceiver({
  router: { tokensVersion: 1, lookupToken: () => null, loadToken: async () => null, batcher: () => target },
  counters: createListenerCounters('tcp'),
  host: 'sender.example',
  authenticatedSource: source,
  keepsFollowUps: true,
});

const authenticated: FuzzTarget = {
  ...line,
  name: 'syslog-line-of-a-known-sender',
  check(input) {
    own.take(input, 0, input.length);
  },
};

const scan = new StructuredDataScan();
const structuredData: FuzzTarget = {
  name: 'structured-data',
  seeds: [
    '[a@1 b="c"] x',
    '[exampleSDID@32473 iut="3" eventSource="App\\"lication" eventID="1011"][x@1 priority="high\\]"]',
    `[tailrace@32473 token="${TOKEN}"][a@1 b="c"]`,
    '[ a@1  b="c" ]',
  ],
  words: ['[', ']', '="', '" ', '\\"', '\\\\', '@32473', TOKEN, 'tailrace@32473', 'token="'],
  check(input) {
    if (!scan.scan(input, 0, input.length)) return;
    const { end, isClean } = scan;
    const out = Buffer.alloc(end);
    const written = out.subarray(0, writeStructuredData(input, 0, end, out, 0));
    if (isClean) assert.deepEqual(written, input.subarray(0, end));
    assert(findToken(written, 0, written.length) === -1, 'a token is left');
    // Words in brackets count beside parameters only, and the token's have gone.
    if (!written.includes('="')) return;
    assert(scan.scan(written, 0, written.length), `not well formed: ${written}`);
    assert(scan.isClean && scan.end === written.length, `not clean: ${written}`);
  },
};

const V2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
  Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 1, 0xbb]),
]);
const proxy: FuzzTarget = {
  name: 'proxy-protocol',
  seeds: [
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n<13>a',
    'PROXY TCP6 2001:db8::1 ::1 1 65535\r\n',
    'PROXY UNKNOWN\r\n',
    V2,
  ],
  words: ['PROXY ', 'TCP4', 'TCP6', 'UNKNOWN', ' 0', ' 65536', V2],
  check(input) {
    const header = readProxyHeader(input);
    // What has been read once is the same when it comes byte by byte, and nothing before it is taken for the whole.
    if (header === 'partial') return assert(input.length < 5_000, 'waits forever');
    const length = header === 'broken' ? input.length : header.length;
    assert(length > 0 && length <= input.length);
    for (let end = 0; end < length; end++) {
      const before = readProxyHeader(input.subarray(0, end));
      if (header !== 'broken') assert.equal(before, 'partial', `at ${end}`);
      else assert(before === 'partial' || before === 'broken', `at ${end}`);
    }
  },
};

export const SYSLOG_TARGETS: readonly FuzzTarget[] = [framing, line, authenticated, structuredData, proxy];
