/** Octet counting by senders that count wrong: what they sent before and behind it is found, and nothing is lost. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartialFrameBuffer } from '../../../src/logs/sources/syslog/partial-frame-buffer.ts';
import { FrameScanner, FrameStatus, Patience } from '../../../src/logs/syslog/framing.ts';
import { propertyRuns, sampleOf } from '../../support/properties/property-runs.ts';
import { ODD_FRAMES } from '../../support/senders/odd-frames.ts';

const TIME = '2012-12-10T03:00:48.123456+00:00';
const line = (message: string): string => `<13>1 ${TIME} host t.0123-4567 web.1 - - ${message}`;
const counted = (text: string): Buffer => Buffer.from(`${Buffer.byteLength(text)} ${text}`);
/** Messages that end with a digit are the worst: it may be taken for one of the next count. */
const good = (i: number): string => line(`good ${'.'.repeat((i * 5) % 13)} ${i}`);

interface Scanned {
  readonly found: string[];
  readonly resyncs: number;
  readonly skipped: number;
}

/** Scans chunks as the TCP listener does, and then the end of the connection, or of its patience. */
function scan(chunks: readonly Buffer[], end: Patience = Patience.ended): Scanned {
  const scanner = new FrameScanner();
  const partialFrame = new PartialFrameBuffer();
  const found: string[] = [];
  const take = (chunk: Buffer): void => {
    const bytes = partialFrame.join(chunk);
    scanner.setInput(bytes);
    for (let status = scanner.next(); status !== FrameStatus.partial; status = scanner.next())
      if (status === FrameStatus.complete) found.push(bytes.toString('utf8', scanner.start, scanner.end));
    partialFrame.keepFrom(bytes, scanner.pos);
  };
  for (const chunk of chunks) take(chunk);
  scanner.patience = end;
  take(Buffer.alloc(0));
  if (end === Patience.ended && partialFrame.size !== 0) expect.fail(`${partialFrame.size} bytes are left`);
  return { found, resyncs: scanner.resyncCount, skipped: scanner.skippedCount };
}

const withoutMark = (text: string): string => text.replace(/^\ufeff/, '');

/** What was found has all good lines as they are, in order, and the odd ones' parts, each as whole as their kind allows. */
function expectAll(
  { found, skipped }: Scanned,
  { goods, parts, wholes, sticks }: Omit<ReturnType<typeof stream>, 'wires'>,
): void {
  const lines = found.map((text) => withoutMark(text).replace(/[\r\n\0]+$/, ''));
  const isGood = (text: string): boolean =>
    goods.some((one) => text === one || (sticks && text.startsWith(one)));
  const good = lines.filter(isGood).map((text) => goods.find((one) => text.startsWith(one)));
  if (good.length !== goods.length || good.some((text, i) => text !== goods[i])) expect(good).toEqual(goods);
  for (const whole of wholes)
    if (!lines.some((text) => text.startsWith(whole)))
      expect.fail(`${whole} isn’t in ${JSON.stringify(lines)}`);
  const all = found.join('');
  let at = 0;
  for (const part of parts) {
    const next = all.indexOf(part, at);
    if (next < 0) expect.fail(`${part} isn’t in ${JSON.stringify(found)}`);
    at = next + part.length;
  }
  if (skipped !== 0) expect.fail(`${skipped} are skipped`);
}

/** Good lines and odd ones, `o` in the pattern. */
function stream(kind: (typeof ODD_FRAMES)[number], pattern: string, trailer = '') {
  const frames = [...pattern].map((letter, i) => {
    if (letter === 'g') return { wire: counted(good(i)), parts: [], good: [good(i)], whole: [] };
    const odd = kind.make(line, `odd ${'.'.repeat((i * 7) % 11)} ${i} end`);
    return { ...odd, good: [], whole: kind.isWhole ? odd.parts.map(line) : [] };
  });
  return {
    wires: frames.map(({ wire }) => Buffer.concat([wire, Buffer.from(trailer)])),
    goods: frames.flatMap((frame) => frame.good),
    parts: frames.flatMap((frame) => frame.parts),
    // Alone, or behind lines that end with the trailer, it may be any line.
    wholes:
      pattern === 'o' || (trailer !== '' && pattern !== 'gog') ? [] : frames.flatMap((frame) => frame.whole),
    sticks: kind.sticksToTheLineBefore,
  };
}

const PATTERNS = ['gog', 'ogg', 'go', 'o', 'googg', 'gogog', 'ooogg', 'goooogg', 'gggoggg'];

