import { describe, expect, it } from 'vitest';
import {
  HostResolver,
  type ResolvedAddress,
  type ResolverSources,
} from '../../../src/common/limits/host-resolver.ts';

const SYSTEMS: ResolvedAddress[] = [{ address: '198.51.100.1', family: 4 }];
const OTHERS: ResolvedAddress[] = [{ address: '2001:db8::1', family: 6 }];
const LIMITS = { systemMs: 5, waitMs: 60 };
const never = (): Promise<never> => new Promise(() => {});

/** Names of which `dead` is a part have no server that answers. */
function resolver(sources: Partial<ResolverSources> = {}) {
  const asked: string[] = [];
  const system = (name: string) => {
    asked.push(name);
    return name.includes('dead') ? never() : Promise.resolve(SYSTEMS);
  };
  const servers = (name: string) => (name.includes('dead') ? never() : Promise.resolve(OTHERS));
  const isInHostsFile = async () => false;
  return { own: new HostResolver({ system, servers, isInHostsFile, ...sources }, LIMITS), asked };
}

describe('names of hosts', () => {
  it('are resolved by the system; all who ask for the same share the answer', async () => {
    const { own, asked } = resolver();
    expect(await Promise.all(['a', 'b', 'a'].map((name) => own.resolve(name)))).toEqual([
      SYSTEMS,
      SYSTEMS,
      SYSTEMS,
    ]);
    expect(asked).toEqual(['a', 'b']);
    await own.resolve('a');
    expect(asked).toHaveLength(3);
  });

  it('that nobody answers for end in time with a sentence, and hold up no others, however many they are', async () => {
    const { own, asked } = resolver();
    const dead = Array.from({ length: 50 }, (_, i) => own.resolve(`dead${i}`).catch(String));
    expect(await own.resolve('a')).toEqual(OTHERS);
    expect(new Set(await Promise.all(dead))).toEqual(
      new Set(dead.map((_, i) => `Error: no name server answered for dead${i} within 0.06 s`)),
    );
    // One thread waits for the first of them.
    expect(asked).toEqual(['dead0']);
  });

  it('that the hosts file has are never what name servers say', async () => {
    const { own } = resolver({ isInHostsFile: async (name) => name === 'a' });
    const dead = own.resolve('dead').catch(String);
    expect(await own.resolve('b')).toEqual(OTHERS);
    await expect(own.resolve('a')).rejects.toThrow('no name server answered for a');
    await dead;
  });

  it('that don’t exist have the system’s error, also when name servers fail', async () => {
    let fail = (_error: Error): void => {};
    const system = () => new Promise<never>((_resolve, reject) => (fail = reject));
    const { own } = resolver({ system, servers: () => Promise.reject(new Error('SERVFAIL')) });
    const failed = expect(own.resolve('a')).rejects.toThrow('ENOTFOUND a');
    setTimeout(() => fail(new Error('getaddrinfo ENOTFOUND a')), LIMITS.systemMs * 2);
    await failed;
    // The thread is free again.
    expect(await resolver().own.resolve('b')).toEqual(SYSTEMS);
  });
});
