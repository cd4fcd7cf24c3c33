import { expect, test } from 'vitest';
import { ConnectionQuota } from '../../../src/apps/http-router/connection-quota.ts';

test('one peer gets no more than its share, and all together no more than there are', () => {
  const quota = new ConnectionQuota({ max: 4, maxPerPeer: 3 });
  expect(['a', 'a', 'a', 'a'].map((peer) => quota.admit(peer))).toEqual([
    undefined,
    undefined,
    undefined,
    'peer',
  ]);
  expect(quota.admit('b')).toBeUndefined();
  expect(['a', 'b', 'c'].map((peer) => quota.admit(peer))).toEqual(['all', 'all', 'all']);
  quota.release('b');
  expect(['a', 'c', 'd'].map((peer) => quota.admit(peer))).toEqual(['peer', undefined, 'all']);
});

test('what was given back can be had again, however often', () => {
  const quota = new ConnectionQuota({ max: 2, maxPerPeer: undefined });
  for (let i = 0; i < 10; i++) {
    expect(quota.admit('10.0.0.1')).toBeUndefined();
    expect(quota.admit('10.0.0.1')).toBe('peer');
    quota.release('10.0.0.1');
  }
});

test.each([
  [1, 1],
  [3, 2],
  [10_000, 5_000],
])('of %i connections a peer may have %i when nothing else is set', (max, share) => {
  expect(new ConnectionQuota({ max, maxPerPeer: undefined }).maxPerPeer).toBe(share);
});

test('whoever has an IPv6 network is one peer, by whichever address it comes', () => {
  const quota = new ConnectionQuota({ max: 100, maxPerPeer: 1 });
  expect(quota.admit('2001:db8:1:2::1')).toBeUndefined();
  for (const same of ['2001:db8:1:2::2', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::', '2001:db8:1:2:ffff::'])
    expect(quota.admit(same)).toBe('peer');
  for (const other of ['2001:db8:1:3::1', '2001:db8::1', '::1', 'fe80::1%eth0', '10.0.0.1', '10.0.0.2'])
    expect(quota.admit(other)).toBeUndefined();
  expect(quota.admit('fe80::2%eth1')).toBe('peer');
  expect(quota.admit('2001:db8:0:0:9::')).toBe('peer');
});
