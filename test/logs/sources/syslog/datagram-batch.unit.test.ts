import { describe, expect, it, vi } from 'vitest';
import { DatagramBatch, type DatagramTaker } from '../../../../src/logs/sources/syslog/datagram-batch.ts';
import { Framing } from '../../../../src/logs/syslog/framing.ts';

/** Takes datagrams that begin with `fast` on its fast path. */
class Taker implements DatagramTaker {
  readonly name: string;
  readonly taken: string[];

  constructor(name: string, taken: string[]) {
    this.name = name;
    this.taken = taken;
  }

  takeFastPath(bytes: Uint8Array, pos: number, framing: Framing): number {
    expect(framing).toBe(Framing.datagrams);
    const text = Buffer.from(bytes).toString('latin1');
    for (;;) {
      const match = /^(\d+) fast/.exec(text.slice(pos));
      if (!match) return pos;
      const start = pos + match[1].length + 1;
      pos = start + Number(match[1]);
      this.taken.push(`${this.name} ${text.slice(start, pos)}`);
    }
  }
}

describe('a batch of datagrams', () => {
  const setUp = (lingerMs = 0) => {
    const taken: string[] = [];
    const batch = new DatagramBatch<Taker>(
      ({ name }, bytes, start, end) => taken.push(`${name} ${bytes.toString('latin1', start, end)}`),
      ({ name }) => taken.push(`${name} done`),
      lingerMs,
    );
    const add = (text: string, taker: Taker): void => {
      const bytes = Buffer.from(`${text}\0`, 'latin1');
      batch.add(bytes, bytes.length - 1, taker);
    };
    return { taken, batch, add, a: new Taker('a', taken), b: new Taker('b', taken) };
  };

  it('has all datagrams taken in their order, on the fast path and off it, those of each sender by its own', () => {
    const { taken, batch, add, a, b } = setUp();
    for (const text of ['fast 1', 'slow 2', '', 'fast 12345 3', '7 fast']) add(text, a);
    add('fast b', b);
    add('slow a', a);
    batch.flush();
    batch.flush();
    expect(taken).toEqual(
      ['a fast 1', 'a slow 2', 'a ', 'a fast 12345 3', 'a 7 fast', 'a done'].concat(
        ['b fast b', 'b done'],
        ['a slow a', 'a done'],
      ),
    );
  });

  it('takes some hundreds without waiting for more: each may have to be looked at by itself', () => {
    const { taken, batch, add, a } = setUp(1_000);
    const isTaken = (text: string): boolean => text !== 'a done';
    let before = 0;
    for (let i = 0; i < 1_000; i++) {
      add('x', a);
      expect(taken.filter(isTaken).length - before).toBeLessThanOrEqual(256);
      before = taken.filter(isTaken).length;
      expect(i - before).toBeLessThanOrEqual(256);
    }
    batch.flush();
    expect(taken.filter(isTaken)).toHaveLength(1_000);
  });

  it('takes any length that a datagram may have, however many come', () => {
    const { taken, batch, add, a } = setUp();
    const lengths = [1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 65_507, 65_507, 65_507];
    for (const length of lengths) add('x'.repeat(length), a);
    batch.flush();
    expect(taken.filter((text) => text !== 'a done').map((text) => text.length - 2)).toEqual(lengths);
  });

  it('is taken with what comes in the next milliseconds, when others were taken just before', async () => {
    const { taken, batch, add, a } = setUp(60_000);
    add('fast', a);
    await vi.waitFor(() => expect(taken).toEqual(['a fast', 'a done']));
    for (const text of ['fast 2', 'fast 3']) {
      add(text, a);
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(taken).toEqual(['a fast', 'a done']);
    batch.flush();
    expect(taken).toEqual(['a fast', 'a done', 'a fast 2', 'a fast 3', 'a done']);
  });

  it('is taken when its time is over, and when it is full', async () => {
    const { taken, add, a } = setUp(20);
    for (const text of ['fast 1', 'fast 2', 'fast 3']) {
      add(text, a);
      await vi.waitFor(() => expect(taken).toContain(`a ${text}`));
    }
    for (let left = 3; left > 0; left--) add(`fast ${'x'.repeat(65_000)}`, a);
    expect(taken.length).toBe(3 * 2 + 2 + 1);
  });

  it('is taken at the end of the turn', async () => {
    const { taken, add, a } = setUp();
    add('fast', a);
    expect(taken).toEqual([]);
    await vi.waitFor(() => expect(taken).toEqual(['a fast', 'a done']));
  });
});
