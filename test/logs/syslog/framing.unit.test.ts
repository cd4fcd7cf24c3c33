import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartialFrameBuffer } from '../../../src/logs/sources/syslog/partial-frame-buffer.ts';
import { FRAME_BYTES_MAX } from '../../../src/logs/syslog/frame-boundary.ts';
import { FrameScanner, FrameStatus } from '../../../src/logs/syslog/framing.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

/** Scans chunks as the TCP listener does; gives the frames, and how many bytes were kept at the most. */
function scan(chunks: readonly Buffer[]): {
  found: string[];
  broken: number;
  oversized: number;
  keptMax: number;
  rest: string;
} {
  const scanner = new FrameScanner();
  const partialFrame = new PartialFrameBuffer();
  const found: string[] = [];
  let keptMax = 0;
  for (const chunk of chunks) {
    const bytes = partialFrame.join(chunk);
    scanner.setInput(bytes);
    for (let frame = scanner.next(); frame !== FrameStatus.partial; frame = scanner.next())
      if (frame === FrameStatus.complete) found.push(bytes.toString('latin1', scanner.start, scanner.end));
    partialFrame.keepFrom(bytes, scanner.pos);
    keptMax = Math.max(keptMax, partialFrame.size);
  }
  const rest = partialFrame.join(Buffer.alloc(0)).toString('latin1');
  return { found, broken: scanner.skippedCount, oversized: scanner.oversizedCount, keptMax, rest };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const counted = (line: string): string => `${Buffer.byteLength(line, 'latin1')} ${line}`;

describe('the rests of several connections', () => {
  it('use the same memory in turn, and none sees what another one wrote', () => {
    const chunkOf = (letter: string): Buffer => Buffer.from(letter.repeat(65_536));
    const connections = ['a', 'b', 'c'].map((letter) => ({ letter, partialFrame: new PartialFrameBuffer() }));
    const memories = new Set<ArrayBufferLike>();
    for (let turn = 0; turn < 20; turn++)
      for (const { letter, partialFrame } of connections) {
        const before = partialFrame.size;
        const bytes = partialFrame.join(chunkOf(letter));
        expect(bytes.toString('latin1')).toBe(letter.repeat(before + 65_536));
        if (before > 0) memories.add(bytes.buffer);
        // Something is left of two chunks of three, from some bytes to more than a page.
        const left = turn % 3 === 2 ? 0 : 1 + turn * 700;
        partialFrame.keepFrom(bytes, bytes.length - left);
      }
    expect(memories.size).toBeLessThanOrEqual(2 * connections.length);
  });
});

describe('octet counting and newline framing', () => {
  it.each([
    ['octet counting', '5 <13>a', ['<13>a']],
    ['frames without anything between them', '5 <13>a6 <13>bb', ['<13>a', '<13>bb']],
    ['newlines inside of a counted frame', '9 <13>a\nb\n\n', ['<13>a\nb\n\n']],
    ['newline framing', '<13>a\n<13>b\n', ['<13>a', '<13>b']],
    ['CR LF', '<13>a\r\n<13>b\r\n', ['<13>a', '<13>b']],
    ['both, frame by frame', '<13>a\n5 <13>b<13>c\n5 <13>d', ['<13>a', '<13>b', '<13>c', '<13>d']],
    ['a newline after a counted frame, as some senders have it', '5 <13>a\n5 <13>b\n', ['<13>a', '<13>b']],
    ['NUL as a trailer, as old senders have it', '5 <13>a\u00005 <13>b\u0000', ['<13>a', '<13>b']],
    ['NUL framing', '<13>a\u0000<13>b\u0000', ['<13>a', '<13>b']],
    [
      'several lines between NULs',
      '<13>a\u0000<13>b\n\tc\u0000<13>d\u0000',
      ['<13>a', '<13>b\n\tc', '<13>d'],
    ],
    ['a NUL inside of a line, when newlines end them', '<13>a\n<13>b\u0000c\n', ['<13>a', '<13>b\u0000c']],
    ['NULs, then newlines', '<13>a\u0000<13>b\n<13>c\n<13>d\n', ['<13>a', '<13>b', '<13>c', '<13>d']],
    ['newlines, then NULs', '<13>a\n<13>b\u0000<13>c\u0000<13>d\u0000', ['<13>a', '<13>b', '<13>c', '<13>d']],
    ['several lines before the first NUL', '<13>a\nb\u0000<13>c\u0000', ['<13>a', 'b', '<13>c']],
    ['NULs, a newline, a count', '<13>a\u0000<13>b\n5 <13>c', ['<13>a', '<13>b', '<13>c']],
    ['a line that begins with digits', '2026-01-01 hello\n<13>b\n', ['2026-01-01 hello', '<13>b']],
    ['a line that begins with a number and a word', '5 apples\n<13>b\n', ['5 apples', '<13>b']],
    ['a count before nothing', '12 \n<13>b\n', ['12 ', '<13>b']],
    ['a line that isn’t there yet to its end', '<13>a\n<13>b', ['<13>a']],
  ])('%s', (_name, text, expected) => {
    expect(scan([Buffer.from(text, 'latin1')]).found).toEqual(expected);
  });

  it('drops a count that can’t be right: what is behind it is a line, and so is what follows', () => {
    for (const wrong of ['99999999999999 <13>a', `${FRAME_BYTES_MAX + 1} <13>a`])
      expect(scan([Buffer.from(`${wrong}\n<13>b\n5 <13>c`)])).toMatchObject({
        found: ['<13>a', '<13>b', '<13>c'],
        broken: 0,
      });
  });

  it('the same when it comes in many chunks', () => {
    const chunks = ['999999', '99999', '9 <13>', 'junk', ' and more', '\n<13', '>b\n'].map((text) =>
      Buffer.from(text),
    );
    expect(scan(chunks)).toMatchObject({ found: ['<13>junk and more', '<13>b'], broken: 0 });
  });
});

// --- any chunks ---

/** Some end like counts. */
const lineText = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^<13>[ -~]{0,40}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^<13>[ -~]{0,6}\d{1,2} ?$/) },
);
const frame = fc.oneof(
  lineText.map((text) => ({ wire: counted(text), text })),
  fc.stringMatching(/^<13>[ -~\n]{0,40}$/).map((text) => ({ wire: counted(text), text })),
  lineText.map((text) => ({ wire: `${text}\n`, text })),
  lineText.map((text) => ({ wire: `${text}\r\n`, text })),
);

