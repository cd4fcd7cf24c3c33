import { describe, expect, it, onTestFinished } from 'vitest';
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { RequestMemory } from '../../../../src/logs/drains/sinks/request-memory.ts';
import { codecMemory } from '../../../../src/logs/syslog/wasm/wasm-codec.ts';

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
          const request = Buffer.concat(memory.join(HEAD, body));
          const wanted = Buffer.concat([Buffer.from(HEAD), body]);
          if (!request.equals(wanted)) expect(String(request)).toBe(String(wanted));
          if (memory.release(body)) expect.fail(`body ${i} is kept`);
        }
        memory.acquire(70_000 - i * 200).fill(2);
      }
      const wanted = Buffer.alloc(256, 1);
      expect(others.findIndex((other) => !other.equals(wanted))).toBe(-1);
    },
  );
});

const { bodies } = codecMemory;
const head = 'POST / HTTP/1.1\r\nX-Name: grüße\r\n\r\n';

it.each([
  ['of a pool', (memory: RequestMemory) => memory.acquire(100_000)],
  ['of a module', (memory: RequestMemory) => memory.acquireSlot(bodies)!],
])(
  'a body in memory %s goes to the socket in one piece with its head, and is given again',
  (_of, acquire) => {
    const memory = new RequestMemory(new BufferPool({ buffersMax: 2 }));
    const body = acquire(memory);
    body.write('lines');
    const [request, ...more] = memory.join(head, body.subarray(0, 5));
    expect(request.toString('latin1')).toBe(`${head}lines`);
    expect(more).toEqual([]);
    expect(memory.release(body.subarray(0, 5))).toBe(true);
    expect(memory.release(body)).toBe(false);
    const again = acquire(memory);
    expect([again.buffer === body.buffer, again.byteOffset]).toEqual([true, body.byteOffset]);
    memory.releaseAll();
    expect(memory.release(again)).toBe(false);
    expect(acquire(memory).byteOffset).toBe(body.byteOffset);
    memory.releaseAll();
  },
);

it('a body in other memory, or with a long head, goes in two pieces', () => {
  const memory = new RequestMemory(new BufferPool({ buffersMax: 2 }));
  const other = Buffer.from('lines');
  expect(String(memory.join(head, other))).toBe(`${Buffer.from(head, 'latin1')},lines`);
  const body = memory.acquire(5).subarray(0, 5).fill('x');
  expect(memory.join('y'.repeat(3_000), body).map(({ length }) => length)).toEqual([3_000, 5]);
  expect(memory.release(other)).toBe(false);
});

it('there are slots for some bodies at a time', () => {
  const memory = new RequestMemory(new BufferPool({ buffersMax: 2 }));
  const lent = [];
  for (let slot = memory.acquireSlot(bodies); slot; slot = memory.acquireSlot(bodies))
    lent.push(slot.byteOffset);
  expect(new Set(lent).size).toBe(4);
  memory.releaseAll();
  expect(memory.acquireSlot(bodies, 100_000_000)).toBe(undefined);
});
