import { describe, expect, it } from 'vitest';
import { FrameOutcome } from '../../../../src/logs/sources/line-receiver.ts';
import {
  DatagramMemory,
  type DatagramReceiver,
  DatagramSender,
  HoldBudget,
} from '../../../../src/logs/sources/syslog/datagram-sender.ts';
import { Framing } from '../../../../src/logs/syslog/framing.ts';

/** Knows the tokens that were looked up: those of lines like `a 1`. */
class Receiver implements DatagramReceiver {
  readonly taken: string[] = [];
  readonly known = new Set<string>();
  private wanted = '';
  private finish: ((error?: Error) => void) | undefined;

  take(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const line = Buffer.from(bytes.subarray(start, end)).toString();
    [this.wanted] = line.split(' ');
    if (this.wanted !== '-' && !this.known.has(this.wanted)) return FrameOutcome.needsTokenLookup;
    this.taken.push(line);
    return FrameOutcome.accepted;
  }

  takeFastPath(_bytes: Uint8Array, pos: number): number {
    return pos + 1;
  }

  loadToken(): Promise<void> {
    const token = this.wanted;
    return new Promise((resolve, reject) => {
      this.finish = (error) => {
        if (!error) this.known.add(token);
        error ? reject(error) : resolve();
      };
    });
  }

  flushInBackground(): void {}

  /** The look-up under way ends. */
  async looksUp(error?: Error): Promise<void> {
    this.finish?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function setUp(budgetBytes = 1_000_000) {
  const receiver = new Receiver();
  const budget = new HoldBudget(new DatagramMemory(budgetBytes));
  const lost: number[] = [];
  const sender = new DatagramSender(receiver, budget, () => lost.push(receiver.taken.length));
  const take = (...lines: string[]): void => {
    for (const line of lines) sender.take(Buffer.from(`<${line}>`), 1, line.length + 1);
  };
  return { receiver, budget, sender, lost, take };
}

describe('the datagrams of a sender', () => {
  it('stay in order while tokens are looked up, whosever they are, also on the fast path', async () => {
    const { receiver, budget, sender, take } = setUp();
    const fast = (): number => sender.takeFastPath(Buffer.alloc(9), 3, Framing.datagrams);
    take('- 1');
    expect(fast()).toBe(4);
    take('a 2', '- 3', 'a 4', 'b 5', '- 6');
    expect(receiver.taken).toEqual(['- 1']);
    expect(fast()).toBe(3);
    await receiver.looksUp();
    expect(receiver.taken).toEqual(['- 1', 'a 2', '- 3', 'a 4']);
    take('a 7');
    const none = budget.whenNone();
    await receiver.looksUp();
    await none;
    take('a 8');
    expect(receiver.taken.slice(4)).toEqual(['b 5', '- 6', 'a 7', 'a 8']);
    expect(fast()).toBe(4);
  });

  it('a token that was forgotten again is looked up again', async () => {
    const { receiver, take } = setUp();
    take('a 1', 'a 2');
    receiver.known.add = () => receiver.known;
    await receiver.looksUp();
    expect(receiver.taken).toEqual([]);
    receiver.known.add = Set.prototype.add;
    await receiver.looksUp();
    expect(receiver.taken).toEqual(['a 1', 'a 2']);
  });

  it('those whose tokens can’t be looked up are lost, each counted once, and the others are not', async () => {
    const { receiver, budget, lost, take } = setUp();
    take('a 1', '- 2', 'b 3', 'a 4', '- 5');
    await receiver.looksUp(new Error('away'));
    expect(receiver.taken).toEqual(['- 2', '- 5']);
    expect(lost).toEqual([0, 1, 1]);
    await budget.whenNone();
    take('- 6');
    expect(receiver.taken).toEqual(['- 2', '- 5', '- 6']);
  });

  it('thousands that are held are taken over several turns of the event loop, in their order', async () => {
    const { receiver, budget, take } = setUp();
    const lines = Array.from({ length: 5_000 }, (_, i) => `${i % 2_500 === 2_499 ? 'b' : 'a'} ${i}`);
    take(...lines);
    await receiver.looksUp();
    let most = receiver.taken.length;
    for (let before = most; receiver.taken.length < 2_499; before = receiver.taken.length) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, receiver.taken.length - before);
    }
    expect(most).toBeLessThanOrEqual(500);
    expect(receiver.taken).toEqual(lines.slice(0, 2_499));
    await receiver.looksUp();
    await budget.whenNone();
    expect(receiver.taken).toEqual(lines);
  });

  it('no more are held than there is room for, and the room is given back', async () => {
    const { receiver, lost, take } = setUp(2 * 131 + 1);
    for (const round of [1, 2]) {
      receiver.known.clear();
      receiver.taken.length = 0;
      take('a 1', 'a 2', 'a 3', '- 4');
      expect(lost).toHaveLength(2 * round);
      await receiver.looksUp();
      expect(receiver.taken).toEqual(['a 1', 'a 2']);
    }
  });
});

it('what may wait, and who is remembered, is for all ports together', () => {
  const memory = new DatagramMemory(300);
  const [one, other] = [new HoldBudget(memory), new HoldBudget(memory)];
  expect(one.take(100)).toBe(true);
  expect(other.take(100)).toBe(false);
  one.giveBack(100);
  expect(other.take(100)).toBe(true);
  expect(memory.nextPortName()).not.toBe(memory.nextPortName());
});
