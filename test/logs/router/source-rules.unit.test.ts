/** Which rule counts for a line: compared with a plain list of all rules. What a sender's rules take: nothing of its own. */
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, it } from 'vitest';
import { findSource } from '../../../src/logs/router/line-rules.ts';
import {
  type RuleConditions,
  type RuleRecord,
  ruleKey,
  type SenderInfo,
  SourceRules,
} from '../../../src/logs/router/source-rules.ts';
import type { Store } from '../../../src/logs/store/contract.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const NETWORKS = [
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.3',
  '::ffff:10.1.0.0/112',
  'fd00::/8',
  '0.0.0.0/0',
  '::/0',
];
const ADDRESSES = ['10.1.2.3', '10.2.0.1', '192.0.2.1', 'fd00::1', '2001:db8::1', '::ffff:10.1.2.3', ''];
const WORDS = ['nginx', 'cron', '-'];

/** The store's records, and nothing else of it. */
async function rulesOf(all: readonly RuleConditions[]): Promise<SourceRules> {
  const records = all.map((conditions, i): RuleRecord => {
    const id = String(i);
    return {
      ...conditions,
      id,
      app: `app-${i}` as RuleRecord['app'],
      source: 'box',
      number: i,
      createdAt: '',
    };
  });
  const store = {
    watchRecords: () => () => {},
    list: async () => records.map((value) => ({ key: ruleKey(value.id), value })),
  };
  const rules = new SourceRules(store as unknown as Store);
  await rules.load();
  return rules;
}

function plainChoice(
  all: readonly RuleConditions[],
  { address, port, certificate }: SenderInfo,
  tag: string | undefined,
  hostname: string | undefined,
): string | undefined {
  const meets = (rule: RuleConditions): boolean =>
    (rule.port ?? port) === port &&
    (rule.network === undefined || isIn(rule.network, address)) &&
    (rule.certificate === undefined || rule.certificate === certificate?.commonName) &&
    (rule.tag === undefined || rule.tag === tag) &&
    (rule.hostname === undefined || rule.hostname === hostname);
  const count = (rule: RuleConditions): number =>
    Object.values(rule).filter((given) => given !== undefined).length;
  const most = Math.max(...all.filter(meets).map(count));
  const index = all.findIndex((rule) => meets(rule) && count(rule) === most);
  return index === -1 ? undefined : `app-${index}`;
}

function isIn(network: string, address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const client = ipaddr.process(address);
  const range = network.replace('::ffff:10.1.0.0/112', '10.1.0.0/16');
  const [start, bits] = ipaddr.parseCIDR(range.includes('/') ? range : `${range}/32`);
  return client.kind() === start.kind() && client.match([start, bits]);
}

const oneOf = <T>(...values: T[]): fc.Arbitrary<T | undefined> =>
  fc.option(fc.constantFrom(...values), { nil: undefined });

it('of several rules the one with the most conditions counts, then the oldest', async () => {
  const conditions = fc.record({
    port: oneOf(6001, 6002),
    network: oneOf(...NETWORKS),
    tag: oneOf(...WORDS),
    hostname: oneOf(...WORDS),
    certificate: oneOf('web-1', 'web-2'),
  });
  const certificate = oneOf('web-1', 'web-3').map((commonName) =>
    commonName ? { commonName, subject: [], fingerprint: '' } : undefined,
  );
  const sender = fc.record({
    address: fc.constantFrom(...ADDRESSES),
    port: fc.constantFrom(6001, 6002),
    certificate,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(conditions, { maxLength: 12 }),
      sender,
      oneOf(...WORDS, 'other'),
      oneOf(...WORDS, 'other'),
      async (all, from, tag, hostname) => {
        const candidates = (await rulesOf(all)).candidatesFor(from);
        expect(findSource(candidates, tag, hostname)?.app).toBe(plainChoice(all, from, tag, hostname));
      },
    ),
    { numRuns: propertyRuns(2_000) },
  );
});

it('a thousand rules are kept once for all senders, and a line is looked up among them, not compared with each', async () => {
  const rules = await rulesOf(Array.from({ length: 1_000 }, (_, i) => ({ hostname: `box-${i}` })));
  const [one, other] = ['10.0.0.1', '10.0.0.2'].map((address) =>
    rules.candidatesFor({ address, port: 6001 }),
  );
  expect(one).toHaveLength(1);
  expect(other[0]).toBe(one[0]);
  expect(findSource(one, 'cron', 'box-999')?.app).toBe('app-999');
});
