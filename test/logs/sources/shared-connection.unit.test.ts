/** Lines of several owners on one connection: each goes to its own, also when they have the same program and differ in their token or host alone. */
import { expect, it } from 'vitest';
import { LineRules } from '../../../src/logs/router/line-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../../src/logs/router/token-cache.ts';
import { LineReceiver } from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import { SourceResolver } from '../../../src/logs/sources/source-resolver.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';

function wildcard(app: string, token: string): LogSource {
  const source = { app: app as AppId, source: WILDCARD_SOURCE, sourceBytes: Buffer.from(WILDCARD_SOURCE) };
  return { ...source, token, tokenBytes: Buffer.from(token) };
}

const TOKENS = [wildcard('a', 't.aaaa'), wildcard('b', 't.bbbb')];
const RULES = [
  { tag: undefined, hostname: 'router-1', logSource: wildcard('c', '') },
  { tag: undefined, hostname: 'router-2', logSource: wildcard('d', '') },
];

it.each([
  [
    'tokens in structured data',
    ['[tailrace@32473 token="t.aaaa"]', 'h'],
    ['[tailrace@32473 token="t.bbbb"]', 'h'],
    'abab',
  ],
  ['hosts that rules name', ['-', 'router-1'], ['-', 'router-2'], 'cdcd'],
  ['a token, and nothing that is known', ['[tailrace@32473 token="t.aaaa"]', 'h'], ['-', 'h'], 'a-a-'],
] as const)('%s', (_what, one, other, expected) => {
  const taken: string[] = [];
  const router = {
    tokensVersion: 1,
    lookupToken: (token: string) => TOKENS.find((known) => known.token === token) ?? null,
    loadToken: async () => null,
    batcher: (app: AppId) => ({
      add: () => void taken.push(app),
      addRecords: () => {},
      flushInBackground: () => {},
      whenStored: async () => {},
    }),
  };
  const rules = { version: 1, candidatesFor: () => [new LineRules(RULES)] };
  const receiver = new LineReceiver({
    router,
    counters: createListenerCounters('tcp'),
    host: '127.0.0.1',
    sourceResolver: new SourceResolver(router, rules, { address: '127.0.0.1', port: 1 }),
    keepsFollowUps: true,
  });
  let seen = '';
  for (const [data, host] of [one, other, one, other]) {
    const line = Buffer.from(`<13>1 2026-01-01T00:00:00Z ${host} nginx 7 - ${data} GET /`);
    const before = taken.length;
    receiver.take(line, 0, line.length);
    seen += taken.length > before ? taken[before] : '-';
  }
  expect(seen).toBe(expected);
});
