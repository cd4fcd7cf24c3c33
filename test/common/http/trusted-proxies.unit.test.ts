import { describe, expect, it } from 'vitest';
import { parseNetworks, TrustedProxies } from '../../../src/common/http/trusted-proxies.ts';

const proxies = (text: string): TrustedProxies => new TrustedProxies(parseNetworks(text) ?? []);

describe('trusted proxies', () => {
  it.each([
    ['loopback', '127.0.0.1', true],
    ['loopback', '127.9.9.9', true],
    ['loopback', '::1', true],
    ['loopback', '::ffff:127.0.0.1', true],
    ['loopback', '10.0.0.1', false],
    ['private', '172.31.255.255', true],
    ['private', '172.32.0.0', false],
    ['private', 'fd12::1', true],
    ['10.1.0.0/16', '10.1.200.3', true],
    ['10.1.0.0/16', '10.2.0.1', false],
    ['192.0.2.7 2001:db8::/32', '192.0.2.7', true],
    ['192.0.2.7 2001:db8::/32', '2001:db8:1::1', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['none', '127.0.0.1', false],
    ['loopback', '', false],
    ['loopback', 'unknown', false],
    ['loopback', '127.0.0.1:8080', false],
  ])('%s has %s: %s', (text, address, expected) => expect(proxies(text).has(address)).toBe(expected));

  it.each([
    ['loopback', '203.0.113.9', '203.0.113.9'],
    // What a client has made up stands in front.
    ['loopback', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['loopback, 10.0.0.0/8', '1.1.1.1,203.0.113.9 , 10.0.0.4', '203.0.113.9'],
    ['loopback', '', '127.0.0.1'],
    ['loopback', ' , ', '127.0.0.1'],
    ['loopback', '127.0.0.1', '127.0.0.1'],
    ['loopback', 'unknown', 'unknown'],
  ])('%s, for %j: %s', (text, chain, expected) =>
    expect(proxies(text).clientOf(chain, '127.0.0.1')).toBe(expected),
  );

  it('one in front, wherever it is: what others have told it counts for nothing', () => {
    const oneInFront = TrustedProxies.oneInFront();
    expect([oneInFront.trusts('203.0.113.9', 0), oneInFront.trusts('2001:db8::1', 0)]).toEqual([true, true]);
    expect(oneInFront.trusts('203.0.113.9', 1)).toBe(false);
    expect(oneInFront.clientOf('1.1.1.1, 203.0.113.9', '127.0.0.1')).toBe('203.0.113.9');
  });
});
