import { expect, it } from 'vitest';
import { countUdpDrops } from '../../../src/logs/sources/udp-drops.ts';

it('datagrams that were dropped are counted from /proc', () => {
  const head =
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';
  const row = (port: string, drops: number): string =>
    ` 3096: 0100007F:${port} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 ${drops}`;
  const files: Record<string, string> = {
    '/proc/net/udp': [head, row('1771', 7), row('1772', 9), ''].join('\n'),
    '/proc/net/udp6': [head, row('1771', 5), ''].join('\n'),
  };
  const read = (path: string): string => files[path];
  expect(countUdpDrops([6001], read)).toBe(12);
  expect(countUdpDrops([1], read)).toBe(0);
  const none = (): string => {
    throw new Error('ENOENT');
  };
  expect(countUdpDrops([6001], none)).toBeUndefined();
});
