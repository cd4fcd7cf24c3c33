import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeHeaderField } from '../../../../src/logs/syslog/fields/header-field.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { anyField, FOREIGN_TOKEN } from '../../../support/senders/odd-fields.ts';

function stored(text: string | Buffer, max = 255): string {
  const bytes = Buffer.concat([Buffer.from('<<'), Buffer.from(text), Buffer.from('>>')]);
  const out = Buffer.alloc(max + 10, '!');
  const end = writeHeaderField(bytes, 2, bytes.length - 2, max, out, 5);
  expect(out.toString('latin1', 5 + max)).toBe('!!!!!');
  return out.toString('latin1', 5, end);
}

describe('a header field', () => {
  it.each([
    ['printable ASCII', 'web.1', 'web.1'],
    ['every printable character', '!"#$%&\'()*+,-./0AZ[\\]^_`az{|}~', '!"#$%&\'()*+,-./0AZ[\\]^_`az{|}~'],
    ['control characters', 'a\x1b[2J\x00\x07\x7fb', 'a?[2J???b'],
    ['a line feed and a return', 'a\r\nb', 'a??b'],
    ['other letters: one question mark each', 'wörker→🚰', 'w?rker??'],
    ['a change of the writing direction', 'a\u202eb', 'a?b'],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0x80, 0xc3, 0x28, 0xff, 0xfe]), 'a??(??'],
    ['a NILVALUE', '-', ''],
    ['nothing', '', ''],
    ['a token and nothing else', FOREIGN_TOKEN, ''],
    ['a token in a name', `h-${FOREIGN_TOKEN}:1`, 'h-t.****:1'],
    ['two tokens', `${FOREIGN_TOKEN}${FOREIGN_TOKEN}`, 't.****t.****'],
  ])('is stored as PRINTUSASCII: %s', (_name, text, expected) => expect(stored(text)).toBe(expected));

  it('is cut to its length, behind what was replaced', () => {
    expect(stored('x'.repeat(300))).toBe('x'.repeat(255));
    expect(stored('ü'.repeat(40), 32)).toBe('?'.repeat(32));
    expect(stored(`${'x'.repeat(30)}${FOREIGN_TOKEN}`, 32)).toBe(`${'x'.repeat(30)}t.`);
  });

  it('has nothing in it that a header can’t have, whatever comes', () => {
    fc.assert(
      fc.property(anyField, fc.integer({ min: 1, max: 300 }), (text, max) => {
        const field = stored(text, max);
        expect(field).toMatch(/^[!-~]*$/);
        expect(field.length).toBeLessThanOrEqual(max);
        expect(field).not.toMatch(/t\.[\da-f]{8}-[\da-f]{4}-/i);
        // What may be stored is.
        if (/^[!-~]+$/.test(text) && !/t\.[\da-f]{8}-/i.test(text) && text !== '-')
          expect(field).toBe(text.slice(0, max) === '-' ? '' : text.slice(0, max));
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });
});
