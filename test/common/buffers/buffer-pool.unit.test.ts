import { describe, expect, it, onTestFinished } from 'vitest';
import { BufferPool } from '../../../src/common/buffers/buffer-pool.ts';

describe('a buffer pool', () => {
  it('gives what was released to the next who asks, and never to two', () => {
    const pool = new BufferPool({ buffersMax: 4 });
    const [a, b] = [pool.acquire(1_000), pool.acquire(1_000)];
    expect(a.buffer).not.toBe(b.buffer);
    expect(pool.release(a)).toBe(true);
    const c = pool.acquire(900);
    expect(c.buffer).toBe(a.buffer);
    expect(pool.acquire(900).buffer).not.toBe(a.buffer);
  });

  it('gives at least as much as was asked for, whatever lies there', () => {
    const pool = new BufferPool({ buffersMax: 4, stepBytes: 4_096 });
    const [small, large] = [pool.acquire(1), pool.acquire(5_000)];
    expect([small.length, large.length]).toEqual([4_096, 8_192]);
    for (const buffer of [large, small]) pool.release(buffer);
    expect(pool.acquire(6_000).buffer).toBe(large.buffer);
    expect(pool.acquire(10_000).length).toBe(12_288);
    expect(pool.acquire(4_096).buffer).toBe(small.buffer);
  });

  it('gives memory that threads read where it is, when it is asked to', () => {
    const pool = new BufferPool({ buffersMax: 1, isShared: true });
    const shared = pool.acquire(10_000);
    expect(structuredClone(shared).buffer).toBeInstanceOf(SharedArrayBuffer);
    shared[0] = 7;
    expect(structuredClone(shared.subarray(0, 1))[0]).toBe(7);
    expect(pool.release(shared)).toBe(true);
    expect(pool.acquire(1).buffer).toBe(shared.buffer);
  });

  it('takes a part of a buffer for the whole of it', () => {
    const pool = new BufferPool({ buffersMax: 1 });
    const whole = pool.acquire(10_000);
    expect(pool.release(whole.subarray(0, 10))).toBe(true);
    const again = pool.acquire(10_000);
    expect([again.buffer, again.length]).toEqual([whole.buffer, 10_000]);
    expect(pool.release(again.subarray(10))).toBe(false);
  });

  it('keeps no more than its limit', () => {
    const pool = new BufferPool({ buffersMax: 2 });
    const all = [1, 2, 3].map(() => pool.acquire(100));
    expect(all.map((buffer) => pool.release(buffer))).toEqual([true, true, false]);
  });

  it('keeps large buffers rather than small ones', () => {
    const pool = new BufferPool({ buffersMax: 2 });
    const [small, large, alsoLarge] = [pool.acquire(100), pool.acquire(1_000), pool.acquire(1_000)];
    for (const buffer of [small, large, alsoLarge]) expect(pool.release(buffer)).toBe(true);
    expect(new Set([pool.acquire(900).buffer, pool.acquire(900).buffer])).toEqual(
      new Set([large.buffer, alsoLarge.buffer]),
    );
  });

  it('keeps nothing that is too small for it, least of all memory that Node.js shares between many', () => {
    const pool = new BufferPool({ buffersMax: 4, pooledBytesMin: 65_536 });
    for (const bytes of [10, 4_000, 60_000]) expect(pool.release(pool.acquire(bytes))).toBe(false);
    const large = pool.acquire(65_536);
    expect(pool.release(large)).toBe(true);
    // What a slab is quicker for isn't worth a large buffer.
    expect(pool.acquire(100).buffer).not.toBe(large.buffer);
    expect(pool.acquire(20_000).buffer).toBe(large.buffer);
  });

  it.each([8_192, 65_536])('keeps none of it however large its slabs are: %i bytes', (slabBytes) => {
    const { poolSize } = Buffer;
    onTestFinished(() => {
      Buffer.poolSize = poolSize;
    });
    Buffer.poolSize = slabBytes;
    const pool = new BufferPool({ buffersMax: 4, pooledBytesMin: 8_192 });
    // A slab begins with some of them: at its first byte, as buffers of the pool do.
    const kept = Array.from({ length: 200 }, (_, i) => pool.release(pool.acquire(1_000 + i * 30)));
    expect(kept).toEqual(Array(200).fill(false));
    const others = Array.from({ length: 200 }, (_, i) => Buffer.allocUnsafe(1_000 + i * 30));
    for (const other of others) expect(pool.release(other)).toBe(false);
    expect(pool.release(pool.acquire(8_192))).toBe(true);
  });
});
