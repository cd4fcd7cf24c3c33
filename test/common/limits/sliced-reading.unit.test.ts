import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { SlicedReading } from '../../../src/common/limits/sliced-reading.ts';
import { TurnBudget } from '../../../src/common/limits/turns.ts';

/** The event loop, turn by turn. */
let callbacks: (() => void)[] = [];
let now = 0;
let budget: TurnBudget;
/** A connection, and what was parsed of it. */
let socket: PassThrough & { parser?: null };
let slices: Buffer[] = [];
/** How long the parser takes for a byte. */
let msPerByte = 0;
let onSlice: (() => void) | undefined;
let parsedAtEnd: number | undefined;
/** How often the connection was to be read again. */
let readOn = 0;

function turn(): void {
  for (const callback of callbacks.splice(0)) callback();
}

/** What the stream does by itself comes behind the current work. */
const streams = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function open(): SlicedReading {
  return new SlicedReading(
    socket,
    {
      onData: (bytes) => {
        now += bytes.length * msPerByte;
        slices.push(bytes);
        onSlice?.();
      },
      onEnd: () => {
        parsedAtEnd = parsed().length;
      },
      onResume: () => {
        readOn++;
      },
    },
    budget,
    () => now,
  );
}

const parsed = (): Buffer => Buffer.concat(slices);
const sent = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));

beforeEach(() => {
  callbacks = [];
  now = 0;
  budget = new TurnBudget(
    (callback) => callbacks.push(callback),
    () => now,
  );
  socket = new PassThrough({ highWaterMark: 1_048_576, autoDestroy: false });
  slices = [];
  msPerByte = 0.001;
  onSlice = undefined;
  parsedAtEnd = undefined;
  readOn = 0;
});

describe('what a connection sends', () => {
  it('is parsed slice by slice, one a turn, and then it is read on', async () => {
    open();
    socket.write(sent(65_536));
    await streams();
    expect(slices).toHaveLength(1);
    expect(socket.isPaused()).toBe(true);
    for (let count = 1; parsed().length < 65_536; count++) {
      expect(slices).toHaveLength(count);
      turn();
    }
    expect(parsed().equals(sent(65_536))).toBe(true);
    expect(slices.length).toBeGreaterThan(16);
    turn();
    expect(socket.isPaused()).toBe(false);
    socket.write(sent(10));
    await streams();
    expect(slices.at(-1)).toEqual(sent(10));
  });

  it('is parsed in smaller slices as long as these take long, and in larger ones again', async () => {
    msPerByte = 0.01;
    open();
    socket.write(sent(131_072));
    await streams();
    for (let i = 0; i < 4; i++) turn();
    expect(slices.at(-1)).toHaveLength(512);
    msPerByte = 0;
    while (callbacks.length > 0) turn();
    expect(slices.some(({ length }) => length === 32_768)).toBe(true);
    expect(parsed().equals(sent(131_072))).toBe(true);
  });

  it('waits behind what others have sent, but has a slice in each turn', async () => {
    open();
    socket.write(sent(20_000));
    await streams();
    const others: number[] = [];
    for (let i = 0; i < 4; i++)
      budget.run(() => {
        now += 5;
        others.push(slices.length);
      });
    turn();
    expect(others.at(-1)).toBe(1);
    expect(slices).toHaveLength(2);
    turn();
    expect(others.at(-1)).toBe(2);
    expect(slices).toHaveLength(3);
  });

  it('is kept while nobody wants it, for each reason', async () => {
    const reading = open();
    onSlice = () => socket.pause();
    socket.write(sent(10_000));
    await streams();
    turn();
    turn();
    expect(slices).toHaveLength(1);
    onSlice = undefined;
    reading.hold();
    socket.resume();
    turn();
    expect(slices).toHaveLength(1);
    expect(socket.isPaused()).toBe(true);
    socket.pause();
    reading.release();
    turn();
    expect(slices).toHaveLength(1);
    socket.resume();
    while (callbacks.length > 0) turn();
    expect(parsed().equals(sent(10_000))).toBe(true);
    expect(socket.isPaused()).toBe(false);
  });

  it('is parsed when all of it was given to the parser, or when somebody else has it wait', async () => {
    const reading = open();
    const log: number[] = [];
    const whenParsed = (): void => reading.whenParsed(() => log.push(parsed().length));
    whenParsed();
    expect(log).toEqual([0]);
    socket.write(sent(10_000));
    await streams();
    whenParsed();
    expect(log).toEqual([0]);
    while (callbacks.length > 0) turn();
    expect(log).toEqual([0, 10_000]);
    await streams();
    for (const hold of [() => reading.hold(), () => socket.pause(), () => socket.destroy()]) {
      socket.write(sent(50_000));
      await streams();
      whenParsed();
      const calls = log.length;
      hold();
      turn();
      expect(log).toHaveLength(calls + 1);
      expect(log.at(-1)).toBeLessThan(parsed().length + 50_000);
      reading.release();
      socket.resume();
      while (callbacks.length > 0) turn();
      await streams();
    }
  });

  it('is parsed to its end before the end is told', async () => {
    open();
    socket.end(sent(30_000));
    await streams();
    expect(parsedAtEnd).toBeUndefined();
    while (callbacks.length > 0) turn();
    await streams();
    expect(parsedAtEnd).toBe(30_000);
  });

  it('has an end also behind what was parsed', async () => {
    open();
    socket.write(sent(10));
    await streams();
    socket.end();
    await streams();
    expect(parsedAtEnd).toBe(10);
  });

  it('is left to others from an upgrade on', async () => {
    const reading = open();
    const rest: Buffer[] = [];
    onSlice = () => {
      socket.parser = null;
      // As Node.js does.
      Reflect.set(socket, 'readableFlowing', null);
      rest.push(...reading.letGo());
      onSlice = undefined;
    };
    socket.write(sent(9_000));
    await streams();
    socket.on('data', (bytes: Buffer) => rest.push(bytes));
    socket.resume();
    socket.write(sent(7));
    await streams();
    expect(Object.hasOwn(socket, 'pause')).toBe(false);
    expect(readOn).toBe(1);
    expect(Buffer.concat([...slices, ...rest]).equals(Buffer.concat([sent(9_000), sent(7)]))).toBe(true);
    expect(slices).toHaveLength(1);
  });

  it('is given up with the connection', async () => {
    open();
    socket.write(sent(9_000));
    await streams();
    socket.destroy();
    while (callbacks.length > 0) turn();
    expect(slices).toHaveLength(1);
  });
});