describe.each(ODD_FRAMES)('$name', (kind) => {
  it.each(PATTERNS)('in one piece, %s', (pattern) => {
    const { wires, ...expected } = stream(kind, pattern);
    expectAll(scan([Buffer.concat(wires)]), expected);
  });

  it.each(PATTERNS)('each frame in a write of its own, %s', (pattern) => {
    const { wires, ...expected } = stream(kind, pattern);
    expectAll(scan(wires), expected);
  });

  it.each(['gog', 'ogg', 'googg', 'ooogg', 'gggoggg'])('while the connection goes on, %s', (pattern) => {
    const { wires, goods } = stream(kind, pattern);
    const { found } = scan(wires, Patience.stalled);
    const texts = found.map(withoutMark);
    const times = goods.map((good) => texts.filter((text) => text.startsWith(good)).length);
    expect(times).toEqual(goods.map(() => 1));
  });

  it.each(['\n', '\r\n', '\0'])('with %j behind each frame', (trailer) => {
    for (const pattern of PATTERNS) {
      const { wires, ...expected } = stream(kind, pattern, trailer);
      expectAll(scan([Buffer.concat(wires)]), expected);
    }
  });

  it('cut at every single byte: the good lines behind it, once it is known for what it is', () => {
    const { wires, goods } = stream(kind, 'ggoggggg');
    const bytes = Buffer.concat(wires);
    const [from, until] = [1, 4].map((count) => Buffer.concat(wires.slice(0, count)).length);
    const behind = new Set(goods.slice(-4));
    const expected = [goods[0], ...goods.slice(-4)].join('\n');
    const places = Array.from({ length: until - from + 1 }, (_, i) => from + i);
    for (const at of sampleOf(places, 20)) {
      const { found } = scan([bytes.subarray(0, at), bytes.subarray(at)]);
      const texts = found.map(withoutMark);
      const lines = [texts[0], ...texts.filter((text) => behind.has(text))].join('\n');
      if (lines !== expected) expect(lines, `cut at ${at}`).toBe(expected);
    }
  });

  it('counts it once, or not at all when it does no harm', () => {
    const { wires } = stream(kind, 'gogggggg');
    expect(scan([Buffer.concat(wires)]).resyncs).toBeLessThanOrEqual(2);
  });
});

/** What messages would have to contain to be taken for frames. */
const fragment = fc.constantFrom(
  '5 <13>',
  '36 <13>1 2012-12-10T',
  '<13>1 - ',
  '0 ',
  '7',
  ' ',
  '1 x',
  '\ufeff',
  'ü',
  '🙂',
  'word',
  '<13>',
  '-',
  '99999999 ',
);
const nasty = fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(''));
const nastyLines = fc.array(nasty, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('\n'));

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

describe('what is framed right', () => {
  const places = fc.array(fc.nat(2_000), { maxLength: 12 });

  it('is never cut by what messages contain: counted frames, in any chunks', () => {
    const trailer = fc.constantFrom('', '', '', '\n', '\r\n', '\0');
    const frame = fc.oneof(
      { weight: 4, arbitrary: nastyLines.map((text) => `<13>${text}`) },
      { weight: 1, arbitrary: nasty.filter((text) => /^[a-z-]/.test(text)) },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(frame, trailer), { maxLength: 12 }), places, (sent, at) => {
        // The first one has a PRI: before it, nobody knows how the connection is framed.
        const frames: [string, string][] = [['<13>first', ''], ...sent];
        const bytes = Buffer.concat(frames.flatMap(([text, behind]) => [counted(text), Buffer.from(behind)]));
        const { found, resyncs } = scan(cut(bytes, at));
        expect(found).toEqual(frames.map(([text]) => text));
        expect(resyncs).toBe(0);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('is never cut by what messages contain: lines, in any chunks', () => {
    const line = fc.oneof(
      nasty.map((text) => `<13>${text}`),
      nasty.map((text) => `\t${text}`),
      fc
        .tuple(fc.constantFrom('1795858227 ', '5000000 ', '99999999999 ', '12 ', '0 '), nasty)
        .map((both) => both.join('x')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), places, (sent, at) => {
        const bytes = Buffer.from(['<13>first', ...sent].map((text) => `${text}\n`).join(''));
        const { found, resyncs } = scan(cut(bytes, at));
        expect(found).toEqual(['<13>first', ...sent]);
        expect(resyncs).toBe(0);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });
});
