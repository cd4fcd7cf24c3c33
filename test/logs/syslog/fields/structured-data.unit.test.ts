import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readTokenElement,
  StructuredDataScan,
  writeStructuredData,
} from '../../../../src/logs/syslog/fields/structured-data.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import {
  FOREIGN_TOKEN,
  oddStructuredData,
  validStructuredData,
} from '../../../support/senders/odd-fields.ts';

const scan = new StructuredDataScan();

/** The structured data at the front of a text, and as they are stored; undefined when there are none. */
function read(
  text: string,
): { data: string; stored: string; isClean: boolean; token: string | undefined } | undefined {
  const bytes = Buffer.from(`<<${text}`);
  if (!scan.scan(bytes, 2, bytes.length)) return undefined;
  const out = Buffer.alloc(bytes.length);
  const end = writeStructuredData(bytes, 2, scan.end, out, 0);
  return {
    data: bytes.toString('utf8', 2, scan.end),
    stored: out.toString('utf8', 0, end),
    isClean: scan.isClean,
    token: readTokenElement(bytes, 2, scan.end),
  };
}

describe('structured data', () => {
  it.each([
    ['an element', '[a@1 k="v"]'],
    ['an element without parameters behind another', '[origin ip="192.0.2.1"][empty]'],
    ['an element without parameters before another', '[empty][origin ip="192.0.2.1"]'],
    ['elements without parameters on both sides', '[x][origin ip="192.0.2.1"][y][z]'],
    ['an element without parameters, with an enterprise number', '[a@1]'],
    ['one whose number is dotted', '[a@32473.1.2]'],
    [
      'RFC 5424’s example',
      '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]',
    ],
    ['the same parameter twice', '[origin ip="192.0.2.1" ip="192.0.2.129"]'],
    ['an empty value', '[a k=""]'],
    ['escaped quotes, brackets and backslashes', '[a k="\\"\\]\\\\"]'],
    ['a backslash before anything else', '[a k="C:\\x"]'],
    ['brackets and spaces in a value', '[a k="[b c=\\"d\\"\\] [e\\]"]'],
    ['UTF-8', '[a k="grüße 水 🚰 \u202e"]'],
    ['control characters in a value', '[a k="one\n\ttwo\x1b[0m"]'],
    ['punctuation in names', `[a.b-c_d/e:f@1 x,y(z)!'="v"]`],
  ])('are read and stored as they are: %s', (_name, data) => {
    for (const behind of ['', ' m', ' [x] m'])
      expect(read(data + behind)).toEqual({ data, stored: data, isClean: true, token: undefined });
  });

  it.each([
    ['two spaces', '[a@1  k="v"]', '[a@1 k="v"]'],
    ['a space before the closing bracket', '[a@1 k="v" ]', '[a@1 k="v"]'],
    ['a space behind the opening bracket', '[ a@1 k="v"]', '[a@1 k="v"]'],
    ['spaces everywhere', '[  a@1   k="v  w"    l="x"  ][ b ]', '[a@1 k="v  w" l="x"][b]'],
  ])('are stored with one space before each parameter: %s', (_name, data, stored) => {
    expect(read(`${data} m`)).toEqual({ data, stored, isClean: false, token: undefined });
  });

  it('are stored as UTF-8', () => {
    const bytes = Buffer.concat([
      Buffer.from('[a k="\u00fc\ufffd'),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('" l="\u6c34"] m'),
    ]);
    expect(scan.scan(bytes, 0, bytes.length)).toBe(true);
    expect(scan.isClean).toBe(false);
    const out = Buffer.alloc(bytes.length);
    const end = writeStructuredData(bytes, 0, scan.end, out, 0);
    expect(out.toString('utf8', 0, end)).toBe('[a k="\u00fc???" l="\u6c34"]');
  });

  it('are stored with names of at most 32 bytes', () => {
    const [id, key] = ['n', 'k'].map((letter) => letter.repeat(32));
    expect(read(`[${id} ${key}="v"] m`)).toMatchObject({ isClean: true });
    expect(read(`[${id}n ${key}kk="v"][a ${key}k="w"] m`)).toMatchObject({
      stored: `[${id} ${key}="v"][a ${key}="w"]`,
      isClean: false,
    });
  });

  it.each([
    ['no name', '[] m'],
    ['no closing bracket', '[a@1 k="v" m'],
    ['no closing quote', '[a@1 k="v] m'],
    ['no quotes', '[a@1 k=v] m'],
    ['no value', '[a@1 k] m'],
    ['spaces around the equals sign', '[a@1 k = "v"] m'],
    ['parameters without a space between them', '[a@1 k="v"l="w"] m'],
    ['a tab', '[a@1\tk="v"] m'],
    ['no space behind it', '[a@1 k="v"]m'],
    ['a backslash at the end', '[a@1 k="v\\'],
    ['a second element that is broken', '[a@1 k="v"][b m'],
    ['a letter beyond ASCII in a name', '[ä@1 k="v"] m'],
    ['words in brackets, as messages begin with', '[info] started'],
    ['several of them', '[main][INFO] started'],
    ['a time', '[2026-01-01 10:00] m'],
    ['an address', '[user@example.com] logged in'],
    ['an address of a machine', '[root@box] #'],
  ])('aren’t there when they aren’t well formed: %s', (_name, text) => expect(read(text)).toBeUndefined());

  it('end at the first space between two elements (RFC 5424 section 6.3.5, example 3)', () => {
    expect(read('[a@1 k="v"] [b@2 l="w"] m')?.data).toBe('[a@1 k="v"]');
  });

  it('of the grammar are read as a whole, but for elements that are only words in brackets', () => {
    fc.assert(
      fc.property(validStructuredData, (data) => {
        const found = read(`${data} m`);
        if (/="|@[\d.]+\]/.test(data)) expect(found?.data).toBe(data);
        else expect(found).toBeUndefined();
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('are stored by the grammar and without a token, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(validStructuredData, oddStructuredData), (text) => {
        const found = read(`${text} m`);
        if (!found) return;
        expect(found.stored).toMatch(
          /^(?:\[[^\x00-\x20="\]\x7f-\uffff]+(?: [^\x00-\x20="\]\x7f-\uffff]+="(?:[^"\\]|\\[\s\S])*")*\])*$/,
        );
        expect(found.stored).not.toMatch(/t\.[\da-f]{8}-[\da-f]{4}-|(?:^|\])\[tailrace@32473[ \]]/i);
        expect(found.stored.length).toBeLessThanOrEqual(found.data.length);
        if (found.isClean) expect(found.stored).toBe(found.data);
        // What was stored is read the same.
        if (found.stored !== '' && /="|@[\d.]+\]/.test(found.stored))
          expect(read(found.stored)).toMatchObject({ stored: found.stored, isClean: true });
      }),
      { numRuns: propertyRuns(3_000) },
    );
  });
});

describe('a token', () => {
  const element = `[tailrace@32473 token="${FOREIGN_TOKEN}"]`;

  it.each([
    ['alone', element, ''],
    ['behind an element without parameters', `[empty]${element}`, '[empty]'],
    ['before one', `${element}[empty]`, '[empty]'],
    ['between others', `[a@1 k="\\"]v"]${element}[b@2]`, '[a@1 k="\\"]v"][b@2]'],
    ['with other parameters', `[tailrace@32473 x="1" token="${FOREIGN_TOKEN}" y="2"]`, ''],
    ['with other spaces', `[ tailrace@32473  token="${FOREIGN_TOKEN}" ]`, ''],
    ['twice', `${element}[tailrace@32473 token="t.other"]`, ''],
    [
      'beside another one elsewhere',
      `${element}[a@1 k="x ${FOREIGN_TOKEN}" ${FOREIGN_TOKEN}="v"][${FOREIGN_TOKEN} k="v"]`,
      '[a@1 k="x t.****" t.****="v"][t.**** k="v"]',
    ],
  ])('is read, and its element taken out: %s', (_name, data, stored) => {
    expect(read(`${data} m`)).toEqual({ data, stored, isClean: false, token: FOREIGN_TOKEN });
  });

  it.each([
    ['within a value', `[a@1 k="[tailrace@32473 token=\\"${FOREIGN_TOKEN}\\"\\]"]`],
    ['across two elements', `[a@1 k="[tailrace@32473 "][b@2 token="${FOREIGN_TOKEN}"]`],
    ['of another name', `[xtailrace@32473 token="${FOREIGN_TOKEN}"]`],
    ['of a longer name', `[tailrace@324730 token="${FOREIGN_TOKEN}"]`],
  ])('decides nothing elsewhere, and is masked: %s', (_name, data) => {
    expect(read(data)).toMatchObject({ token: undefined, stored: data.replaceAll(FOREIGN_TOKEN, 't.****') });
  });
});
