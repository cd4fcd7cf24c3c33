import { describe, expect, it } from 'vitest';
import { TargetPolicy } from '../../../../src/logs/drains/options/target-policy.ts';

describe('addresses', () => {
  const policy = new TargetPolicy(false);

  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::ffff:0:7f00:1',
    '64:ff9b::169.254.169.254',
    // Of a network's own translation: the address may be elsewhere in it.
    '64:ff9b:1::8.8.8.8',
    '64:ff9b:1:a00:0:100:808:808',
    '2002:7f00:1::',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
  ])('%s is no target', (address) => {
    expect(policy.forbiddenRange(address)).toBeTruthy();
    expect(new TargetPolicy(true).forbiddenRange(address)).toBeUndefined();
  });

  it.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.63.255.255',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('%s is one', (address) => expect(policy.forbiddenRange(address)).toBeUndefined());
});
