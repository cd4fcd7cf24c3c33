/** A sender whose name isn't in its lines is found by it as if it were. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { senderTexts, withKnownSender } from '../../../src/logs/query/known-sender.ts';
import { QueryMatcher } from '../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../src/logs/query/query-syntax.ts';
import { readQuery } from '../../../src/logs/query/read-query.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { recordsOf } from '../../drains/viewer/alerts/record-batches.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

function matches(node: QueryNode | undefined, host: string, message: string): boolean {
  if (!node) return true;
  const batch = recordsOf([{ header: `${host} app web.1`, message }], 0);
  const line = new RecordCursor(batch);
  line.advance();
  const matcher = new QueryMatcher(node, '');
  return matcher.mayMatch(batch) && matcher.matches(line, batch);
}

function expression(query: string): QueryNode {
  const { expression: node } = readQuery(query);
  if (!node) throw new Error('Every line matches.');
  return node;
}

/** What each part asks of the line as it is, or with the name in the place of the host. */
function holds(node: QueryNode, name: string, message: string): boolean {
  switch (node.kind) {
    case 'and':
      return node.children.every((child) => holds(child, name, message));
    case 'or':
      return node.children.some((child) => holds(child, name, message));
    case 'not':
      return !holds(node.child, name, message);
    default:
      return matches(node, 'host', message) || matches(node, name, message);
  }
}

const LEAVES = [
  'sender:shop',
  'sender:SHOP-api',
  'sender:host',
  'sender:*',
  'sender:shop*',
  'sender:=shop-api',
  'sender:/^shop/',
  'sender:(shop OR billing)',
  'host:shop',
  'shop',
  '"shop-api"',
  "'timeout'",
  'timeout',
  'program:shop',
  'message:shop',
  'app:shop',
  '/shop/',
  'web.1',
];
const { query } = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...LEAVES),
    fc.constantFrom(...LEAVES).map((leaf) => `-${leaf}`),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a}) (${b})`),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a} OR ${b})`),
    tie('query').map((one) => `-(${one})`),
  ),
}));

describe('a sender whose name is known', () => {
  it('is found by its name, and by whatever else its lines have', () => {
    fc.assert(
      fc.property(
        query,
        fc.constantFrom('shop-api', 'Shop', 'billing', 'drain'),
        fc.constantFrom('all is well', 'timeout of the shop', 'app=shop', ''),
        (text, name, message) => {
          const node = expression(text);
          const own = withKnownSender(node, name);
          expect(matches(own, 'host', message)).toBe(holds(node, name, message));
          const texts = senderTexts(node);
          if (texts && !texts.some((one) => name.toLowerCase().includes(one))) expect(own).toBe(node);
        },
      ),
      { numRuns: propertyRuns(500) },
    );
  });

  it('may have spaces in its name', () => {
    expect(withKnownSender(expression('sender:"drain 12ab"'), 'drain 12abcdef')).toBeUndefined();
    expect(matches(withKnownSender(expression('-sender:"drain 12ab"'), 'drain 12abcdef'), 'host', 'x')).toBe(
      false,
    );
  });
});