const withNul = fc.oneof(
  lineText.map((text) => ({ wire: counted(text), text })),
  lineText.map((text) => ({ wire: `${text}\0`, text })),
);

describe('any chunks', () => {
  it('give the same frames, cut at every single byte', () => {
    const bytes = Buffer.from(`${counted('<13>a b')}<13>c\n${counted('<13>d\ne')}\r\n<13>f\r\n`);
    const expected = ['<13>a b', '<13>c', '<13>d\ne', '<13>f'];
    for (let at = 0; at <= bytes.length; at++) expect(scan(cut(bytes, [at])).found).toEqual(expected);
    expect(scan([...bytes].map((byte) => Buffer.from([byte]))).found).toEqual(expected);
  });

  it('give the same frames, cut anywhere', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.array(frame, { maxLength: 12 }), fc.array(withNul, { maxLength: 12 })),
        fc.array(fc.nat(1_000), { maxLength: 20 }),
        (sent, places) => {
          const bytes = Buffer.from(sent.map(({ wire }) => wire).join(''), 'latin1');
          const { found, broken } = scan(cut(bytes, places));
          expect(found).toEqual(sent.map(({ text }) => text));
          expect(broken).toBe(0);
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });

  it.each([
    ['6 <13>2 <13> \0<13>\0<13> \0', ['<13>2 ', '<13> ', '<13>', '<13> ']],
    ['6 <13>4 <13>\0<13>\0', ['<13>4 ', '<13>', '<13>']],
    ['7 <13>10 <13>abcdefgh\0<13>\0', ['<13>10 ', '<13>abcdefgh', '<13>']],
    ['7 <13>10 <13>abcdef\0<13>\0', ['<13>10 ', '<13>abcdef', '<13>']],
    ['7 <13>10 <13>abcdef\n<13>b\n', ['<13>10 ', '<13>abcdef', '<13>b']],
    ['12 <13>a 5 6 5 <13>b\n', ['<13>a 5 6 5 ', '<13>b']],
    ['8 <13>1 5 <13>b\x005 <13>c', ['<13>1 5 ', '<13>b', '<13>c']],
  ])('a counted message that ends like a count, before a line, cut anywhere: %j', (text, expected) => {
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at <= bytes.length; at++)
      expect(scan(cut(bytes, [at])).found, `cut at ${at}`).toEqual(expected);
    expect(scan([...bytes].map((byte) => Buffer.from([byte]))).found).toEqual(expected);
  });

  it('of any bytes lose none but counts and what separates frames', () => {
    const noise = fc.array(fc.constantFrom(...Buffer.from('0123459 <>\n\r\0a')), { maxLength: 60 });
    const kept = (text: string): string => text.replace(/[0-9 \n\r\0]/g, '');
    fc.assert(
      fc.property(noise, fc.array(fc.nat(100), { maxLength: 10 }), (noisy, places) => {
        const bytes = Buffer.from(noisy);
        const { found, rest, broken } = scan(cut(bytes, places));
        expect(kept(found.join('') + rest)).toBe(kept(bytes.toString('latin1')));
        expect(broken).toBe(0);
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });
});

describe('a frame over the limit', () => {
  const body = `<13>long ${'x'.repeat(FRAME_BYTES_MAX - 10)}é${'y'.repeat(300_000)}`;
  const text = Buffer.from(body).toString('latin1');
  /** Not within a character. */
  const taken = text.slice(0, FRAME_BYTES_MAX - 1);
  const behind = ['<13>line\n', '5 <13>a', '<13>nul\0'];
  const framings: [string, string, string][] = [
    ['counted', '', counted(text)],
    ['counted, behind a counted one', '5 <13>0', counted(text)],
    ['counted, behind a line', '<13>0\n', counted(text)],
    ['counted, of several lines', '', counted(text.replace(/yyy/g, 'y\ny'))],
    ['a line', '', `${text}\n`],
    ['a line, behind a counted one', '5 <13>0', `${text}\n`],
    ['ended by a NUL', '', `${text}\0`],
    ['ended by a NUL, behind such a one', '<13>0\0', `${text}\0`],
    ['a line barely over it', '', `${text.slice(0, FRAME_BYTES_MAX + 1)}\n`],
    ['counted, barely over it', '', counted(text.slice(0, FRAME_BYTES_MAX + 1))],
  ];
  it.each(
    framings.flatMap(([name, before, wire]) =>
      behind
        // A newline is the message's own where NULs end messages.
        .filter((next) => !wire.endsWith('\0') || next !== '<13>line\n')
        .map((next) => [name, next, before, wire] as const),
    ),
  )(
    '%s, is taken up to it and counted, and none of %j behind it is lost, in any chunks',
    (_name, next, before, wire) => {
      const bytes = Buffer.from(`${before}${wire}${next}${next}5 <13>z`, 'latin1');
      const plain = next.replace(/^5 |[\n\0]$/g, '');
      for (const size of [bytes.length, 65_536, 1_048_577]) {
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        const { found, broken, oversized } = scan(chunks);
        expect(
          found.map((text) => (text.length > 100 ? text.length : text)),
          `chunks of ${size}`,
        ).toEqual([...(before ? ['<13>0'] : []), taken.length, plain, plain, '<13>z']);
        expect(found.find((text) => text.length > 100)!.slice(0, 100_000)).toBe(taken.slice(0, 100_000));
        expect({ broken, oversized }).toEqual({ broken: 0, oversized: 1 });
      }
    },
  );
});

describe('any bytes', () => {
  it('never throw, and the lines after the next newline are found', () => {
    const lines = ['<13>one', '<13>two', '<13>three'];
    const tail = `\n${lines[0]}\n${counted(lines[1])}${lines[2]}\n`;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const garbage = Buffer.from(noise);
        // A count with a PRI behind it is valid: the bytes that it includes aren't noise.
        fc.pre(!/[1-9]\d* <[^\n]*$/.test(garbage.toString('latin1')));
        const { found } = scan([garbage, Buffer.from(tail)]);
        expect(found.slice(-3)).toEqual(lines);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('never take more memory than one frame may have', () => {
    const chunk = Buffer.alloc(65_536, 'x');
    const endless = Array.from({ length: 40 }, () => chunk);
    const { found, broken, oversized, keptMax } = scan([...endless, Buffer.from('\n<13>after\n')]);
    expect(keptMax).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    expect(found.map((text) => text.length)).toEqual([FRAME_BYTES_MAX, '<13>after'.length]);
    expect({ broken, oversized }).toEqual({ broken: 0, oversized: 1 });
  });
});
