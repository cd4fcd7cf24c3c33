/** The rows of the live page: no line's text stops it, and none of it is hidden or obeyed. */
import fc from 'fast-check';
import type { ComponentChild, VNode } from 'preact';
import { describe, expect, it } from 'vitest';
import { type LineJson, parseLine } from '../../../src/web/stream/line.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { anyTimestamp } from '../../support/senders/odd-fields.ts';

/** Not known to the compiler here: what it imports needs the browser's types. */
const ROW_MODULE: string = '../../../src/web/view/list/row.tsx';
const { Row }: { Row: (props: object) => ComponentChild } = await import(ROW_MODULE);

const LINE: LineJson = {
  position: '7',
  timestamp: '2012-12-10T03:00:48.123456+00:00',
  facility: 23,
  severity: 6,
  hostname: 'h',
  source: 'app',
  dyno: 'web.1',
  msgid: 'ID',
  structured_data: '[a@1 k="v"]',
  message: 'hello',
};

/** What a row reads of the page. */
const page = {
  preferences: { wrap: { value: true } },
  viewLocation: { value: { filters: { q: '', source: '', dyno: '', level: '' } } },
};

/** All texts that are drawn: of elements, and of attributes that are shown. */
function drawn(node: ComponentChild): string[] {
  if (typeof node === 'string' || typeof node === 'number') return [String(node)];
  if (Array.isArray(node)) return node.flatMap(drawn);
  if (typeof node !== 'object' || node === null) return [];
  const { type, props } = node as VNode<Record<string, unknown>>;
  if (typeof type === 'function') return drawn((type as (props: unknown) => ComponentChild)(props));
  const shown = ['title', 'aria-label', 'dateTime'].flatMap((name) =>
    typeof props[name] === 'string' ? [props[name]] : [],
  );
  return [...shown, ...drawn(props.children as ComponentChild)];
}

const row = (changed: Partial<LineJson>, isNewDay = true): string[] =>
  drawn(
    Row({
      line: parseLine({ ...LINE, ...changed }),
      page,
      terms: ['hello'],
      isNewDay,
      isSelected: true,
      isExpanded: true,
      isUnfolded: false,
      columns: ['k', '__proto__'],
      wrap: false,
    }),
  );

describe('a row', () => {
  it('shows what is hidden by its name, in every field', () => {
    const odd = 'a\u202eb\u200b\x1b[2J\u{e0041}';
    const shown = 'a<U+202E>b<U+200B>␛[2J<U+E0041>';
    for (const field of [
      'hostname',
      'source',
      'dyno',
      'msgid',
      'structured_data',
      'message',
      'timestamp',
    ] as const) {
      const texts = row({ [field]: odd }).join('\n');
      expect(texts).not.toMatch(/[\u202e\u200b\x1b\u{e0041}]/u);
      expect(texts).toContain(field === 'message' ? '<U+202E>' : shown);
    }
    expect(row({ message: '{"k\\u202e":"v\\u202e"}' }).join('\n')).toContain('v<U+202E>');
  });

  it.each([
    '2026-11-28T09:20:60Z',
    '2026-11-28T09:20:00+99:99',
    '2026-11-28T24:00:01Z',
    'yesterday',
    '',
    '-',
  ])('whose time is none has dashes, and the text in its details: %j', (timestamp) => {
    const texts = row({ timestamp });
    expect(texts).toContain('--:--:--');
    expect(texts).toContain(`${timestamp} (? ago)`);
  });

  it('is drawn whatever a line says', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    const line = fc.record({
      timestamp: fc.oneof(anyTimestamp, text),
      hostname: text,
      source: text,
      dyno: text,
      msgid: text,
      structured_data: text,
      message: fc.oneof(
        text,
        fc.json(),
        text.map((value) => `k="${value}" __proto__=1`),
      ),
      severity: fc.integer({ min: -1, max: 9 }),
    });
    fc.assert(
      fc.property(line, fc.boolean(), (changed, isNewDay) => {
        const hidden = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
        for (const shown of row(changed, isNewDay)) if (hidden.test(shown)) expect(shown).not.toMatch(hidden);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });
});
