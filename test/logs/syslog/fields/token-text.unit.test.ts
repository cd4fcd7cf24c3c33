import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findToken,
  maskTokens,
  maskTokensInText,
  tokenEnd,
} from '../../../../src/logs/syslog/fields/token-text.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { FOREIGN_TOKEN } from '../../../support/senders/odd-fields.ts';

const masked = (text: string): string => {
  const bytes = Buffer.from(`<<${text}>>`);
  return Buffer.from(maskTokens(bytes, 2, bytes.length - 2)).toString();
};

describe('a token', () => {
  it.each([
    ['alone', FOREIGN_TOKEN, 't.****'],
    ['in capitals', FOREIGN_TOKEN.toUpperCase(), 't.****'],
    ['in a name', `host-${FOREIGN_TOKEN}.example.com`, 'host-t.****.example.com'],
    ['behind a letter', `x${FOREIGN_TOKEN}`, 'xt.****'],
    ['several', `${FOREIGN_TOKEN}/${FOREIGN_TOKEN}${FOREIGN_TOKEN}`, 't.****/t.****t.****'],
    ['followed by a digit', `${FOREIGN_TOKEN}0`, 't.****0'],
    ['cut to the 32 characters of a MSGID', FOREIGN_TOKEN.slice(0, 32), 't.****'],
    ['cut behind its second group', FOREIGN_TOKEN.slice(0, 16), 't.****'],
  ])('is masked: %s', (_name, text, expected) => {
    expect(masked(text)).toBe(expected);
    expect(maskTokensInText(text)).toBe(expected);
  });

  it.each([
    '',
    't.',
    't.web-1',
    'ingest.example.com',
    'd.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
    '0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
    't.0a1b2c3d-4e5',
    't.0a1b2c3g-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
    't-0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
  ])('is not what only looks a little like one: %j', (text) => {
    expect(masked(text)).toBe(text);
    expect(maskTokensInText(text)).toBe(text);
  });

  it('is found where a regular expression finds it, in bytes and in text', () => {
    const part = fc.constantFrom(
      't',
      'T',
      '.',
      '-',
      'a',
      'F',
      '0',
      'g',
      '0a1b2c3d',
      '4e5f',
      FOREIGN_TOKEN,
      ' ',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const found = /t\.[\da-f]{8}-[\da-f]{4}-[\da-f-]{0,22}/i.exec(text);
        const bytes = Buffer.from(text);
        const at = findToken(bytes, 0, bytes.length);
        expect(at).toBe(found ? found.index : -1);
        if (found) expect(tokenEnd(bytes, at, bytes.length)).toBe(found.index + found[0].length);
        expect(masked(text)).toBe(maskTokensInText(text));
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });
});
