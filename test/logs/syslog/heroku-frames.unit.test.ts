import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../src/common/buffers/buffer-pool.ts';
import { logplexFormat } from '../../../src/logs/drains/encoders/logplex.ts';
import { buildShipment, type Shipment } from '../../../src/logs/drains/shipment.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import type { MultilineMode } from '../../../src/logs/syslog/heroku-frames.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const T = '2012-12-10T03:00:48.123456+00:00';
const NOTICE = { drainToken: 'd.1', count: 3, message: 'Error L10', timestamp: T };

function shipmentOf(...lines: (string | Uint8Array)[]): Shipment {
  const builder = new BatchBuilder(4_194_304);
  const header = new SyslogHeader();
  for (const line of lines) {
    const bytes = Buffer.from(line as Uint8Array);
    if (!scanHeader(bytes, 0, bytes.length, header)) throw new Error('no line');
    builder.add(bytes, 0, bytes.length, header, Buffer.from('postgres'), Buffer.from('host'));
  }
  const { bytes, count } = builder.takeBatch()!;
  return buildShipment([{ bytes, count, first: 1, last: count, storedAtMs: 0 }], 0, Infinity)!;
}

/** Frames as a receiver that counts bytes reads them. */
function readFrames(body: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = Number(body.toString('latin1', at, space));
    frames.push(body.subarray(space + 1, space + 1 + length));
    at = space + 1 + length;
  }
  return frames;
}

const POOL = new BufferPool({ buffersMax: 1 });

async function encode(shipment: Shipment, mode?: MultilineMode, notice?: typeof NOTICE) {
  const { body, messageCount } = await logplexFormat(mode).encode(shipment, notice, POOL);
  const frames = readFrames(body);
  expect(messageCount).toBe(frames.length);
  return { body, frames, texts: frames.map(String) };
}

const line = (message: string, program = 't.x', dyno = 'web.1') =>
  `<13>1 ${T} h ${program} ${dyno} ID [a k="v"] ${message}`;
const messageOf = (frame: Buffer) => frame.subarray(frame.indexOf(' - ') + 3, -1);

describe('a line in the form of Heroku’s HTTPS drains', () => {
  it('has the host `host`, no msgid, no structured data, one line end', async () => {
    const { texts } = await encode(
      shipmentOf(`<134>1 ${T} db1 t.x primary ID7 [a k="v"] hello`, '<1>1 - - t.x'),
    );
    expect(texts[0]).toBe(`<134>1 ${T} host postgres primary - hello\n`);
    expect(texts).toHaveLength(2);
  });

  it('with several lines in its message is a frame for each, blank ones too; the count of messages agrees', async () => {
    const shipment = shipmentOf(line('before'), line('Error\n  at a\n\n  at b\n'), line('after'));
    const { body, frames } = await encode(shipment, undefined, NOTICE);
    expect(frames.slice(1).map((frame) => String(messageOf(frame)))).toEqual([
      'before',
      'Error',
      '  at a',
      '',
      '  at b',
      'after',
    ]);
    // What a receiver sees that reads lines and compares their number with `Logplex-Msg-Count`.
    expect(body.toString().split('\n').length - 1).toBe(frames.length);
  });

  it('is one frame with the newlines in it if that is asked for', async () => {
    const { frames } = await encode(shipmentOf(line('Error\n  at a')), 'keep');
    expect(frames.map((frame) => String(messageOf(frame)))).toEqual(['Error\n  at a']);
  });

  it.each<MultilineMode>(['split', 'keep'])(
    'is never longer than 10,240 bytes, and loses nothing (%s)',
    async (mode) => {
      const program = 'p'.repeat(48);
      const message = 'ü'.repeat(5_000);
      for (const dyno of ['web.1', 'd'.repeat(128)]) {
        const shipment = shipmentOf(line('x'), line(message, program, dyno), line('y'));
        const { frames } = await encode(shipment, mode);
        for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(10_240);
        expect(Buffer.concat(frames.map(messageOf)).toString()).toBe(`x${message}y`);
      }
    },
  );

  it('is UTF-8, whatever was stored', async () => {
    const odd = Buffer.concat([Buffer.from(line('caf')), Buffer.from([0xe9, 0x20, 0xff, 0xc3])]);
    const { texts, body } = await encode(shipmentOf(line('a'), odd, line('b')));
    expect(Buffer.from(body.toString('utf8')).equals(body)).toBe(true);
    expect(texts[1]).toContain('caf\ufffd \ufffd\ufffd');
    expect(texts).toHaveLength(3);
  });

  it('can be read by lines and by counts, whatever the messages', async () => {
    const message = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('', 'a\nb', 'm'.repeat(10_000), '水'.repeat(3_400)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
        const shipment = shipmentOf(...messages.map((text) => `<13>1 ${T} h t.x web.1 - - ${text}`));
        const { body, frames } = await encode(shipment);
        expect(body.toString().split('\n').length - 1).toBe(frames.length);
        // The batch builder takes one line end off a message.
        const expected = messages
          .map((text) =>
            Buffer.from(text)
              .toString()
              .replace(/\r?\n$/, ''),
          )
          .join('');
        expect(frames.map((frame) => String(messageOf(frame))).join('')).toBe(expected.replaceAll('\n', ''));
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});
