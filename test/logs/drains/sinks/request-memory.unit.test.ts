import { describe, expect, it, onTestFinished } from 'vitest';
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { RequestMemory } from '../../../../src/logs/drains/sinks/request-memory.ts';

const HEAD = 'POST / HTTP/1.1\r\n\r\n';

describe('the memory of requests', () => {
  it('has room for the head in front of a body of its own', () => {
    const memory = new RequestMemory(new BufferPool({ buffersMax: 2, pooledBytesMin: 65_536 }));
    const body = memory.acquire(100_000).subarray(0, 5);
    body.write('hello');
    const [request] = memory.join(HEAD, body);
    expect(String(request)).toBe(`${HEAD}hello`);
    expect(request.buffer).toBe(body.buffer);
    expect(memory.release(body)).toBe(true);
    expect(memory.acquire(90_000).buffer).toBe(body.buffer);
  });

  it.each([8_192, 65_536])(
    'neither writes to what Node.js has in slabs of %i bytes, nor keeps it',
    (bytes) => {
      const { poolSize } = Buffer;
      onTestFinished(() => {
        Buffer.poolSize = poolSize;
      });
      Buffer.poolSize = bytes;
      const memory = new RequestMemory(new BufferPool({ buffersMax: 2, pooledBytesMin: 65_536 }));
      const others: Buffer[] = [];
      for (let i = 0; i < 300; i++) {
        // Small ones are cut out of slabs, at every place; a body may be made elsewhere, too.
        const own = memory.acquire(200 + i);
        const other = Buffer.allocUnsafe(256).fill(1);
        const made = Buffer.from('x'.repeat(i));
        others.push(other);
        for (const body of [own, made]) {
          expect(
            Buffer.concat(memory.join(HEAD, body)).equals(Buffer.concat([Buffer.from(HEAD), body])),
          ).toBe(true);
          expect(memory.release(body)).toBe(false);
        }
        memory.acquire(70_000 - i * 200).fill(2);
      }
      for (const other of others) expect(other.every((byte) => byte === 1)).toBe(true);
    },
  );
});
